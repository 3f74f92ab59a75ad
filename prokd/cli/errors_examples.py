"""The sentences behind the numbers of an error analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from prokd.cli.aligned import escaped, sentence_lines, sentence_markdown, shown, with_escapes
from prokd.scoring.differences import SIDES
from prokd.scoring.errors import (
    CORRECT,
    Cell,
    Entity,
    Outcome,
    by_sentence,
    cell_order,
    confusion,
    tags_of,
)
from prokd.training.analysis import Analysis, ModelErrors

MOST_CELLS = 5
"""Cells of the confusion whose sentences a terminal shows; Markdown has those of all."""


class Example(NamedTuple):
    """A sentence to be shown.

    Args:
        caption: Which one it is, and what is seen in it.
        sentence: Its number in the corpus, from 0.
    """

    caption: str
    sentence: int


class Section(NamedTuple):
    """Sentences that show the same.

    Args:
        title: What they show.
        number: How many there are in all.
        examples: The first of them.
    """

    title: str
    number: int
    examples: list[Example]


def sections(analysis: Analysis, number: int) -> list[Section]:
    """Return the first sentences of each difference of two models, then of each cell of errors.

    Args:
        analysis: Of one model or two.
        number: Most sentences of each section, >= 0.
    """
    found = _of_differences(analysis, number)
    for name, model in zip(_names(analysis), analysis.models, strict=True):
        found += _of_cells(analysis, model, number, "" if name == "predicted" else f"{name}, ")
    return found


def section_lines(analysis: Analysis, number: int) -> list[str]:
    """Return the lines of a terminal: differences of two models, or the largest cells of one."""
    found = _of_differences(analysis, number)
    if len(analysis.models) == 1:
        found = _of_cells(analysis, analysis.models[0], number, "")
        found = sorted(found, key=lambda section: -section.number)[:MOST_CELLS]
    rows = _rows(analysis)
    lines: list[str] = []
    for section in found if number else []:
        lines += ["", f"{section.title}: {section.number}"]
        for example in section.examples:
            words = analysis.corpus.words[example.sentence]
            lines += ["", f"  {example.caption}"]
            lines += [f"  {line}" for line in sentence_lines(words, rows(example.sentence))]
    return lines


def section_markdown(analysis: Analysis, number: int) -> list[str]:
    """Return all sections in Markdown."""
    rows = _rows(analysis)
    lines: list[str] = []
    for section in sections(analysis, number) if number else []:
        lines += ["", f"### {escaped(section.title)}: {section.number}"]
        for example in section.examples:
            words = analysis.corpus.words[example.sentence]
            lines += ["", with_escapes(example.caption), ""]
            lines += sentence_markdown(words, rows(example.sentence))
    return lines


def words_of(analysis: Analysis, entity: Entity | None) -> str:
    """Return the words of an entity, joined by blanks; "" without one."""
    if entity is None:
        return ""
    return " ".join(analysis.corpus.words[entity.sentence][entity.first : entity.end])


def _names(analysis: Analysis) -> Sequence[str]:
    return ("predicted",) if len(analysis.models) == 1 else ("first", "second")


def _rows(analysis: Analysis) -> Callable[[int], dict[str, list[str]]]:
    """Return a function from a sentence to the tags of its entities, gold and predicted."""
    found = {"gold": by_sentence(analysis.gold)}
    for name, model in zip(_names(analysis), analysis.models, strict=True):
        found[name] = by_sentence(model.predicted)

    def rows(sentence: int) -> dict[str, list[str]]:
        length = len(analysis.corpus.words[sentence])
        return {name: tags_of(of.get(sentence, []), length) for name, of in found.items()}

    return rows


def _of_differences(analysis: Analysis, number: int) -> list[Section]:
    if analysis.agreement is None:
        return []
    result = []
    for side in SIDES:
        sentences = analysis.agreement.of_side(side)
        examples = [Example(f"sentence {place + 1}", place) for place in sentences[:number]]
        result.append(Section(side.capitalize(), len(sentences), examples))
    return result


def _of_cells(analysis: Analysis, model: ModelErrors, number: int, prefix: str) -> list[Section]:
    wrong = [outcome for outcome in model.outcomes if outcome.kind != CORRECT]
    result = []
    for cell, count in sorted(confusion(wrong).items(), key=lambda item: cell_order(item[0])):
        first = [outcome for outcome in wrong if outcome.cell == cell][:number]
        examples = list(_examples(analysis, first))
        result.append(Section(f"{prefix}{_title(cell)}", count, examples))
    return result


def _title(cell: Cell) -> str:
    """Write a cell, e.g. "wrong type, gold LOC, predicted ORG"."""
    gold = f", gold {cell.gold}" if cell.gold else ""
    return cell.kind + gold + (f", predicted {cell.predicted}" if cell.predicted else "")


def _examples(analysis: Analysis, found: Iterable[Outcome]) -> Iterable[Example]:
    for outcome in found:
        gold, predicted = (words_of(analysis, e) for e in (outcome.gold, outcome.predicted))
        words = list(dict.fromkeys(shown(text) for text in (gold, predicted) if text))
        yield Example(
            f"sentence {outcome.one.sentence + 1}: {' → '.join(words)}", outcome.one.sentence
        )
