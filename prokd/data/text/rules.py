"""What is kept of a raw text, and under which names the rest is counted."""

from __future__ import annotations

from pydantic import Field, ValidationError

from prokd.config.overrides import validation_sentence
from prokd.config.settings import Frozen
from prokd.errors import UserError

MENU, REPEATED = "menu", "repeated line"
"""Why a whole paragraph goes."""
BROKEN, ADDRESS, FEW_LETTERS = "broken characters", "web address", "few letters"
TOO_SHORT, TOO_LONG = "too short", "too long"
DUPLICATE, SIMILAR = "duplicate", "near-duplicate"
"""Why a sentence goes."""
OF_PARAGRAPHS = (MENU, REPEATED)
OF_SENTENCES = (BROKEN, ADDRESS, FEW_LETTERS, TOO_SHORT, TOO_LONG, DUPLICATE, SIMILAR)
"""The order in which they are asked: the first that holds is counted."""


class TextRules(Frozen):
    """How long a sentence is, and how much of it may stand in an earlier one."""

    min_words: int = Field(3, ge=1, description="fewest words that hold a letter")
    max_words: int = Field(200, ge=1, description="most words and marks")
    similarity: float = Field(
        0.8,
        gt=0,
        le=1,
        description="share of strings of five letters that two sentences have in common (Jaccard, "
        "estimated by MinHash), from which on the later one goes; 1 = only what is the same",
    )


def text_rules(**given: int | float) -> TextRules:
    """Return the rules with some values; UserError if one cannot be."""
    try:
        rules = TextRules.model_validate(given)
    except ValidationError as error:
        raise UserError(validation_sentence(error)) from None
    if rules.min_words > rules.max_words:
        raise UserError(
            f"`min_words <= max_words` must hold, but got {rules.min_words} and {rules.max_words}."
        )
    return rules
