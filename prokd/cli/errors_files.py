"""The files of an error analysis: Markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prokd.cli.aligned import with_escapes
from prokd.cli.errors_examples import section_markdown, words_of
from prokd.cli.errors_tables import tables
from prokd.common.files import write_json, write_text
from prokd.common.tables import as_csv
from prokd.scoring.differences import SIDES
from prokd.scoring.errors import confusion, totals
from prokd.training.analysis import Analysis


def headings(analysis: Analysis) -> list[str]:
    """Return the sentences above all numbers: what is looked at, by which models, and how."""
    lines = [analysis.note, *analysis.notes]
    names = ["model"] if len(analysis.models) == 1 else ["first", "second"]
    for name, model in zip(names, analysis.models, strict=True):
        lines.append(f"{name}: {model.data.folder} ({model.data.description})")
    lines.append(f"entities: {analysis.entities}, F1 as in `prokd evaluate`: {_f1(analysis)}")
    if analysis.source is not None:
        lines.append(f"source: {analysis.source.origin}")
    else:
        lines.append(f"Nothing is said of the source's words: {analysis.no_source}")
    return lines


def _f1(analysis: Analysis) -> str:
    values = (f"{model.scores[analysis.measure]:.4f}" for model in analysis.models)
    return f"{analysis.measure} {', '.join(values)}"


def write_files(analysis: Analysis, folder: Path, number: int) -> list[Path]:
    """Write all of an analysis.

    Args:
        analysis: Of one model or two.
        folder: Where to; it is made, and files of these names in it are replaced.
        number: Most sentences of each section of the Markdown.

    Returns:
        ``errors.md``, ``errors.json`` (all numbers), ``confusion.csv``, ``groups.csv`` and
        ``entities.csv`` (each entity with its outcome).
    """
    markdown = ["# Errors", "", *(f"- {with_escapes(line)}" for line in headings(analysis))]
    for table in tables(analysis):
        markdown += ["", *table.markdown()]
    if found := section_markdown(analysis, number):
        markdown += ["", "## Sentences", *found]
    paths = [folder / name for name in FILES]
    write_text(paths[0], "\n".join(markdown) + "\n")
    write_json(paths[1], numbers(analysis))
    for path, rows in zip(paths[2:], (_confusion, _groups, _entities), strict=True):
        write_text(path, as_csv(rows(analysis)))
    return paths


FILES = ("errors.md", "errors.json", "confusion.csv", "groups.csv", "entities.csv")
"""See `write_files`."""


def numbers(analysis: Analysis) -> dict[str, Any]:
    """Return all numbers as JSON has them; sentences are counted from 1."""
    corpus, agreement = analysis.corpus, analysis.agreement
    result: dict[str, Any] = {
        "note": analysis.note,
        "language": corpus.language,
        "split": corpus.split,
        "origin": corpus.origin,
        "sentences": len(corpus),
        "entities": analysis.entities,
        "gold_entities": len(analysis.gold),
        "source": analysis.source.origin if analysis.source else None,
        "source_left_out": analysis.no_source or None,
        "models": [
            {
                "folder": str(model.data.folder),
                "description": model.data.description,
                "predicted_entities": len(model.predicted),
                "scores": model.scores,
                "outcomes": totals(model.outcomes),
                "confusion": [
                    {**cell._asdict(), "entities": count}
                    for cell, count in confusion(model.outcomes).items()
                ],
                "groups": {
                    title: [score._asdict() for score in scores]
                    for title, scores in model.groups.items()
                },
            }
            for model in analysis.models
        ],
    }
    if agreement is not None:
        result["sentences_compared"] = {
            "both right": agreement.both_right,
            "both wrong alike": agreement.both_wrong_alike,
            **{side: [place + 1 for place in agreement.of_side(side)] for side in SIDES},
        }
    return result


def _confusion(analysis: Analysis) -> Iterable[list[object]]:
    yield ["model", "outcome", "gold", "predicted", "entities"]
    for model in analysis.models:
        for cell, count in confusion(model.outcomes).items():
            yield [model.data.folder.name, *cell, count]


def _groups(analysis: Analysis) -> Iterable[list[object]]:
    yield [
        *("model", "grouping", "group", "gold", "predicted", "correct"),
        *("precision", "recall", "f1"),
    ]
    for model in analysis.models:
        for title, scores in model.groups.items():
            for score in scores:
                yield [model.data.folder.name, title, *score]


def _entities(analysis: Analysis) -> Iterable[list[object]]:
    yield [
        *("model", "sentence", "outcome", "gold", "gold_words", "gold_first", "gold_end"),
        *("predicted", "predicted_words", "predicted_first", "predicted_end"),
    ]
    for model in analysis.models:
        for outcome in model.outcomes:
            row: list[object] = [model.data.folder.name, outcome.one.sentence + 1, outcome.kind]
            for entity in (outcome.gold, outcome.predicted):
                row += (
                    [entity.kind, words_of(analysis, entity), entity.first, entity.end]
                    if entity
                    else [""] * 4
                )
            yield row
