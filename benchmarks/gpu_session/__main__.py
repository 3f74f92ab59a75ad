"""The commands: ``python -m benchmarks.gpu_session [pack]``.

Nothing but Python's own library is imported before it is known what the machine lacks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.gpu_session import machine

ROOT = Path(__file__).resolve().parents[2]
CARRIED, RESULTS = ROOT / ".gpu-session" / "carried.tar.gz", ROOT / "gpu-session-results"

DRY_PATIENCE = 5.0
"""Times the limits in a dry run: a busy CPU shall not cut off what it is to show."""


def main(arguments: list[str] | None = None) -> None:
    """Read the command and do it."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command == "pack":
        _pack(given)
    else:
        measure(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_session", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes on a CPU; no figures")
    parser.add_argument("--encoder", type=Path, help="folder; else the embedded one")
    parser.add_argument("--data", type=Path, help="folder of WikiANN; else the phrasebook")
    parser.add_argument("--wheels", type=Path, help="folder of wheels of what is missing")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--minutes", type=float, default=9.0, help="for all parts together")
    parser.add_argument("--parts", nargs="*", help="some parts; else all")
    commands = parser.add_subparsers(dest="command")
    pack = commands.add_parser("pack", help="make the archive that is carried to the machine")
    pack.add_argument("archive", type=Path, nargs="?", default=CARRIED)
    pack.add_argument("--from-encoder", type=Path, required=True, help="Hugging Face folder")
    pack.add_argument("--from-data", type=Path, required=True, help="folder of WikiANN")
    pack.add_argument("--layers", type=int, default=6, help="lowest layers that are kept")
    pack.add_argument("--most-mib", type=float, default=64.0, help="of all and the repository")
    pack.add_argument("--python", default="3.12", help="the machine's; none = no wheels")
    return parser


def _pack(given: argparse.Namespace) -> None:
    from benchmarks.gpu_session.packing import pack

    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    room = sum((ROOT / name).stat().st_size for name in listed.stdout.split("\0") if name)
    pack(
        given.archive,
        encoder=given.from_encoder,
        data=given.from_data,
        layers=given.layers,
        room=room,
        most_mib=given.most_mib,
        python=None if given.python == "none" else given.python,
    )


def measure(given: argparse.Namespace) -> Path:
    """Run the parts; return the table's file.

    Raises:
        SystemExit: Packages are missing, or the GPU is; nothing was measured.
    """
    with tempfile.TemporaryDirectory(prefix="prokd-gpu-") as name:
        work = Path(name)
        told = machine.install(given.wheels, work / "site") if given.wheels else ""
        if lacking := machine.missing():
            text = f"Not there, and not among the wheels: {', '.join(lacking)}. {told}"
            raise SystemExit(text.strip())
        if not given.dry_run and not machine.has_gpu():
            raise SystemExit("PyTorch sees no GPU here: --dry-run runs all on a CPU.")
        return _run(given, work)


def _run(given: argparse.Namespace, work: Path) -> Path:
    from benchmarks.gpu_session.parts import all_parts
    from benchmarks.gpu_session.results import Results
    from benchmarks.gpu_session.runner import run_parts
    from benchmarks.gpu_session.session import Session

    session = Session(
        out=given.out.resolve(),
        work=work,
        encoder=str(given.encoder.resolve()) if given.encoder else "mini",
        data=given.data.resolve() if given.data else None,
        kind="cpu" if given.dry_run else "cuda",
        tiny=given.dry_run,
    )
    results = Results(session.out)
    results.clear()
    results.add("machine", {"title": machine.title(session.kind), "dry": session.tiny})
    patience = DRY_PATIENCE if session.tiny else 1.0
    run_parts(all_parts(given.parts, patience), session, results, patience * 60 * given.minutes)
    table = results.write_table()
    print(table.read_text(encoding="utf-8"))
    return table


if __name__ == "__main__":
    main()
