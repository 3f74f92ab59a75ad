"""What an exported result was chosen by."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from prokd.runs.folder import ORACLE, SOURCE_DEV


@dataclass(frozen=True)
class Chosen:
    """What a result was chosen by, and among what.

    Args:
        study: Name of the search.
        rank: Its place, from 1.
        trials: Number of trials that have one.
        criterion: That ranks.
        value: Its mean over seeds.
        seeds: That each trial was trained with.
        target_f1: Entity F1 on target test of each seed; None where one is not scored.
    """

    study: str
    rank: int
    trials: int
    criterion: str
    value: float
    seeds: Sequence[int]
    target_f1: Sequence[float | None] = ()

    @property
    def is_oracle(self) -> bool:
        """Whether labels of the target had a say."""
        return self.criterion == ORACLE

    @property
    def is_source_dev(self) -> bool:
        """Whether it is what the papers choose by."""
        return self.criterion == SOURCE_DEV

    @property
    def shown(self) -> str:
        """The value in words."""
        return f"{self.value:.4f}"

    @property
    def spread(self) -> str | None:
        """Mean and standard deviation over seeds of target F1; None where one is not scored."""
        known = [value for value in self.target_f1 if value is not None]
        if len(known) < max(2, len(self.seeds)):
            return None
        return f"{statistics.fmean(known):.4f} ± {statistics.stdev(known):.4f}"
