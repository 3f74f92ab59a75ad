"""What a report says of a study, read from its journal and the folders of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from prokd.errors import UserError
from prokd.runs.folder import ORACLE, SOURCE_DEV
from search.choice import METHOD, method_in, point_of
from search.experiments import all_of
from search.report.effects import Group, groups
from search.report.origin import read_origin
from search.report.runs import Curve, Result, curves, mean_of, run_of
from search.results import heading
from search.study import read_trials

SIGNATURE, FOLDER, STAGE = "signature", "folder", "result_stage"
BEST = 5
"""Trials whose training curves are shown."""


@dataclass(frozen=True)
class Place:
    """A complete trial, by its rank.

    Args:
        rank: From 1.
        trial: As the study knows it.
        results: Of its seeds.
    """

    rank: int
    trial: FrozenTrial
    results: tuple[Result, ...]

    @property
    def name(self) -> str:
        """What figures call it."""
        method = method_in(self.trial.params)
        return f"rank {self.rank} (trial {self.trial.number}{', ' + method if method else ''})"

    @property
    def seconds(self) -> float | None:
        """What its training took, mean over seeds."""
        return mean_of([result.seconds for result in self.results])

    @property
    def energy(self) -> float | None:
        """What the devices took meanwhile, in kilojoules, mean over seeds, if it was measured."""
        joules = mean_of([result.energy_joules for result in self.results])
        return None if joules is None else joules / 1000

    def criterion(self, name: str) -> float | None:
        """Return a criterion, mean over seeds, of those that look at no target label."""
        return mean_of([result.criteria.get(name) for result in self.results])


class StudyData:
    """All that a report says of one study; every file is read, none is written.

    Args:
        output: Folder of ``studies/``, ``exports/`` and ``runs/``.
        name: Of the study.

    Raises:
        UserError: The journal cannot be read.
    """

    def __init__(self, output: Path, name: str) -> None:
        """Read the journal."""
        self.output, self.name = output, name
        path = output / "studies" / f"{name}.journal"
        try:
            self.trials = read_trials(path, name)
        except (ValueError, KeyError) as error:
            raise UserError(
                f"{path} must be the journal of the study {name}, but it cannot be read: {error}."
            ) from None
        self.origin = read_origin(path.with_suffix(".json"))

    @cached_property
    def places(self) -> list[Place]:
        """The leaderboard: complete trials, the earlier of equals first."""
        complete = [t for t in self.trials if t.state == TrialState.COMPLETE]
        ranked = sorted(complete, key=lambda trial: (-float(trial.value or 0.0), trial.number))
        return [Place(rank, t, self.results(t)) for rank, t in enumerate(ranked, start=1)]

    @cached_property
    def groups(self) -> list[Group]:
        """The trials by method, see `search.report.effects`."""
        return groups(self.trials)

    @cached_property
    def select(self) -> str:
        """The criterion that is the objective."""
        if "select" in self.origin:
            return str(self.origin["select"])
        known = {
            SOURCE_DEV,
            ORACLE,
            *(n for p in self.places for r in p.results for n in r.criteria),
        }
        return next((name for name in known if self.name.startswith(f"{name}-")), SOURCE_DEV)

    @property
    def objective(self) -> str:
        """What the objective is called."""
        return heading(self.select) + (" [0–1]" if self.select in (SOURCE_DEV, ORACLE) else "")

    @cached_property
    def configs(self) -> list[dict[str, Any]]:
        """The settings of all results that are there."""
        found = [r.config for p in self.places for r in p.results]
        return [config for config in found if config]

    @property
    def target(self) -> str:
        """The target language."""
        noted = self.origin.get("fixed", {}).get("target")
        return str(noted or (self.configs[0]["target"] if self.configs else "target"))

    @property
    def has_methods(self) -> bool:
        """Whether the study draws a method."""
        return any(METHOD in trial.params for trial in self.trials)

    def results(self, trial: FrozenTrial) -> tuple[Result, ...]:
        """Return what the seeds of a trial have left."""
        attributes, runs_dir = trial.user_attrs, self.output / "runs"
        before = [
            n.removesuffix(f"_{SIGNATURE}") for n in attributes if n.endswith(f"_{SIGNATURE}")
        ]
        found = []
        for place, signature in enumerate(attributes.get(SIGNATURE, [])):
            path = Path(attributes[FOLDER][place])
            stages = {
                name: run_of(runs_dir, own, path)
                for name in before
                for own in attributes[f"{name}_{SIGNATURE}"][place : place + 1]
            }
            last = run_of(runs_dir, signature, path)
            found.append(Result({**stages, attributes.get(STAGE, last.kind): last}))
        return tuple(found)

    def criteria(self) -> list[str]:
        """Return the criteria without target labels that all complete trials have."""
        known = [set(r.criteria) for p in self.places for r in p.results]
        names = dict.fromkeys(n for p in self.places[:1] for r in p.results for n in r.criteria)
        return [name for name in names if all(name in own for own in known)]

    def curves(self) -> list[Curve]:
        """Return the training curves of the best trials, means over seeds."""
        return [c for place in self.places[:BEST] for c in curves(place.name, place.results)]

    def costs(self) -> list[tuple[str, float, float]]:
        """Return label, seconds and objective of each place whose cost is known."""
        known = [(method_in(p.trial.params), p.seconds, p.trial.value) for p in self.places]
        return [(name, s, float(value or 0.0)) for name, s, value in known if s is not None]

    def space(self) -> Mapping[str, str]:
        """Return what is searched, in words, if that was noted."""
        found: Mapping[str, str] = self.origin.get("space", {})
        return found

    def fixed(self) -> dict[str, Any]:
        """Return the settings that were not searched: noted ones, else those all results share."""
        if "fixed" in self.origin:
            return {**self.origin["fixed"], "seeds": self.origin["seeds"]}
        searched = {path for place in self.places for path in point_of(place.trial.params)}
        first = self.configs[0] if self.configs else {}
        return {
            path: value
            for path, value in first.items()
            if path not in searched
            and path != "seed"
            and all(config.get(path) == value for config in self.configs)
        }

    def fingerprints(self) -> dict[str, str]:
        """Return the hashes of what was read: noted ones, else those of the runs."""
        noted: dict[str, str] = dict(self.origin.get("data", {}))
        best = [result for place in self.places[:BEST] for result in place.results]
        return noted or all_of(result.fingerprints() for result in best)
