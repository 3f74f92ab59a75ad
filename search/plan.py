"""What a list of experiments needs: distinct teachers and students, done and missing, the cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prokd.common.files import read_json
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.runs.folder import KINDS, Kind, RunFolder
from prokd.runs.within_memory import noted, run_signature, within_memory

Measured = Callable[[Kind], float | None]
"""From a kind of run to the seconds that an epoch of it takes; None = they cannot be told."""
if TYPE_CHECKING:
    from search.datasets import DataSet


class DataDescriptions:
    """Fingerprints of what experiments read; each corpus and encoder is hashed once.

    Reading them loads the data, so that a mistake in it shows before anything is started.
    """

    def __init__(self, runtime: RuntimeConfig) -> None:
        """Remember where things lie; nothing is read yet."""
        self.runtime = runtime
        self._training: dict[str, dict[str, str]] = {}
        self._not_scored: dict[str, dict[str, str]] = {}
        self._reports: dict[str, str] = {}
        self._oracles: dict[str, str] = {}
        self._datasets: dict[tuple[str, bool, bool], tuple[DataSet, ...]] = {}

    def training(self, config: ExperimentConfig) -> dict[str, str]:
        """Return the hashes of all that training reads; no target label is among it.

        Raises:
            UserError: Anything wrong with what is there, labelled test splits among it.
        """
        name = self._name(config)
        if name not in self._training:
            from prokd.training.corpora import Corpora

            corpora = Corpora(config, self.runtime)
            corpora.check()
            self._training[name] = corpora.fingerprints()
            self._not_scored[name] = corpora.not_scored()
        return self._training[name]

    def read(self, config: ExperimentConfig, *, oracle: bool) -> None:
        """Read what an experiment needs; with labelled target dev only for an oracle."""
        self.training(config)
        if oracle:
            self.oracle(config)

    def not_scored(self, config: ExperimentConfig) -> dict[str, str]:
        """Return the languages that have no labelled test split, with the reason."""
        self.training(config)
        return self._not_scored[self._name(config)]

    def report(self, config: ExperimentConfig) -> str:
        """Return the hash of the labelled test corpora, which nothing but reports may read."""
        name = self._name(config)
        if name not in self._reports:
            from prokd.training.corpora import Corpora

            self._reports[name] = Corpora(config, self.runtime).report_fingerprint()
        return self._reports[name]

    def oracle(self, config: ExperimentConfig) -> str:
        """Return the hash of labelled target dev, which nothing but an oracle may read."""
        name = self._name(config)
        if name not in self._oracles:
            from prokd.training.corpora import Corpora

            corpora = Corpora(config, self.runtime)
            corpora.check(oracle=True)
            self._oracles[name] = corpora.oracle_fingerprint()
        return self._oracles[name]

    def datasets(self, config: ExperimentConfig, oracle: bool = False) -> tuple[DataSet, ...]:
        """Return all that the stage runs of an experiment read, the oracle if it is asked for."""
        key = (self._name(config), config.teacher.alignment.weight > 0, oracle)
        if key not in self._datasets:
            from prokd.training.corpora import Corpora
            from search.datasets import read_by

            self._datasets[key] = read_by(config, Corpora(config, self.runtime), oracle=oracle)
        return self._datasets[key]

    @staticmethod
    def _name(config: ExperimentConfig) -> str:
        encoder = config.encoder.name, config.encoder.frozen_layers
        return repr((config.source, config.target, config.data, encoder))


@dataclass(frozen=True)
class Experiment:
    """One configuration, its place among others, and the folders of its two runs.

    Args:
        name: What it is called where it is logged, e.g. "trial 3 seed 0".
        config: The settings as they are asked for, the seed among them.
        data: Fingerprints of what it reads.
        runs_dir: Folder of all runs.
        variant: Named alternative that it belongs to ("full" for the method itself).
        tags: Of its MLflow runs, which keep those of whoever wants them first.
        parent_run: Key of the MLflow run under which its stage runs are nested, if there is one.
        used_by: Variants that have the same run, this one among them, by kind of run.
    """

    name: str
    config: ExperimentConfig
    data: Mapping[str, str]
    runs_dir: Path
    variant: str = "full"
    tags: Mapping[str, str] = field(default_factory=dict)
    parent_run: str | None = None
    used_by: Mapping[Kind, Sequence[str]] = field(default_factory=dict)

    @property
    def teacher(self) -> RunFolder:
        """Folder of the teacher's run, see `folder`."""
        return self.folder("teacher")

    @property
    def student(self) -> RunFolder:
        """Folder of the student's run, see `folder`."""
        return self.folder("student")

    @property
    def effective(self) -> ExperimentConfig:
        """The settings that its runs go on with, where they did not fit into memory as asked."""
        asked = [RunFolder(self.runs_dir, kind, name) for kind, name in self._keys.items()]
        if all(noted(folder) is None for folder in asked):
            return self.config  # without hashing anything anew
        return within_memory(self.config, self.data, self.runs_dir)

    def folder(self, kind: Kind) -> RunFolder:
        """Return the folder of a run: another one from when it did not fit into memory."""
        config = self.effective
        name = self.key(kind) if config is self.config else run_signature(kind, config, self.data)
        return RunFolder(self.runs_dir, kind, name)

    def key(self, kind: Kind) -> str:
        """Return the signature of one of the two runs as it was asked for, which never changes."""
        return self._keys[kind]

    @cached_property
    def _keys(self) -> dict[Kind, str]:
        return {kind: run_signature(kind, self.config, self.data) for kind in KINDS}


