"""From a spec and the command's options to configurations, by variant and language."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ablations.spec import AblationSpec
from prokd.config import ExperimentConfig, with_overrides, with_precision
from prokd.config.settings import AutocastType
from prokd.errors import UserError
from prokd.methods import DEFAULT
from prokd.runs.folder import SOURCE_DEV
from prokd.runs.identity import signature
from prokd.runs.known import run_in
from search.choice import settings_of
from search.experiments import DataDescriptions, languages_of
from search.leaderboard_file import LEADERBOARD, First, read_first
from search.spaces import Point


@dataclass(frozen=True)
class AblationPlan:
    """What is going to be compared.

    Args:
        spec: The variants.
        bases: The method's settings, one configuration for each target language.
        seeds: Of every variant.
        precision: What ``encoder.precision = auto`` stands for; None = not known yet.
    """

    spec: AblationSpec
    bases: tuple[ExperimentConfig, ...]
    seeds: tuple[int, ...]
    precision: AutocastType | None = None

    @property
    def languages(self) -> list[str]:
        """The targets, in order."""
        return [base.target for base in self.bases]

    @property
    def stem(self) -> str:
        """Name of the report: spec, data set, source and targets."""
        base = self.bases[0]
        sources = "+".join(base.sources)
        return f"{self.spec.name}-{base.data.dataset}-{sources}-{'-'.join(self.languages)}"

    @property
    def signature(self) -> str:
        """Hash of all settings but the seeds: 8 hex digits."""
        configs = self.configs().values()
        settings = [config.model_dump(mode="json", exclude={"seed"}) for config in configs]
        return signature(settings)[:8]

    def configs(self) -> dict[tuple[str, str], ExperimentConfig]:
        """Return the configurations by variant and language, language by language."""
        return {
            (variant, base.target): self._settled(self.spec.config(base, variant))
            for base in self.bases
            for variant in self.spec.variants
        }

    def _settled(self, config: ExperimentConfig) -> ExperimentConfig:
        return config if self.precision is None else with_precision(config, self.precision)


def best_point(
    config: ExperimentConfig, descriptions: DataDescriptions, exports: Path
) -> tuple[Point, Path]:
    """Return the best point that a search of the same data and encoder has found.

    Args:
        config: Names data set, source, target and encoder.
        descriptions: Fingerprints of them; searches on other data are passed over.
        exports: The folder of leaderboards, as `search` writes them.

    Returns:
        The point and the leaderboard that it stands on: the one whose first place has the
        highest F1 on source dev.

    Raises:
        UserError: There is no such leaderboard.
    """
    own = "" if config.method == DEFAULT else f"{config.method}-"
    pattern = f"{own}{config.data.dataset}-{languages_of(config)}-*/{LEADERBOARD}"
    found: list[tuple[float, Point, Path]] = []
    alone = set(exports.glob(pattern))
    for path in sorted(alone.union(exports.glob(f"*+*-{pattern.removeprefix(own)}"))):
        first = read_first(path, config.method)
        is_own = first is not None and (path in alone or first.method is not None)
        if first is None or not is_own or first.select != SOURCE_DEV:
            continue
        if _read_the_same(first, config, descriptions):
            found.append((first.source_dev, first.point, path))
    if not found:
        raise UserError(
            f"--from-best needs a leaderboard of a search on the same data and encoder, "
            f"but there is none at {exports / pattern}; run search/run.py first."
        )
    _, point, path = max(found, key=lambda item: item[0])
    return point, path


def _read_the_same(first: First, config: ExperimentConfig, descriptions: DataDescriptions) -> bool:
    """Tell whether the results on the first place were trained on this data and encoder.

    Their own settings decide what of it they read: more than these do, or less.
    """
    try:
        data = descriptions.training(with_overrides(config, settings_of(first.point)))
    except UserError:
        return False
    known: dict[str, set[str]] = {}
    for name, value in data.items():
        known.setdefault(name.partition("/")[0], set()).add(value)  # of any of its sources

    def agrees(signature_: str) -> bool:
        for path in descriptions.runtime.runs_dir.glob(f"*-{signature_}"):
            identity = run_in(path).identity() or {}
            read = identity.get("fingerprints", {})
            own = all(value in known.get(name, {value}) for name, value in read.items())
            return bool(read) and own and all(map(agrees, identity["needs"]))
        return False

    return all(map(agrees, first.results))
