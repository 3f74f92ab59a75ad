"""What a report reads from the folders of runs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from prokd.common.files import read_json
from prokd.common.names import flatten
from prokd.runs.folder import SOURCE_DEV, RunFolder
from search.experiments import all_of, total

Points = tuple[tuple[float, float], ...]
SOURCE_DEV_F1 = "source-dev F1"
"""What the curve of entity F1 on source dev is called."""


@dataclass(frozen=True)
class Curve:
    """A metric of a stage by epoch.

    Args:
        label: What ran, e.g. "rank 1, trial 4".
        stage: Name of the stage.
        metric: `SOURCE_DEV_F1`, or the name of a loss.
        points: Epoch and value; F1 is in [0, 1].
    """

    label: str
    stage: str
    metric: str
    points: Points


@dataclass(frozen=True)
class Result:
    """What one experiment has left; each file is read once.

    Args:
        stages: Its runs by name of the stage, the result last.
    """

    stages: Mapping[str, RunFolder]

    @property
    def last(self) -> RunFolder:
        """The run of the result."""
        return list(self.stages.values())[-1]

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings by dotted path; empty if the folder was removed."""
        return flatten(read_json(self.last.path / "config.json") or {})

    @cached_property
    def criteria(self) -> dict[str, float]:
        """What looks at no target label, by name; empty before the end."""
        found = self.last.result() or {}
        known = found.get("criteria", {}) or {}
        return {SOURCE_DEV: found["objective"], **known} if found else {}

    def target_f1(self, target: str) -> float | None:
        """Return entity F1 on a target's test split, in [0, 1].

        The settings of a run that several targets share are those of the first.
        """
        metrics = (self.last.report() or {}).get("metrics", {})
        value: float | None = metrics.get(f"test/{target}/entity_f1")
        return value

    @cached_property
    def seconds(self) -> float | None:
        """What the training of all stages took, shared ones included; None before the end."""
        return self._sum("seconds")

    @cached_property
    def energy_joules(self) -> float | None:
        """What the devices took meanwhile; None before the end, or if that was not measured."""
        return self._sum("energy_joules")

    def _sum(self, name: str) -> float | None:
        return total([(folder.result() or {}).get(name) for folder in self.stages.values()])

    def fingerprints(self) -> dict[str, str]:
        """Return the hashes of all that its runs have read."""
        identities = [folder.identity() or {} for folder in self.stages.values()]
        return all_of(identity.get("fingerprints", {}) for identity in identities)


def run_of(runs_dir: Path, signature: str, result: Path) -> RunFolder:
    """Return the folder of a run, known by its signature.

    Args:
        runs_dir: Folder of all runs.
        signature: Of the run.
        result: Where its experiment's result lay when that was written: the run is looked for
            beside it if it is not in `runs_dir`.
    """
    for place in (runs_dir, result.parent):
        for path in place.glob(f"*-{signature}"):
            return RunFolder(place, path.name.removesuffix(f"-{signature}"), signature)
    return RunFolder(runs_dir, result.name.rpartition("-")[0] or "run", signature)


def curves(label: str, results: Sequence[Result]) -> list[Curve]:
    """Return the curves of every stage, means over some results that have the epoch.

    Args:
        label: What they are called.
        results: Of one trial or variant: its seeds, say.
    """
    found: dict[tuple[str, str], dict[float, list[float]]] = {}
    seen: set[tuple[str, str]] = set()
    for result in results:
        for stage, folder in result.stages.items():
            if (stage, folder.signature) in seen:
                continue
            seen.add((stage, folder.signature))
            for place, metrics in enumerate(folder.history(), start=1):
                for name, value in metrics.items():
                    if metric := _shown(name):
                        by_epoch = found.setdefault((stage, metric), {})
                        by_epoch.setdefault(metrics.get("epoch", place), []).append(value)
    return [
        Curve(label, stage, metric, tuple((e, statistics.fmean(v)) for e, v in sorted(p.items())))
        for (stage, metric), p in found.items()
    ]


def _shown(name: str) -> str | None:
    if name.startswith("dev/") and name.endswith("/entity_f1"):
        return SOURCE_DEV_F1
    last = name.rsplit("/", 1)[-1]
    return last.replace("_", " ") if "loss" in last else None


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return a mean; None where a part is not known."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def with_deviation(values: Sequence[float | None]) -> str:
    """Write mean and standard deviation of scores; a dash where a part is not known.

    >>> with_deviation([0.5, 0.7]), with_deviation([0.5]), with_deviation([0.5, None])
    ('0.6000 ± 0.1414', '0.5000', '–')
    """
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return "–"
    deviation = f" ± {statistics.stdev(known):.4f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.4f}{deviation}"
