"""A dictionary from two languages' word vectors alone, UniTrans' own way (after MUSE).

Shape suffixes: N source words, M target words, D features, P pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from prokd.data.translation.cleaning import clean_source, clean_target
from prokd.data.translation.lexicon import Lexicon, from_scores
from prokd.data.translation.vector_file import WordVectors
from prokd.errors import UserError

NEIGHBOURS = 10
REFINEMENTS = 3
MOST_FREQUENT = 15_000
"""Among how many words of either language the pairs of a refinement are looked for."""
_MOST_AT_ONCE = 32_000_000
"""Most cosines in memory, 4 bytes each."""


def lexicon_by_vectors(
    source: WordVectors, target: WordVectors, *, language: str, refinements: int = REFINEMENTS
) -> Lexicon:
    """Return the best target word by CSLS of every source word, with its CSLS as the score.

    Args:
        source: Vectors of the source language, most frequent word first.
        target: Vectors of the target language, with as many features.
        language: Code of the target language, for cleaning.
        refinements: How often the map is fitted again to what it has found.

    Raises:
        UserError: The numbers of features differ, the languages share no string, or no single word
            is translated by a single word.
    """
    if source.rows_ND.shape[1] != target.rows_ND.shape[1]:
        raise UserError(
            f"vectors of both languages must have equally many features, but got "
            f"{source.rows_ND.shape[1]} and {target.rows_ND.shape[1]}."
        )
    map_DD = fitted_map(source, target, refinements=refinements)
    best_N, score_N = csls_best(source.rows_ND @ map_DD.T, target.rows_ND)
    best: dict[str, tuple[str, float]] = {}
    for word, number, score in zip(source.words, best_N.tolist(), score_N.tolist(), strict=True):
        key, other = clean_source(word), clean_target(target.words[number], language)
        if key is not None and other is not None:
            best.setdefault(key, (other, score))  # of two spellings the more frequent one
    if not best:
        raise UserError("word vectors must translate a word by a word, but did so for none.")
    origin = f"vectors {source.origin} + {target.origin}"
    return from_scores(((key, other, score) for key, (other, score) in best.items()), origin)


def fitted_map(source: WordVectors, target: WordVectors, *, refinements: int) -> Tensor:
    """Return W of W x ~ y, orthogonal, (D, D).

    It is fitted to the strings that both languages have; a refinement fits it to the pairs of
    frequent words that are each other's best by CSLS under the last W.

    Raises:
        UserError: The languages share no string.
    """
    places = {word: number for number, word in enumerate(target.words)}
    shared = [(i, places[word]) for i, word in enumerate(source.words) if word in places]
    if not shared:
        raise UserError(
            f"two languages' vectors must share strings to start from, but {source.origin} and "
            f"{target.origin} share none."
        )
    pairs_P2 = torch.tensor(shared)
    frequent_ND, others_MD = source.rows_ND[:MOST_FREQUENT], target.rows_ND[:MOST_FREQUENT]
    map_DD = procrustes(source.rows_ND[pairs_P2[:, 0]], target.rows_ND[pairs_P2[:, 1]])
    for _ in range(refinements):
        mapped_ND = frequent_ND @ map_DD.T
        forward_N, _ = csls_best(mapped_ND, others_MD)
        backward_M, _ = csls_best(others_MD, mapped_ND)
        mutual_P = torch.nonzero(backward_M[forward_N] == torch.arange(len(forward_N)))[:, 0]
        if len(mutual_P) == 0:
            break
        map_DD = procrustes(frequent_ND[mutual_P], others_MD[forward_N[mutual_P]])
    return map_DD


def procrustes(source_PD: Tensor, target_PD: Tensor) -> Tensor:
    r"""Return the orthogonal W (D, D) with the least :math:`\sum_p |W x_p - y_p|^2`.

    .. math:: W = U V^T, \quad U \Sigma V^T = SVD(Y^T X)
    """
    left_DD, _, right_DD = torch.linalg.svd(target_PD.T @ source_PD)
    map_DD: Tensor = left_DD @ right_DD
    return map_DD


def neighbourhood(rows_ND: Tensor, others_MD: Tensor, *, k: int = NEIGHBOURS) -> Tensor:
    r"""Return how near each row's nearest others are, (N,).

    .. math:: r(x) = \frac{1}{k} \sum_{y \in \text{k nearest of } x} \cos(x, y)

    Args:
        rows_ND: Of length 1.
        others_MD: Of length 1; k is at most M.
        k: How many are near.
    """
    return torch.cat([_largest(block @ others_MD.T, k) for block in _blocks(rows_ND, others_MD)])


def csls_best(rows_ND: Tensor, others_MD: Tensor, *, k: int = NEIGHBOURS) -> tuple[Tensor, Tensor]:
    r"""Return for each row the best of the others, (N,), and its CSLS, (N,).

    .. math:: CSLS(x, y) = 2 \cos(x, y) - r_T(x) - r_S(y)

    with r of `neighbourhood`: x among the others, y among the rows. Blocks of rows are compared
    at a time, so that memory is bounded.

    Args:
        rows_ND: Mapped source words, of length 1.
        others_MD: Target words, of length 1.
        k: How many neighbours r looks at.
    """
    density_M = neighbourhood(others_MD, rows_ND, k=k)
    best, scores = [], []
    for block in _blocks(rows_ND, others_MD):
        cosines = block @ others_MD.T
        value, number = (2 * cosines - density_M).max(dim=1)
        best.append(number)
        scores.append(value - _largest(cosines, k))
    return torch.cat(best), torch.cat(scores)


def _largest(cosines: Tensor, k: int) -> Tensor:
    return cosines.topk(min(k, cosines.shape[1]), dim=1).values.mean(dim=1)


def _blocks(rows_ND: Tensor, others_MD: Tensor) -> Iterator[Tensor]:
    size = max(1, _MOST_AT_ONCE // len(others_MD))
    for start in range(0, len(rows_ND), size):
        yield rows_ND[start : start + size]
