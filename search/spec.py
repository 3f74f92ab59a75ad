"""What is searched, and what that needs: counted before anything is started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from optuna.distributions import distribution_to_json

from prokd.config import ExperimentConfig, with_overrides, with_precision
from prokd.config.settings import AutocastType
from prokd.methods import DEFAULT
from prokd.runs.effect import flatten
from prokd.runs.folder import ORACLE, SOURCE_DEV
from prokd.runs.identity import signature
from search.experiments import DataDescriptions, Experiment, languages_of
from search.plan import Measured, describe, needs_of
from search.spaces import Point, Space, drawn, in_words, ordered, points, ranges, symbols
from search.study import read_points


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
    """

    base: ExperimentConfig
    space: Space
    seeds: tuple[int, ...]
    grid: bool
    trials: int
    select: str = SOURCE_DEV
    prune: bool = False

    @property
    def title(self) -> str:
        """Method, unless it is the default, data set and languages."""
        own = "" if self.base.method == DEFAULT else f"{self.base.method} "
        return f"{own}{self.base.data.dataset} {languages_of(self.base)}"

    def settled(self, precision: AutocastType) -> SearchSpec:
        """Return the search as it is trained where ``auto`` stands for a precision."""
        return replace(self, base=with_precision(self.base, precision))

    def study_name(self, descriptions: DataDescriptions) -> str:
        """Return the name under which the same search is found again; it must be `settled`."""
        assert self.base.encoder.precision != "auto", "searches on CPU and GPU share no study"
        data = dict(descriptions.training(self.base))
        if self.select == ORACLE:
            data["target_dev"] = descriptions.oracle(self.base)
        settings = self.base.model_dump(exclude={"seed"})
        del settings["encoder"]["name"]  # the encoder enters by its fingerprint
        identity = {
            "settings": {k: v for k, v in flatten(settings).items() if k not in self.space},
            "data": data,
            "space": {path: distribution_to_json(v) for path, v in self.space.items()},
            "seeds": list(self.seeds),
            **({"prune": True} if self.prune else {}),
        }
        kind = "grid" if self.grid else "tpe"
        own = "" if self.base.method == DEFAULT else f"{self.base.method}-"
        place = f"{own}{self.base.data.dataset}-{languages_of(self.base)}"
        name = f"{place}-{kind}-{signature(identity)[:8]}"
        return name if self.select == SOURCE_DEV else f"{self.select}-{name}"

    def experiments(
        self, name: str, point: Point, data: Mapping[str, str], runs_dir: Path
    ) -> list[Experiment]:
        """Return the experiments of a point, one for each seed."""
        return [
            Experiment(
                name=f"{name} seed {seed}",
                config=with_overrides(self.base, {**point, "seed": seed}),
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
    data = descriptions.training(spec.base)
    name = spec.study_name(descriptions)
    known = read_points(output / "studies" / f"{name}.journal", name)
    others = stand_ins(spec, known, max(1, spec.trials - len(known)))
    runs_dir = descriptions.runtime.runs_dir.resolve()
    chosen = [*known, *others][: max(spec.trials, len(known))]
    return [e for point in chosen for e in spec.experiments("", point, data, runs_dir)]


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
    for path in ordered(spec.space):
        symbol = f" ({symbols()[path]})" if path in symbols() else ""
        yield f"  {path}{symbol}: {in_words(spec.space[path])}"
    needs = needs_of(experiments, measured)
    for line in describe(needs, None):
        yield f"  {line}"
    yield f"  {disk_line(spec.base, sum(item.missing for item in needs), exports)}"


def disk_line(config: ExperimentConfig, missing: int, exports: int) -> str:
    """Write how much disk a search will take: what stays, and what comes and goes meanwhile."""
    from prokd.training.sizes import run_sizes

    sizes = run_sizes(config.encoder)
    copies = 2 if os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http") else 1
    runs, exported = copies * missing * sizes.artifact, 2 * exports * sizes.export
    return (
        f"disk: {_bytes(runs)} for {missing} runs and {_bytes(exported)} for exports will stay; "
        f"meanwhile at most {_bytes(sizes.checkpoints)} of checkpoints for each run at work"
    )


def _bytes(number: float) -> str:
    """Write a size in words.

    >>> _bytes(2_500_000), _bytes(3_210_000_000)
    ('2.5 MB', '3.2 GB')
    """
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
