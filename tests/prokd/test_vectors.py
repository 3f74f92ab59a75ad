"""Dictionaries of word vectors: Procrustes, CSLS, and the files."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from prokd.data.translation.vector_file import WordVectors, read_vectors
from prokd.data.translation.vectors import (
    csls_best,
    fitted_map,
    lexicon_by_vectors,
    neighbourhood,
    procrustes,
)
from prokd.errors import UserError


def unit_rows(generator: np.random.Generator, *shape: int) -> np.ndarray:
    rows = generator.normal(size=shape)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    dot = sum(float(a) * float(b) for a, b in zip(x, y, strict=True))
    norms = math.sqrt(sum(float(a) ** 2 for a in x)) * math.sqrt(sum(float(b) ** 2 for b in y))
    return dot / norms


def r_by_loops(x: np.ndarray, others: np.ndarray, k: int) -> float:
    nearest = sorted((cosine(x, y) for y in others), reverse=True)[:k]
    return sum(nearest) / k


@pytest.mark.parametrize("most", [1, 14, 10**6])
@pytest.mark.parametrize("k", [1, 3, 6])
def test_csls_is_its_plain_loops(monkeypatch, k, most):
    monkeypatch.setattr("prokd.data.translation.vectors._MOST_AT_ONCE", most)
    generator = np.random.default_rng(k)
    rows, others = unit_rows(generator, 6, 4), unit_rows(generator, 7, 4)
    r_T = [r_by_loops(x, others, k) for x in rows]
    r_S = [r_by_loops(y, rows, k) for y in others]
    csls = [
        [2 * cosine(x, y) - r_T[i] - r_S[j] for j, y in enumerate(others)]
        for i, x in enumerate(rows)
    ]
    rows_ND, others_MD = torch.from_numpy(rows), torch.from_numpy(others)
    np.testing.assert_allclose(neighbourhood(rows_ND, others_MD, k=k), r_T, rtol=0, atol=1e-12)
    best_N, score_N = csls_best(rows_ND, others_MD, k=k)
    assert best_N.tolist() == [row.index(max(row)) for row in csls]
    np.testing.assert_allclose(score_N, [max(row) for row in csls], rtol=0, atol=1e-12)


def test_csls_passes_by_a_hub_that_is_nearest():
    # Two source words at 0 and 40 degrees; targets: a hub between them at 20, another at -25.
    def at(*degrees: float) -> torch.Tensor:
        angles = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
        return torch.stack([angles.cos(), angles.sin()], dim=1)

    rows_ND, others_MD = at(0, 40), at(20, -25)
    assert (rows_ND @ others_MD.T).argmax(dim=1).tolist() == [0, 0]
    best_N, score_N = csls_best(rows_ND, others_MD, k=2)
    # r(hub) = cos 20, r(other) = (cos 25 + cos 65) / 2 = .66446, r(first) = (cos 20 + cos 25) / 2
    # hub: 2 * .93969 - .93969 - .92300; other: 2 * .90631 - .66446 - .92300 = .22516
    assert best_N.tolist() == [1, 0]
    assert score_N[0].item() == pytest.approx(0.22516, abs=1e-4)


def test_procrustes_is_scipys():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(30, 5)), generator.normal(size=(30, 5))
    expected, _ = orthogonal_procrustes(x, y)  # the least |x R - y|, so R is W transposed
    map_DD = procrustes(torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_allclose(map_DD.T, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(map_DD @ map_DD.T, np.eye(5), rtol=0, atol=1e-12)


def languages(num_words: int = 300, num_shared: int = 40) -> tuple[WordVectors, WordVectors]:
    """Words a0, a1 ... that mean b0, b1 ..., turned and with noise; some are spelled alike."""
    generator = np.random.default_rng(1)
    meanings = generator.normal(size=(num_words, 16))
    turn, _ = np.linalg.qr(generator.normal(size=(16, 16)))
    turned = meanings @ turn.T + 0.3 * generator.normal(size=meanings.shape)
    sides = []
    for letter, rows in (("a", meanings), ("b", turned)):
        words = [f"{'s' if n < num_shared else letter}{n}" for n in range(num_words)]
        unit = torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True))
        sides.append(WordVectors(words, unit, f"{letter}.vec"))
    return sides[0], sides[1]


def share_right(refinements: int, num_shared: int) -> float:
    source, target = languages(num_shared=num_shared)
    lexicon = lexicon_by_vectors(source, target, language="de", refinements=refinements)
    pairs = zip(source.words, target.words, strict=True)
    return sum(lexicon.best(word) == other for word, other in pairs) / len(source.words)


def test_a_turned_language_is_found_again_and_refinements_help():
    assert share_right(3, 40) > 0.97
    assert share_right(3, 12) > share_right(0, 12) + 0.1


def test_the_fitted_map_is_orthogonal():
    map_DD = fitted_map(*languages(), refinements=2)
    np.testing.assert_allclose(map_DD @ map_DD.T, np.eye(16), rtol=0, atol=1e-10)


def test_languages_that_share_nothing_or_differ_in_features_are_refused():
    source, target = languages(num_shared=0)
    with pytest.raises(UserError, match=r"a\.vec and b\.vec share none"):
        lexicon_by_vectors(source, target, language="de")
    narrow = WordVectors(target.words, target.rows_ND[:, :3], "b.vec")
    with pytest.raises(UserError, match="equally many features, but got 16 and 3"):
        lexicon_by_vectors(source, narrow, language="de")


@pytest.mark.parametrize("header", ["", "4 2\n"])
@pytest.mark.parametrize("packed", [True, False])
def test_vector_files_are_read_up_to_the_most_frequent_words(tmp_path, header, packed):
    content = (header + "the 3 4 \nzero 0 0\nthe 1 1\nNew York 0 -2\nrest 1 0\n").encode()
    path = tmp_path / ("x.vec.gz" if packed else "x.vec")
    path.write_bytes(gzip.compress(content) if packed else content)
    vectors = read_vectors(path, most=2)
    assert vectors.words == ["the", "New York"]
    np.testing.assert_allclose(vectors.rows_ND, [[0.6, 0.8], [0, -1]], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a 1 2\nb 1\n", r"x\.vec:2: a line must be a word and 2 finite numbers, but got 'b 1'"),
        (b"a 1 2\nb 1 two\n", r"x\.vec:2: .*got 'b 1 two'"),
        (b"a 1 nan\n", r"x\.vec:1: "),
        (b"word\n", r"x\.vec:1: a line must be a word and some finite numbers"),
        (b"2 2\n", "must have one, but got none"),
        (b"", "must have one, but got none"),
        (
            b"a 1 2\n\xff 1 2\n",
            r"x\.vec:2: .* UTF-8, but byte 0 of the line is 0xff",
        ),
    ],
)
def test_malformed_vector_files_are_one_sentence(tmp_path: Path, content, sentence):
    path = tmp_path / "x.vec"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        read_vectors(path)


def test_missing_and_damaged_vector_files_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_vectors(tmp_path / "x.vec")
    for name in ("x.vec.gz", "x.vec.xz"):
        (tmp_path / name).write_bytes(b"no such thing")
        with pytest.raises(UserError, match="must be a file of vectors to read"):
            read_vectors(tmp_path / name)
