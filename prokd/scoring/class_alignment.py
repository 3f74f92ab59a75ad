"""How well the classes of two languages lie together among a model's features.

# S source tokens, N target tokens, C classes, D feature size
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import silhouette_samples
from sklearn.metrics.pairwise import euclidean_distances

Features = npt.NDArray[np.float32]
ALL = "all"
"""What the line over all classes is called."""


class ClassAlignment(NamedTuple):
    """Where the target's tokens of a class lie among the source's; distances are Euclidean.

    Args:
        name: The class, or `ALL`.
        source: Number of source tokens.
        target: Number of target tokens.
        own_mean: Share, in [0, 1], of the target's tokens that are nearer to the source's mean of
            their own class than to that of any other.
        nearest: Class whose source mean is nearest to the mean of the target's tokens; of `ALL`
            how many classes are their own nearest, e.g. "5 of 6".
        silhouette: Mean silhouette, in [-1, 1], of the class's tokens of both languages among the
            tokens of all classes: high where classes are apart, whatever the language.
        languages: Mean silhouette of the class's tokens by language: 0 where the languages are
            mixed, near 1 where they lie apart. Of `ALL` the mean over classes.

    What there are too few tokens for is None.
    """

    name: str
    source: int
    target: int
    own_mean: float | None
    nearest: str | None
    silhouette: float | None
    languages: float | None


def class_alignment(
    source_SD: Features,
    source_names: Sequence[str],
    target_ND: Features,
    target_names: Sequence[str],
    names: Sequence[str],
) -> list[ClassAlignment]:
    """Compare the classes of two languages in the space of a model's features.

    Args:
        source_SD: float, (S, D).
        source_names: Class of each source token.
        target_ND: float, (N, D).
        target_names: Class of each target token.
        names: The classes, in the order of the result.

    Returns:
        One for each class, then one of `ALL`.
    """
    of_source, of_target = np.array(source_names), np.array(target_names)
    known = [name for name in names if name in source_names]
    means_CD = np.array([source_SD[of_source == name].mean(axis=0) for name in known])
    of_both = np.concatenate([of_source, of_target])
    silhouettes = _silhouettes(np.concatenate([source_SD, target_ND]), of_both)
    result = []
    for name in names:
        own_SD, own_ND = source_SD[of_source == name], target_ND[of_target == name]
        is_known = bool(len(own_SD) and len(own_ND))
        hits = _nearest(own_ND, means_CD, known).count(name) if is_known else 0
        mean_D = own_ND.mean(axis=0, keepdims=True) if is_known else own_ND
        result.append(
            ClassAlignment(
                name,
                len(own_SD),
                len(own_ND),
                own_mean=hits / len(own_ND) if is_known else None,
                nearest=_nearest(mean_D, means_CD, known)[0] if is_known else None,
                silhouette=_mean(silhouettes, of_both == name),
                languages=_apart(own_SD, own_ND),
            )
        )
    return [*result, _overall(result, silhouettes)]


def _nearest(points_ND: Features, means_CD: Features, names: Sequence[str]) -> list[str]:
    return [names[index] for index in euclidean_distances(points_ND, means_CD).argmin(axis=1)]


def _silhouettes(points_ND: Features, labels_N: npt.NDArray[np.str_]) -> Features | None:
    """Return the silhouette of each point; None where it is not defined."""
    if not 2 <= len(set(labels_N)) < len(labels_N):
        return None
    found: Features = silhouette_samples(points_ND, labels_N)
    return found


def _mean(values: Features | None, chosen: npt.NDArray[np.bool_]) -> float | None:
    return float(values[chosen].mean()) if values is not None and chosen.any() else None


def _apart(source_SD: Features, target_ND: Features) -> float | None:
    sides = np.repeat(["source", "target"], [len(source_SD), len(target_ND)])
    values = _silhouettes(np.concatenate([source_SD, target_ND]), sides)
    return None if values is None else float(values.mean())


def _overall(classes: Sequence[ClassAlignment], values: Features | None) -> ClassAlignment:
    known = [own for own in classes if own.own_mean is not None]
    total = sum(own.target for own in known)
    hits = sum((own.own_mean or 0.0) * own.target for own in known)
    aligned = sum(own.nearest == own.name for own in known)
    gaps = [own.languages for own in classes if own.languages is not None]
    return ClassAlignment(
        ALL,
        sum(own.source for own in classes),
        sum(own.target for own in classes),
        own_mean=hits / total if total else None,
        nearest=f"{aligned} of {len(known)}" if known else None,
        silhouette=None if values is None else float(values.mean()),
        languages=float(np.mean(gaps)) if gaps else None,
    )
