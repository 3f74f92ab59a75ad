"""What is searched, and what that needs: counted before anything is started."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial

from prokd.common.names import flatten
from prokd.config import ExperimentConfig, with_overrides, with_precision
from prokd.config.settings import AutocastType
from prokd.methods import DEFAULT, graph_of, method_of, needed_corpora
from prokd.runs.effect import BY_CONTENT
from prokd.runs.folder import ORACLE, SOURCE_DEV
from prokd.runs.identity import signature
from search.choice import (
    MARK,
    METHOD,
    Point,
    Space,
    alternatives,
    method_in,
    parameter,
    settings_of,
)
from search.experiments import DataDescriptions, Experiment, all_of, languages_of
from search.plan import Measured, describe, disk_line, needs_of
from search.spaces import drawn, in_words, ordered, points, ranges, readers, symbols
from search.study import read_points

Reading = Callable[[ExperimentConfig], Mapping[str, str]]
"""From an experiment to the fingerprints of what it reads: `DataDescriptions.training`."""


@dataclass(frozen=True)
class SearchSpec:
    """What is searched.

    Args:
        base: Every setting that is not searched; its seed is replaced.
        space: What is searched.
        seeds: The objective of a point is the mean over them.
        grid: Whether all points are visited, instead of sampled by TPE.
        trials: Number of points in all, those of earlier starts included.
        select: The criterion that is the objective, see `search.criteria.criteria_of`.
        prune: Whether results that fall behind are not trained to their end.
        others: The same as `base` of further methods, where several are searched; `space` is
            that of all (`search.choice.joined`) then. Data and encoder are those of `base`.
    """

    base: ExperimentConfig
    space: Space
    seeds: tuple[int, ...]
    grid: bool
    trials: int
    select: str = SOURCE_DEV
    prune: bool = False
    others: tuple[ExperimentConfig, ...] = ()

    @classmethod
    def of(cls, bases: Sequence[ExperimentConfig], *others: Any) -> SearchSpec:
        """Return the search over some methods, whose further arguments are those of the class."""
        first, *more = bases
        return replace(cls(first, *others), others=tuple(more))

    @property
    def bases(self) -> dict[str, ExperimentConfig]:
        """Every setting that is not searched, by method."""
        return {config.method: config for config in (self.base, *self.others)}

    @property
    def methods(self) -> str:
        """The names of the methods, e.g. "tsl+msd"."""
        return "+".join(self.bases)

    @property
    def title(self) -> str:
        """Methods, unless it is the default alone, data set and languages."""
        own = "" if self.methods == DEFAULT else f"{self.methods} "
        return f"{own}{self.base.data.dataset} {languages_of(self.base)}"

    def settled(self, precision: AutocastType) -> SearchSpec:
        """Return the search as it is trained where ``auto`` stands for a precision."""
        others = tuple(with_precision(config, precision) for config in self.others)
        return replace(self, base=with_precision(self.base, precision), others=others)

    def method_of(self, trial: FrozenTrial) -> str:
        """Return the name of a trial's method."""
        return method_in(trial.params) or self.base.method

    def base_of(self, params: Mapping[str, Any]) -> ExperimentConfig:
        """Return what a trial's settings stand beside: the settings of its method."""
        return self.bases[method_in(params) or self.base.method]

    def result_epochs(self) -> dict[str, int]:
        """Return the number of epochs of a result, by the methods that a trial may draw."""
        found = {}
        for name in alternatives(self.space):
            config = self.base_of({METHOD: name})
            graph = graph_of(config)
            found[name] = graph.stage(graph.result).settings(config).epochs
        return found

    def data(self, descriptions: DataDescriptions) -> dict[str, str]:
        """Return the hashes of all that training reads, see `DataDescriptions.training`."""
        return all_of(map(descriptions.training, self.readers))

    @cached_property
    def readers(self) -> list[ExperimentConfig]:
        """The bases, and what reads other things: experiments at the ends of the space."""
        return [one for name in alternatives(self.space) for one in self._readers_of(name, {})]

    def _readers_of(self, method: str, own: Mapping[str, Any]) -> list[ExperimentConfig]:
        """Return the same of one method ("" = the only one), some of whose settings are given."""
        key = method, repr(sorted(own.items()))
        if key not in self._known_readers:
            base = with_overrides(self.base_of({METHOD: method} if method else {}), own)
            space = alternatives(self.space)[method]
            free = [p for p in space if p != METHOD and p.rpartition(MARK)[2] not in own]
            rest = {p: space[p] for p in free}
            self._known_readers[key] = readers(base, rest)
        return self._known_readers[key]

    @cached_property
    def _known_readers(self) -> dict[tuple[str, str], list[ExperimentConfig]]:
        return {}

    def fixed(self) -> dict[str, Any]:
        """Return the settings that are not searched, but the seed, as a study would call them."""
        return {
            parameter(self.space, method, path): value
            for method, config in self.bases.items()
            for path, value in flatten(config.model_dump(mode="json", exclude={"seed"})).items()
            if parameter(self.space, method, path) not in self.space
        }

    def study_name(self, descriptions: DataDescriptions) -> str:
        """Return the name under which the same search is found again; it must be `settled`."""
        assert self.base.encoder.precision != "auto", "searches on CPU and GPU share no study"
        data = self.data(descriptions)
        if self.select == ORACLE:
            data["target_dev"] = descriptions.oracle(self.base)
        encoders = {parameter(self.space, method, "encoder.name") for method in self.bases}
        identity = {
            # The encoder enters by its fingerprint.
            "settings": {k: v for k, v in self.fixed().items() if k not in encoders},
            "data": data,
            "space": {path: distribution_to_json(v) for path, v in self.space.items()},
            "seeds": list(self.seeds),
            **({"prune": True} if self.prune else {}),
        }
        kind = "grid" if self.grid else "tpe"
        own = "" if self.methods == DEFAULT else f"{self.methods}-"
        place = f"{own}{self.base.data.dataset}-{languages_of(self.base)}"
        name = f"{place}-{kind}-{signature(identity)[:8]}"
        return name if self.select == SOURCE_DEV else f"{self.select}-{name}"

    def _read_by(self, params: Mapping[str, Any], read: Reading) -> dict[str, str]:
        """Return what a trial may read: of what acts by content alone, its own."""
        by_content = {*BY_CONTENT, *method_of(self.base_of(params)).indirect} - {METHOD}
        own = {p: value for p, value in settings_of(params).items() if p in by_content}
        return all_of(map(read, self._readers_of(method_in(params) or "", own)))

    def experiments(
        self, name: str, params: Mapping[str, Any], read: Reading, runs_dir: Path
    ) -> list[Experiment]:
        """Return the experiments of a trial, one for each seed.

        Args:
            name: What they are called, less the seed.
            params: The trial's parameters.
            read: Tells the fingerprints of what an experiment reads.
            runs_dir: Folder of all runs.
        """
        config = with_overrides(self.base_of(params), settings_of(params))
        data = self._read_by(params, read)
        data = {name: data[name] for name in needed_corpora(config) if name in data}
        return [
            Experiment(
                name=f"{name} seed {seed}",
                config=with_overrides(config, {"seed": seed}),
                data=data,
                runs_dir=runs_dir,
            )
            for seed in self.seeds
        ]


