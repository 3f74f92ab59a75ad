"""What a run's report says of test sentences, as a reader sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from prokd.config import ExperimentConfig
from prokd.runs.estimates import estimate_in_words
from prokd.runs.folder import RunFolder
from prokd.runs.known import known_counts
from prokd.scoring.bootstrap import f1_interval


@dataclass(frozen=True)
class Score:
    """What is known of a model on one language's test sentences; numbers as a card shows them.

    Args:
        language: Code of the language.
        value: Entity F1, in [0, 1].
        strict: The same by strict IOB2.
        viterbi: The same of the likeliest valid tags.
        interval: Of ``value``; None where counts of sentences are not kept.
        sentences: Their number, where it is known.
    """

    language: str
    value: float
    strict: str
    viterbi: str
    interval: str | None = None
    sentences: int | None = None

    @property
    def f1(self) -> str:
        """Entity F1 as a card shows it."""
        return f"{self.value:.4f}"


def scores_of(folder: RunFolder, config: ExperimentConfig) -> Iterator[Score]:
    """Yield the scores on test sentences that a run's report has, the target's first."""
    metrics = (folder.report() or {}).get("metrics", {})
    for language in dict.fromkeys((config.target, config.source)):
        start = f"test/{language}/entity_f1"
        if start in metrics:
            others = (metrics.get(f"{start}{way}") for way in ("_strict", "_viterbi"))
            strict, viterbi = ("-" if other is None else f"{other:.4f}" for other in others)
            score = Score(language, metrics[start], strict, viterbi)
            path = known_counts(folder, language)
            is_kept = language == config.target and path.is_file()
            yield _with_interval(score, path) if is_kept else score


def _with_interval(score: Score, path: Path) -> Score:
    with np.load(path) as file:
        counts = file["counts"]
    low, high = f1_interval(counts[None])
    return replace(score, interval=f"{low:.4f} to {high:.4f}", sentences=len(counts))


def not_scored(
    folder: RunFolder, config: ExperimentConfig, scores: Sequence[Score]
) -> Iterator[str]:
    """Say what has no score, and why; no path of whoever trained it."""
    scored = {score.language for score in scores}
    for language in dict.fromkeys((config.target, config.source)):
        if language not in scored:
            why = (
                "no labelled test sentences were there"
                if folder.report()
                else "no report was made"
            )
            known = estimate_in_words((folder.report() or {}).get("metrics", {}), language)
            yield f"`{language}` test is not scored: {why}{f'; {known}' if known else ''}."
