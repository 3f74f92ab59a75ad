"""A case study as one HTML file, as Markdown and as a table in LaTeX.

A sentence of a script that runs from right to left stands so, its words in columns from the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment

from prokd.cli.aligned import (
    escaped,
    is_right_to_left,
    sentence_markdown,
    shown,
    with_escapes,
)
from prokd.cli.errors_tables import NONE
from prokd.common import latex
from prokd.common.files import write_text
from prokd.common.tables import as_markdown
from prokd.training.analysis import Analysis
from prokd.training.cases import Case, Counts, cases

RULE = (
    "Sentences that exactly one of the two has right: all of its entities, and no other. Those of "
    "which the right one is surest stand first, by the least probability that it gives to its tag "
    "of a word on which the two differ."
)
FORMS = ("html", "md", "tex")
BABEL = {"ar": "arabic", "fa": "persian", "he": "hebrew", "ur": "urdu"}
"""What babel calls languages that run from right to left."""


def write_cases(analysis: Analysis, names: Sequence[str], number: int, folder: Path) -> list[Path]:
    """Write ``case-study.html``, ``.md`` and ``.tex`` of two models; return their paths.

    Args:
        analysis: Of two models.
        names: What they are called.
        number: Most cases of each side.
        folder: Where to; files of these names in it are replaced.
    """
    found = cases(analysis, number)
    paths = [folder / f"case-study.{form}" for form in FORMS]
    for path, text in zip(paths, (_html, _markdown, _latex), strict=True):
        write_text(path, text(analysis, names, found))
    return paths


def _about(analysis: Analysis, names: Sequence[str]) -> list[str]:
    lines = [analysis.note, RULE]
    for name, model in zip(names, analysis.models, strict=True):
        score = model.scores[analysis.measure]
        lines.append(
            f"{name}: {model.data.folder} ({model.data.description}), "
            f"{analysis.measure} {score:.4f}"
        )
    return lines


def _caption(case: Case, names: Sequence[str]) -> str:
    right = names[case.right]
    return f"only {right} right: sentence {case.sentence + 1}, sureness {case.sureness:.2f}"


def _header(analysis: Analysis, names: Sequence[str]) -> list[str]:
    corpus = analysis.corpus
    source = [] if analysis.source is None else ["in the source's training text"]
    return ["word", "gold", *names, *source, f"in {corpus.language} {corpus.split}"]


def _lines(analysis: Analysis, case: Case) -> list[list[str]]:
    """Return a line for each differing word: what each model gives it, what text has of it."""
    lines = []
    for word in case.differing:
        said = [_probabilities(values) for values in word.probabilities]
        source = [] if analysis.source is None else [_shares(word.source or {})]
        own = [shown(case.words[word.place]), case.gold[word.place]]
        lines.append([*own, *said, *source, _shares(word.split)])
    return lines


def _probabilities(values: Mapping[str, float]) -> str:
    """Write tags with their probabilities, the likeliest first."""
    ranked = sorted(values, key=lambda tag: -values[tag])
    return ", ".join(f"{tag} {values[tag]:.2f}" for tag in ranked)


def _shares(counts: Counts) -> str:
    """Write how often a word has each tag.

    >>> _shares({"I-ORG": 4, "B-LOC": 2}), _shares({})
    ('I-ORG 67 %, B-LOC 33 % of 6', '-')
    """
    total = sum(counts.values())
    parts = [f"{tag} {count / total:.0%}".replace("%", " %") for tag, count in counts.items()]
    return f"{', '.join(parts)} of {total}" if parts else NONE


def _html(analysis: Analysis, names: Sequence[str], found: Sequence[Case]) -> str:
    template = resources.files("prokd.cli").joinpath("case_study.html")
    page = Environment(autoescape=True).from_string(template.read_text(encoding="utf-8"))
    shown_cases = [
        {
            "caption": _caption(case, names),
            "direction": "rtl" if is_right_to_left(case.words) else "ltr",
            "columns": _columns(case),
            "lines": _lines(analysis, case),
        }
        for case in found
    ]
    return page.render(
        about=_about(analysis, names),
        language=analysis.corpus.language,
        rows=["gold", *names],
        header=_header(analysis, names),
        cases=shown_cases,
    )


def _columns(case: Case) -> list[dict[str, Any]]:
    differing = {word.place: word for word in case.differing}
    columns = []
    for place, (word, gold) in enumerate(zip(case.words, case.gold, strict=True)):
        own = differing.get(place)
        cells = [{"text": gold, "look": ""}]
        for side, tags in enumerate(case.predicted):
            text, look = tags[place], ""
            if own is not None:
                is_right = text == gold or side == case.right  # of lenient entities, I- may begin
                text += f" {own.probabilities[side][text]:.2f} {'✓' if is_right else '✗'}"
                look = "right" if is_right else "wrong"
            cells.append({"text": text, "look": look})
        columns.append({"word": shown(word), "differs": own is not None, "cells": cells})
    return columns


def _markdown(analysis: Analysis, names: Sequence[str], found: Sequence[Case]) -> str:
    lines = ["# Case study", "", *(f"- {with_escapes(line)}" for line in _about(analysis, names))]
    for case in found:
        rows = dict(zip(["gold", *names], [case.gold, *case.predicted], strict=True))
        table = sentence_markdown(case.words, {escaped(name): row for name, row in rows.items()})
        if is_right_to_left(case.words):
            table = ['<div dir="rtl">', "", *table, "", "</div>"]
        lines += ["", f"## {with_escapes(_caption(case, names))}", "", *table, ""]
        header, *body = [_header(analysis, names), *_lines(analysis, case)]
        lines += as_markdown([list(map(with_escapes, row)) for row in (header, *body)])
    if not found:
        lines += ["", "There is no sentence that exactly one of the two has right."]
    return "\n".join(lines) + "\n"


def _latex(analysis: Analysis, names: Sequence[str], found: Sequence[Case]) -> str:
    """Write the paper's form: sentences with the tags of what differs, a row for each model."""
    language = analysis.corpus.language
    blocks = []
    for number, case in enumerate(found, start=1):
        rows: list[list[str]] = []
        for name, tags in zip(["gold", *names], [case.gold, *case.predicted], strict=True):
            first = f"\\#{number}" if not rows else ""
            rows.append([first, latex.escaped(name), _sentence(case, tags, language)])
        blocks.append(rows)
    caption = (
        f"Case study on {latex.escaped(language)} {latex.escaped(analysis.corpus.split)}: words "
        "on which the models differ are bold, with their tags and the probabilities of these."
    )
    table = latex.booktabs(
        ["", "", "sentence"],
        blocks,
        caption=caption,
        label=f"cases-{language}-{analysis.corpus.split}",
        columns="llp{0.78\\textwidth}",
        environment="table*",
    )
    return _needed(found, language) + table


