"""What a run's report estimates of a language whose labels nobody has."""

from __future__ import annotations

from collections.abc import Mapping

from prokd.runs.folder import ESTIMATE


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
    return (
        f"its entity F1 is estimated as {f1:.2f} ({low:.2f} to {high:.2f}), without a label, from "
        f"the model's own probabilities"
    )
