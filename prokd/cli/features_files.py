"""A feature map as tables and files: places of the words, and how well the classes align."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prokd.cli.errors_tables import NONE, Table
from prokd.cli.features_figure import write_figure
from prokd.common.files import write_json, write_text
from prokd.common.tables import as_csv
from prokd.scoring.class_alignment import ClassAlignment
from prokd.training.token_features import FeatureMap

SIDES = ("source", "target")
MEANINGS = (
    "own mean: share of the target's tokens that are nearest to the source's mean of their own "
    "class, in the space of the features (not in the picture)",
    "nearest: class whose source mean is nearest to the mean of the target's tokens",
    "silhouette: how far the class is from other classes, both languages together [-1, 1]",
    "languages: how far the languages lie apart within the class; 0 = mixed [-1, 1]",
)
"""What the columns of `alignment_table` mean."""


def alignment_table(name: str, alignment: Sequence[ClassAlignment]) -> Table:
    """Return the alignment of a model's classes as a table."""
    header = ["class", "nearest", "source", "target", "own mean", "silhouette", "languages"]
    rows = [
        [own.name, own.nearest or NONE, str(own.source), str(own.target)]
        + [
            NONE if value is None else f"{value:.3f}"
            for value in (own.own_mean, own.silhouette, own.languages)
        ]
        for own in alignment
    ]
    return Table(name, header, rows, words=2)


def write_files(found: FeatureMap, folder: Path) -> list[Path]:
    """Write all of a feature map.

    Args:
        found: Of one model or several.
        folder: Where to; it is made, and files of these names in it are replaced.

    Returns:
        The picture (PNG, SVG, PDF), ``features.csv`` (each word with its place in each panel),
        ``alignment.csv``, and ``features.json`` (settings and alignment).
    """
    paths = write_figure(found, folder / "features")
    for name, rows in (("features", _places(found)), ("alignment", _alignments(found))):
        paths.append(folder / f"{name}.csv")
        write_text(paths[-1], as_csv(rows))
    paths.append(folder / "features.json")
    write_json(paths[-1], settings(found))
    return paths


def settings(found: FeatureMap) -> dict[str, Any]:
    """Return what a feature map was made of, and its numbers, as JSON has them."""
    choice = found.choice
    return {
        "note": found.note,
        "classes": list(found.names),
        "tokens_per_class": choice.tokens_per_class,
        "seed": choice.seed,
        "tsne": {
            "perplexity": found.perplexity,
            "init": "pca",
            "scikit-learn": version("scikit-learn"),
        },
        "corpora": [
            {
                "side": side,
                "language": corpus.language,
                "split": corpus.split,
                "origin": corpus.origin,
                "sentences": len(corpus),
                "fingerprint": corpus.fingerprint,
                "tokens": len(tokens),
            }
            for side, corpus, tokens in zip(SIDES, found.corpora, found.tokens, strict=True)
        ],
        "panels": [
            {
                "name": panel.name,
                "folder": str(panel.data.folder),
                "description": panel.data.description,
                "alignment": [own._asdict() for own in panel.alignment],
            }
            for panel in found.panels
        ],
    }


def _places(found: FeatureMap) -> Iterable[Sequence[object]]:
    yield "panel", "side", "language", "class", "sentence", "word", "x", "y"
    for panel in found.panels:
        places = iter(panel.plane_N2.tolist())
        for side, corpus, tokens in zip(SIDES, found.corpora, found.tokens, strict=True):
            for token in tokens:
                word = corpus.words[token.sentence][token.place]
                where = panel.name, side, corpus.language, token.name, token.sentence + 1
                yield *where, word, *next(places)


def _alignments(found: FeatureMap) -> Iterable[Sequence[object]]:
    yield "panel", *ClassAlignment._fields
    for panel in found.panels:
        for own in panel.alignment:
            yield panel.name, *own