@dataclass(frozen=True)
class Need:
    """The distinct runs of one kind.

    Args:
        kind: ``teacher`` or ``student``.
        total: Number of distinct runs.
        done: Number of finished ones.
        collapsed: Number of those that are known to collapse.
        begun: Number of those that go on from a checkpoint.
        seconds: Estimated seconds of training that are left, all together; None = unknown.
        is_measured: Whether that is of a few steps on this machine, not of finished runs alone.
    """

    kind: Kind
    total: int
    done: int
    collapsed: int
    begun: int
    seconds: float | None
    is_measured: bool = False

    @property
    def missing(self) -> int:
        """Number of runs to train, from the start or on."""
        return self.total - self.done - self.collapsed


def need(experiments: Sequence[Experiment], kind: Kind, measured: Measured | None = None) -> Need:
    """Count the distinct runs of a kind and estimate what is left from finished runs like them.

    Args:
        experiments: Any configurations.
        kind: Which of their two runs.
        measured: Is asked for the seconds of an epoch where no finished run is like one.
    """
    distinct = {e.key(kind): e for e in experiments}
    folders = {name: e.folder(kind) for name, e in distinct.items()}
    done = {name for name, f in folders.items() if f.done}
    over = {name for name, f in folders.items() if f.failure() is not None}
    collapsed = over - done
    seconds: float | None = 0.0
    rates: dict[str, float | None] = {}
    is_measured = False
    for name, experiment in distinct.items():
        if name in done or name in collapsed or seconds is None:
            continue
        likeness = _likeness(kind, experiment.data, experiment.config.model_dump()[kind])
        if likeness not in rates:
            rates[likeness] = _seconds_per_epoch(experiment.runs_dir, kind, likeness)
            if rates[likeness] is None and measured is not None:
                rates[likeness] = measured(kind)
                is_measured = rates[likeness] is not None
        rate = rates[likeness]
        settings = getattr(experiment.config, kind)
        left = settings.epochs - len(folders[name].history())
        seconds = None if rate is None else seconds + rate * left
    return Need(
        kind=kind,
        total=len(folders),
        done=len(done),
        collapsed=len(collapsed),
        begun=sum(f.started and name not in done | over for name, f in folders.items()),
        seconds=seconds,
        is_measured=is_measured,
    )


def _likeness(kind: Kind, data: Mapping[str, str], stage: Mapping[str, Any]) -> str:
    """What two runs share if their epochs take about equally long."""
    corpus = "source_train" if kind == "teacher" else "target_train"
    return repr((data[corpus], data["encoder"], stage["batch_sentences"], stage["batch_tokens"]))


def _seconds_per_epoch(runs_dir: Path, kind: Kind, likeness: str) -> float | None:
    rates = []
    for path in runs_dir.glob(f"{kind}-*"):
        folder = RunFolder(runs_dir, kind, path.name.removeprefix(f"{kind}-"))
        identity, result = read_json(path / "identity.json"), folder.result()
        if (
            identity
            and result
            and _likeness(kind, identity["fingerprints"], identity[kind]) == likeness
        ):
            rates.append(result["seconds"] / result["epochs"])
    return sum(rates) / len(rates) if rates else None


def describe(needs: Sequence[Need], width: int | None) -> list[str]:
    """Write needs and the estimated cost as lines for a reader.

    Args:
        needs: Of teachers and students.
        width: Runs that train at the same time, if it is known.
    """
    lines, total = [], 0.0
    unknown = False
    for item in needs:
        parts = [f"{item.done} done"]
        if item.collapsed:
            parts.append(f"{item.collapsed} collapsed")
        parts.append(f"{item.missing} to train")
        if item.begun:
            parts.append(f"{item.begun} of them from a checkpoint")
        lines.append(f"{item.kind}s: {item.total} ({', '.join(parts)})")
        unknown |= item.seconds is None
        total += item.seconds or 0.0
    if unknown:
        lines.append(
            "estimated cost: unknown (no finished run like these, and none can be measured here)"
        )
    else:
        at_once = f", {duration(total / width)} with {width} runs at a time" if width else ""
        how = " (measured on a few steps here)" if any(n.is_measured for n in needs) else ""
        lines.append(f"estimated cost: {duration(total)} of training{at_once}{how}")
    return lines


def duration(seconds: float) -> str:
    """Write a time in words.

    >>> duration(5), duration(125), duration(7260)
    ('5 s', '2 min 5 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