def preview(spec: SearchSpec, descriptions: DataDescriptions, output: Path) -> list[Experiment]:
    """Return the experiments that a search will need, without starting anything.

    For TPE the points of trials that exist are known; the others are stood in for by points of
    the grid that no trial has, or by points drawn at random where there is a range.
    """
    name = spec.study_name(descriptions)
    known = read_points(output / "studies" / f"{name}.journal", name)
    others = stand_ins(spec, known, max(1, spec.trials - len(known)))
    runs_dir = descriptions.runtime.runs_dir.resolve()
    chosen = [*known, *others][: max(spec.trials, len(known))]
    return [
        e for point in chosen for e in spec.experiments("", point, descriptions.training, runs_dir)
    ]


def stand_ins(spec: SearchSpec, known: Sequence[Point], number: int) -> list[Point]:
    """Return points that stand for those which a search has not asked for yet.

    Args:
        spec: What is searched.
        known: Points that have a trial.
        number: How many there are to come.
    """
    if number < 1:
        return []
    pool = drawn(spec.space, number) if ranges(spec.space) else points(spec.space)
    others: list[Point] = [point for point in pool if point not in known]
    return others[:: max(1, len(others) // number)][:number]


def plan_lines(
    spec: SearchSpec,
    descriptions: DataDescriptions,
    output: Path,
    exports: int = 1,
    measured: Measured | None = None,
) -> Iterator[str]:
    """Yield what a search needs, what of it is done and what the rest will cost."""
    experiments = preview(spec, descriptions, output)
    seeds = f"{len(spec.seeds)} seed{'s' if len(spec.seeds) > 1 else ''}"
    how = "of the grid" if spec.grid else "by TPE; counted for an even spread of points"
    yield f"{spec.title}: {spec.trials} trials x {seeds}, {how}"
    for name in ordered(spec.space):
        path = name.rpartition(MARK)[2]
        symbol = f" ({symbols()[path]})" if path in symbols() else ""
        yield f"  {name}{symbol}: {in_words(spec.space[name])}"
    needs = needs_of(experiments, measured)
    for line in describe(needs, None):
        yield f"  {line}"
    yield f"  {disk_line(spec.base, sum(item.missing for item in needs), exports)}"
