"""Methods from outside the packages: written into a folder and found by their entry points."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests import preloaded

ROOT = Path(__file__).resolve().parents[2]
SHORT = {
    "encoder.frozen_layers": 2,
    "teacher.epochs": 2,
    "student.epochs": 2,
    "teacher.batch_sentences": 8,
    "student.batch_sentences": 8,
    "teacher.learning_rate": 5e-3,
    "student.learning_rate": 5e-3,
}
"""So few updates find an entity at all: a result that finds none is not exported."""


def install(folder: Path, name: str, code: str, value: str) -> Path:
    """Write a package as an installer would leave it: a module and its entry point."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[prokd.methods]\n{name} = {name}:{value}\n")
    return folder


def printed_example() -> str:
    """Return the complete method that docs/methods.md prints."""
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return str(code)


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which a folder's packages are there, for workers too."""
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "MLFLOW_TRACKING_URI": ""}


def command(module: str, *words: object, settings: dict[str, object] = SHORT) -> list[str]:
    """Return the command line of a search or an ablation on a tiny corpus."""
    given = [word for path, value in settings.items() for word in ("--set", f"{path}={value}")]
    place = ["-m", module, "--preset", "mini", "--lang", "ar"]
    return [*place, "--cpus-per-trial", "1", *map(str, words), *given]


def run(module: str, folder: Path, *words: object, **options: object) -> str:
    """Run a command to its end and return what it prints."""
    done = preloaded.run(
        command(module, *words, **options),  # type: ignore[arg-type]
        cwd=ROOT,
        env=environment(folder),
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
