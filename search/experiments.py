"""Experiments of a search or an ablation: their runs, and fingerprints of what these read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.method import Graph
from prokd.methods import graph_of, method_of, reading_key
from prokd.runs.folder import RunFolder
from prokd.runs.identity import NONE, Parts, in_parts, stage_signature
from prokd.runs.within_memory import noted, run_folder, within_memory

if TYPE_CHECKING:
    from search.records.datasets import DataSet


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
        self._datasets: dict[tuple[str, str, bool], tuple[DataSet, ...]] = {}

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
        reads = [spec.reads(spec.view(config)) for spec in graph_of(config).stages]
        key = (self._name(config), repr(reads), oracle)
        if key not in self._datasets:
            from prokd.training.corpora import Corpora
            from search.records.datasets import read_by

            self._datasets[key] = read_by(config, Corpora(config, self.runtime), oracle=oracle)
        return self._datasets[key]

    @staticmethod
    def _name(config: ExperimentConfig) -> str:
        return repr((config.encoder.frozen_layers, reading_key(config)))


@dataclass(frozen=True)
class Cost:
    """What the stages of an experiment took, those that it shares with others included.

    Args:
        seconds: Of all epochs, scoring on source dev in.
        peak_memory_mb: Of the stage that took most.
        epochs: Of all stages together.
        energy_joules: What the devices took meanwhile, as they count it; None if one is unknown.
    """

    seconds: float
    peak_memory_mb: float
    epochs: int
    energy_joules: float | None = None


@dataclass(frozen=True)
class Experiment:
    """One configuration, its place among others, and the folders of its stages' runs.

    Args:
        name: What it is called where it is logged, e.g. "trial 3 seed 0".
        config: The settings as they are asked for, the seed among them.
        data: Fingerprints of what it reads.
        runs_dir: Folder of all runs.
        variant: Named alternative that it belongs to ("full" for the method itself).
        tags: Of its MLflow runs, which keep those of whoever wants them first.
        parent_run: Key of the MLflow run under which its stage runs are nested, if there is one.
        used_by: Variants that have the same run, this one among them, by stage.
    """

    name: str
    config: ExperimentConfig
    data: Mapping[str, str]
    runs_dir: Path
    variant: str = "full"
    tags: Mapping[str, str] = field(default_factory=dict)
    parent_run: str | None = None
    used_by: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def graph(self) -> Graph:
        """Its stages."""
        return graph_of(self.config)

    @property
    def result_stage(self) -> str:
        """The stage whose model is scored, chosen and exported."""
        return self.graph.result

    @property
    def transfer_stage(self) -> str | None:
        """The stage whose score on the target stands beside the result's, if there is one."""
        name = method_of(self.config).transfer
        return name if name in self.graph.names and name != self.result_stage else None

    @property
    def result(self) -> RunFolder:
        """Folder of the result's run, see `folder`."""
        return self.folder(self.result_stage)

    @property
    def transfer(self) -> RunFolder | None:
        """Folder of the run that `transfer_stage` names."""
        name = self.transfer_stage
        return None if name is None else self.folder(name)

    @property
    def effective(self) -> ExperimentConfig:
        """The settings that its result goes on with, where that did not fit into memory."""
        return in_parts(self.config, self.result_stage, self._parts())

    def view(self, stage: str) -> ExperimentConfig:
        """Return the settings as a stage sees them."""
        return self.graph.stage(stage).view(self.config)

    def folder(self, stage: str) -> RunFolder:
        """Return the folder of a stage's run: another one from when it did not fit into memory."""
        parts = self._parts()
        if not parts:
            return RunFolder(self.runs_dir, self.graph.stage(stage).kind, self.key(stage))
        return run_folder(self.runs_dir, self.config, stage, self.data, parts)

    def key(self, stage: str) -> str:
        """Return the signature of a stage's run as it was asked for, which never changes."""
        return self._keys[stage]

    def cost(self) -> Cost | None:
        """Return what its stages took; None where one has no result."""
        results = [self.folder(name).result() for name in self.graph.names]
        known = [result for result in results if result is not None]
        if len(known) < len(results):
            return None
        return Cost(
            seconds=sum(result["seconds"] for result in known),
            peak_memory_mb=max(result.get("peak_memory_mb", 0.0) for result in known),
            epochs=sum(result["epochs"] for result in known),
            energy_joules=total([result.get("energy_joules") for result in known]),
        )

    def epochs(self, stage: str) -> int:
        """Return the number of epochs of a whole run."""
        return self.graph.stage(stage).settings(self.config).epochs

    def _parts(self) -> Parts:
        """Return which stages go on in parts, for they did not fit into memory as asked."""
        asked = [RunFolder(self.runs_dir, s.kind, self.key(s.name)) for s in self.graph.stages]
        if all(noted(folder) is None for folder in asked):
            return NONE  # without hashing anything anew
        return within_memory(self.config, self.data, self.runs_dir)

    @cached_property
    def _keys(self) -> dict[str, str]:
        return {name: stage_signature(self.config, name, self.data) for name in self.graph.names}


def stages_of(experiments: Sequence[Experiment]) -> list[str]:
    """Return the names of all stages of some experiments, each once, earlier ones first."""
    places: dict[str, int] = {}
    for experiment in experiments:
        for place, name in enumerate(experiment.graph.names):
            places[name] = max(places.get(name, 0), place)
    return sorted(places, key=places.__getitem__)


def languages_of(config: ExperimentConfig) -> str:
    """Return the languages of an experiment as names have them, e.g. "en-ar" or "en+de-ar"."""
    return f"{'+'.join(config.sources)}-{config.target}"


def all_of(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return all fingerprints of some, by name of what is read.

    What another reads under the same name (other sentences, say) has its own in the name.

    >>> all_of([{"encoder": "ab"}, {"encoder": "ab", "text": "cd"}, {"text": "ef"}])
    {'encoder': 'ab', 'text': 'cd', 'text:ef': 'ef'}
    """
    found: dict[str, str] = {}
    for name, value in (item for part in parts for item in part.items()):
        if found.setdefault(name, value) != value:
            found[f"{name}:{value}"] = value
    return found


def total(values: Sequence[float | None]) -> float | None:
    """Return a sum; None where a part is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
