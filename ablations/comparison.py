"""Rows of runs -> what each variant scores, and how it differs from the reference variant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ablations.resampling import (
    Replicates,
    SentenceTest,
    average,
    replicates,
    sentence_test,
)
from ablations.significance import Spread, holm, paired_t_test, spread, wilcoxon_test
from ablations.spec import AblationSpec
from prokd.runs.known import known_counts
from prokd.scoring.bootstrap import Counts
from search.results import Row

AVERAGE = "average"
"""The column of means over languages."""
ENTITY, VALID, TOKEN = "entity_f1", "entity_f1_viterbi", "token_f1"
"""The measures that tables show; metric names of a report."""


@dataclass(frozen=True)
class Comparison:
    """A variant against the reference in one column (a language or the average).

    Args:
        variant: Its name.
        column: A target language, or `AVERAGE`.
        seeds: Seeds that both have finished.
        difference: Entity F1 less the reference's, mean over `seeds`; nan without any.
        t: p value of the paired t-test over seeds; nan where there are too few.
        wilcoxon: p value of Wilcoxon's test over seeds; nan where there are too few.
        sentences: Test over sentences; None where counts of sentences are missing.
        p_holm: p value over sentences, corrected for the number of variants in the column.
        same_runs: Whether both are the same runs, so that there is nothing to compare.
    """

    variant: str
    column: str
    seeds: tuple[int, ...]
    difference: float
    t: float
    wilcoxon: float
    sentences: SentenceTest | None
    p_holm: float = math.nan
    same_runs: bool = False


class Scores:
    """The runs of one ablation, by variant, language and seed.

    Args:
        spec: Names the variants and the reference.
        rows: One for each run, in any order.
        number: Replicates of the tests over sentences.
    """

    def __init__(self, spec: AblationSpec, rows: Sequence[Row], *, number: int = 5000) -> None:
        """Sort the rows; nothing is computed yet."""
        self.spec, self.rows, self.number = spec, rows, number
        self._by_place = {_place(row): row for row in rows}
        self.languages = list(dict.fromkeys(row.experiment.config.target for row in rows))
        self.seeds = sorted({row.experiment.config.seed for row in rows})

    @property
    def columns(self) -> list[str]:
        """The languages, then their average if there are several."""
        return [*self.languages, *([AVERAGE] if len(self.languages) > 1 else [])]

    def row(self, variant: str, language: str, seed: int) -> Row:
        """Return the row of one run."""
        return self._by_place[variant, language, seed]

    def unfinished(self) -> list[Row]:
        """Return the runs that have no result, whatever the reason."""
        return [row for row in self.rows if row.objective is None]

    def not_scored(self) -> list[Row]:
        """Return the runs without scores on target test: unfinished, or without labels there."""
        return [row for row in self.rows if row.target_f1 is None]

    def values(self, variant: str, column: str, measure: str) -> dict[int, float]:
        """Return a measure on target test by seed, in [0, 1], of the runs that have it.

        An average is there for the seeds with all languages.
        """
        languages = self.languages if column == AVERAGE else [column]
        result = {}
        for seed in self.seeds:
            found = [
                self.row(variant, language, seed).scores.get(f"test/{language}/{measure}")
                for language in languages
            ]
            known = [value for value in found if value is not None]
            if len(known) == len(languages):
                result[seed] = math.fsum(known) / len(known)
        return result

    def spread(self, variant: str, column: str, measure: str) -> Spread:
        """Return mean and standard deviation over the seeds that have the measure."""
        return spread(list(self.values(variant, column, measure).values()))

    def source_dev(self, variant: str) -> Spread:
        """Return the spread of source-dev entity F1, over languages and seeds, each run once."""
        found = {
            row.experiment.result.signature: row.objective
            for row in self.rows
            if row.experiment.variant == variant and row.objective is not None
        }
        return spread(list(found.values()))

    def difference(self, variant: str, column: str, measure: str) -> float:
        """Return a measure less the reference's, mean over common seeds; nan without any."""
        pairs = self._pairs(variant, column, measure)
        if not pairs:
            return math.nan
        return math.fsum(own - other for own, other in pairs.values()) / len(pairs)

    @cached_property
    def comparisons(self) -> Mapping[tuple[str, str], Comparison]:
        """Every variant against the reference in every column, Holm-corrected by column."""
        result: dict[tuple[str, str], Comparison] = {}
        for column in self.columns:
            family = [self._compare(variant, column) for variant in self.spec.compared()]
            p_values = [
                item.sentences.p if item.sentences and not item.same_runs else math.nan
                for item in family
            ]
            for item, p in zip(family, holm(p_values), strict=True):
                result[item.variant, column] = Comparison(**{**vars(item), "p_holm": p})
        return result

    def twins(self) -> list[list[str]]:
        """Return groups of variants that are one and the same run for every language and seed."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for variant in self.spec.variants:
            key = tuple(
                self.row(variant, language, seed).experiment.result.signature
                for language in self.languages
                for seed in self.seeds
            )
            groups.setdefault(key, []).append(variant)
        return [names for names in groups.values() if len(names) > 1]

    def _compare(self, variant: str, column: str) -> Comparison:
        pairs = self._pairs(variant, column, ENTITY)
        own = [pair[0] for pair in pairs.values()]
        other = [pair[1] for pair in pairs.values()]
        resampled = self._resampled(variant, column, tuple(pairs))
        return Comparison(
            variant=variant,
            column=column,
            seeds=tuple(pairs),
            difference=self.difference(variant, column, ENTITY),
            t=paired_t_test(own, other),
            wilcoxon=wilcoxon_test(own, other),
            sentences=None if resampled is None else sentence_test(resampled),
            same_runs=any({variant, self.spec.reference} <= set(names) for names in self.twins()),
        )

    def _pairs(self, variant: str, column: str, measure: str) -> dict[int, tuple[float, float]]:
        own = self.values(variant, column, measure)
        other = self.values(self.spec.reference, column, measure)
        return {seed: (own[seed], other[seed]) for seed in own if seed in other}

    def _resampled(self, variant: str, column: str, seeds: tuple[int, ...]) -> Replicates | None:
        if not seeds:
            return None
        if column == AVERAGE:
            parts = [self._resampled(variant, language, seeds) for language in self.languages]
            known = [part for part in parts if part is not None]
            return average(known) if len(known) == len(parts) else None
        key = (variant, column, seeds)
        if key not in self._replicates:
            own = self._counts(variant, column, seeds)
            other = self._counts(self.spec.reference, column, seeds)
            # Each language draws its own sentences; each variant is held against the same draws.
            index = self.languages.index(column)
            fits = own is not None and other is not None and own.shape == other.shape
            self._replicates[key] = (
                replicates(own, other, number=self.number, seed=(0, index))  # type: ignore[arg-type]
                if fits
                else None
            )
        return self._replicates[key]

    @cached_property
    def _replicates(self) -> dict[tuple[str, str, tuple[int, ...]], Replicates | None]:
        return {}

    def _counts(self, variant: str, language: str, seeds: Sequence[int]) -> Counts | None:
        """Return the counts of all seeds, (S, N, 3); None where a file is missing or differs."""
        parts = []
        for seed in seeds:
            path = known_counts(self.row(variant, language, seed).experiment.result, language)
            if not path.exists():
                return None
            with np.load(path) as file:
                parts.append(file["counts"])
        if len({part.shape for part in parts}) != 1:
            return None
        return np.stack(parts)


def _place(row: Row) -> tuple[str, str, int]:
    config = row.experiment.config
    return row.experiment.variant, config.target, config.seed
