"""The command: ``python -m benchmarks [PART ...]``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import typer

from benchmarks.setting import Setting
from benchmarks.sizes import QUICK, Sizes
from benchmarks.table import Line, show, write

TRAINER_PARTS = ("trainer_steps", "trainer_quality", "trainer_sweep", "trainer_memory")
"""Those beside the strong rival, which knows the reading of any encoder."""
ANY_ENCODER = (*TRAINER_PARTS, "predict")
PARTS = (
    *("steps", "quality", "sweep", "overhead", "prune", "scaling", "gpu", "predict"),
    *TRAINER_PARTS,
)
HAS_RIVAL = importlib.util.find_spec("accelerate") is not None
"""Whether what `Trainer` needs is there: else the parts of the strong rival are left out."""


def run(
    parts: Annotated[
        list[str] | None,
        typer.Argument(help=f"Some of {', '.join(PARTS)}; none = all that can run."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Whether all runs, in seconds; no figures.")
    ] = False,
    output: Annotated[Path, typer.Option(help="Folder of table.md, table.csv, plots.")] = Path(
        "benchmark-results"
    ),
    encoder: Annotated[
        Path | None,
        typer.Option(help="Folder of an encoder for predict and trainer_*."),
    ] = None,
    sentences: Annotated[int | None, typer.Option(help="Training sentences.")] = None,
    sweep_sentences: Annotated[int | None, typer.Option(help="Of the sweep.")] = None,
    points: Annotated[int | None, typer.Option(help="Of the sweep.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Turns of A and B.")] = None,
    seeds: Annotated[int | None, typer.Option(help="In the comparison of F1.")] = None,
    scaling_base: Annotated[
        int | None, typer.Option(help="Sentences of the smallest size.")
    ] = None,
    pruned_sentences: Annotated[int | None, typer.Option(help="Of the pruned grid.")] = None,
) -> None:
    """Measure this project beside both rivals; print a table of ratios."""
    known = ANY_ENCODER if encoder else PARTS
    wanted = parts or [name for name in known if HAS_RIVAL or name not in TRAINER_PARTS]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise typer.BadParameter(f"a part is one of {', '.join(known)}, but got {unknown[0]!r}.")
    if not HAS_RIVAL and not set(wanted).isdisjoint(TRAINER_PARTS):
        raise typer.BadParameter("the parts trainer_* need accelerate: pip install -e '.[rival]'.")
    given = {
        "sentences": sentences,
        "sweep_sentences": sweep_sentences,
        "points": points,
        "repeats": repeats,
        "seeds": seeds,
        "scaling_base": scaling_base,
        "pruned_sentences": pruned_sentences,
    }
    sizes = replace(
        QUICK if quick else Sizes(), **{k: v for k, v in given.items() if v is not None}
    )
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="prokd-benchmark-") as folder:
        setting = Setting(
            Path(folder), output.resolve(), encoder=encoder.resolve() if encoder else None
        )
        title = f"{setting.title}; {os.cpu_count()} CPU cores, 1 thread a stage"
        for name in wanted:
            module = importlib.import_module(f"benchmarks.{name}")
            found = module.measure(setting, sizes)
            show(found, f"{name}: {title}")
            lines += found
            write(lines, output, title)


if __name__ == "__main__":
    typer.run(run)
