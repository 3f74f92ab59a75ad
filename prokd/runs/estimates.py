"""What a run's report estimates of a language whose labels nobody has."""

from __future__ import annotations

from collections.abc import Mapping

from prokd.runs.folder import ESTIMATE

MOST_UNLIKE = 2.0
"""From this factor on, text is called unlike the source's: an estimate is too high there."""


def estimated(metrics: Mapping[str, float], language: str) -> tuple[float, float, float] | None:
    """Return the estimate of F1 in a report, and the ends of its interval; None without one."""
    name = f"{ESTIMATE}/{language}/entity_f1_viterbi"
    if name not in metrics:
        return None
    return metrics[name], metrics[f"{name}_low"], metrics[f"{name}_high"]


def estimate_in_words(metrics: Mapping[str, float], language: str) -> str | None:
    """Say what is estimated of a language that has no labelled test sentences."""
    if (found := estimated(metrics, language)) is None:
        return None
    f1, low, high = found
    start = f"{ESTIMATE}/{language}/"
    warning = unlike_source(metrics[f"{start}length_ratio"], metrics[f"{start}share_ratio"])
    return (
        f"its entity F1 is estimated as {f1:.2f} ({low:.2f} to {high:.2f}), without a label, from "
        f"the model's own probabilities{f'; {warning}' if warning else ''}"
    )


def unlike_source(length_ratio: float, share_ratio: float) -> str | None:
    """Say that an estimate is likely too high, since the text is of another kind than the source.

    Args:
        length_ratio: Mean words of a target sentence over those of a source sentence.
        share_ratio: Share of words that the model finds in entities, target over source.

    Returns:
        The warning; None where neither differs by `MOST_UNLIKE`.

    >>> unlike_source(1.3, 0.7) is None
    True
    """
    if all(1 / MOST_UNLIKE < ratio < MOST_UNLIKE for ratio in (length_ratio, share_ratio)):
        return None
    return (
        f"likely too high: the text is unlike the source's (sentences {length_ratio:.1f} times as "
        f"long, {share_ratio:.1f} times as many words in entities)"
    )