def _needed(found: Sequence[Case], language: str) -> str:
    if not any(is_right_to_left(case.words) for case in found):
        return latex.PACKAGES
    name = BABEL.get(language, "arabic")
    return (
        f"{latex.PACKAGES.rstrip()}, LuaLaTeX,\n% \\usepackage[bidi=basic,english]{{babel}}, "
        f"\\babelprovide[import]{{{name}}}\n% and a font that has the script, digits and marks: "
        f"\\babelfont[{name}]{{rm}}{{DejaVu Sans}}\n\n"
    )


def _sentence(case: Case, tags: Sequence[str], language: str) -> str:
    """Return a sentence in LaTeX, with a tag behind each word on which the models differ."""
    name = BABEL.get(language, "arabic")
    is_mirrored = is_right_to_left(case.words)
    differing = {word.place: word for word in case.differing}
    sides = [side for side, own in enumerate(case.predicted) if own is tags]
    parts = []
    for place, (word, tag) in enumerate(zip(case.words, tags, strict=True)):
        text = latex.escaped(word)
        if (own := differing.get(place)) is not None:
            value = f" {own.probabilities[sides[0]][tag]:.2f}" if sides else ""
            behind = f"{{\\scriptsize [{latex.escaped(tag)}{value}]}}"
            if is_mirrored:
                behind = f"\\foreignlanguage{{english}}{{{behind}}}"
            text = f"{latex.bold(text)} {behind}"
        parts.append(text)
    sentence = " ".join(parts)
    if not is_mirrored:
        return sentence
    return f"\\begin{{otherlanguage}}{{{name}}}{sentence}\\end{{otherlanguage}}"
