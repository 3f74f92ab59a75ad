"""Golden curves: losses and scores of a teacher and its student, as this code computes them.

``make golden`` writes ``golden/<family>.json`` for this family of processors, and for x86 with
AVX2, whose instructions every newer one has too. Families round differently, so that each has a
file of its own. What is stored is made here alone; `test_golden.py` computes it again.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tiny

from prokd.common.files import write_json
from prokd.methods import build_config
from prokd.methods.prokd.readings import READINGS
from prokd.training.run import StageRun

FOLDER = Path(__file__).resolve().parent / "golden"
TOLERANCE = 2e-5
"""Most relative difference from the file of the same family. Two runs on one processor were equal
to the bit, AVX2 and AVX-512 differed by 2.5e-6; a temperature off by 1 % changes 1e-2."""
OTHER_TOLERANCE = 2e-2
"""Most relative difference from the file of another family: one entity more or less in a score."""
RECIPE = {
    "encoder.dropout": 0.1,
    "teacher.epochs": 4,
    "teacher.learning_rate": 5e-3,
    "teacher.batch_sentences": 4,
    "student.epochs": 3,
    "student.learning_rate": 5e-3,
    "student.batch_sentences": 4,
}
STAGES = ("teacher", "student")

Curves = dict[str, dict[str, list[dict[str, float]]]]
"""Reading -> stage -> epochs -> metrics."""


def family() -> str:
    """Return what decides how a CPU rounds, as far as it is known: machine and instructions."""
    return f"{platform.machine()}-{torch.backends.cpu.get_cpu_capability()}"


def compute(
    folder: Path,
    changes: Mapping[str, Any] | None = None,
    readings: Sequence[str] = READINGS,
    stages: Sequence[str] = STAGES,
) -> Curves:
    """Train teacher and student in every reading on the tiny corpus, with one thread.

    Args:
        folder: What is trained there already is not trained again.
        changes: Settings by dotted path that are other than in the recipe.
        readings: Those to train in.
        stages: The teacher alone, or both.
    """
    curves: Curves = {}
    encoder = folder / "encoder"
    if not encoder.exists():
        tiny.write_encoder(encoder)
        tiny.write_corpus(folder / "data")
    runtime = tiny.runtime(folder, folder / "data")
    for reading in readings:
        settings = tiny.settings(encoder) | RECIPE | dict(changes or {})
        config = build_config("paper", reading, settings)
        curves[reading] = {}
        for kind in stages:
            with StageRun(kind, config, runtime) as run:
                run.run()
                curves[reading][kind] = [_kept(row) for row in run.history]
    return curves


def _kept(row: Mapping[str, float]) -> dict[str, float]:
    """Return the losses and scores of an epoch."""
    return {name: value for name, value in row.items() if name.endswith(("_loss", "_f1"))}


def differences(one: Curves, other: Curves) -> Iterator[tuple[float, str]]:
    """Yield how much two curves differ at each place: relative difference, and the place."""
    for reading, stages in one.items():
        for kind, epochs in stages.items():
            for epoch, row in enumerate(epochs):
                for name, value in row.items():
                    expected = other[reading][kind][epoch][name]
                    scale = max(abs(value), abs(expected), 1e-9)
                    place = f"{reading} {kind}, epoch {epoch + 1}: {name} {value} for {expected}"
                    yield abs(value - expected) / scale, place


def nearest(own: str) -> tuple[dict[str, Any], float]:
    """Return the stored file of a family, or of the most similar one, and its tolerance."""
    machine = own.partition("-")[0]
    paths = sorted(FOLDER.glob("*.json"))
    path = min(paths, key=lambda p: (p.stem != own, not p.stem.startswith(f"{machine}-"), p.stem))
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    is_own = path.stem == own
    return stored, stored["tolerance" if is_own else "tolerance_on_another_family"]


def main() -> None:
    """Write the file of this family; say how far it is from what is stored."""
    with tempfile.TemporaryDirectory(prefix="prokd-golden-") as folder:
        curves = compute(Path(folder))
    for path in sorted(FOLDER.glob("*.json")):
        stored = json.loads(path.read_text(encoding="utf-8"))["curves"]
        known = {reading: curves[reading] for reading in curves.keys() & stored.keys()}
        most, place = max(differences(known, stored))
        print(f"{family()} and {path.stem}: at most {most:.2g} ({place})")
    content = {
        "family": family(),
        "torch": torch.__version__,
        "tolerance": TOLERANCE,
        "tolerance_on_another_family": OTHER_TOLERANCE,
        "curves": curves,
    }
    write_json(FOLDER / f"{family()}.json", content)


if __name__ == "__main__":
    main()
