"""What is sent and what comes back, as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

Words = list[Annotated[str, Field(min_length=1)]]


class TagRequest(BaseModel):
    """Exactly one of ``text``, ``texts`` and ``sentences``."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(None, description="raw text, seen as one sentence")
    texts: list[str] | None = Field(None, description="several of them")
    sentences: list[Words] | None = Field(None, description="sentences that are split into words")
    language: str | None = Field(
        None, description="whose rules split raw text; None = what the server was started with"
    )
    words: StrictBool = Field(False, description="whether words are told too, with their tags")

    @model_validator(mode="after")
    def _has_one_input(self) -> TagRequest:
        names = [n for n in ("text", "texts", "sentences") if getattr(self, n) is not None]
        if len(names) != 1:
            raise ValueError(
                f"exactly one of text, texts and sentences must be given, but got "
                f"{' and '.join(names) or 'none'}"
            )
        return self


class Entity(BaseModel):
    """An entity; places count the characters (code points) of the text."""

    type: str = Field(description="such as PER")
    text: str = Field(description="as it stands in the text")
    start: int = Field(description="its first character, from 0")
    end: int = Field(description="the character after its last one")
    score: float = Field(description="mean probability of its words' tags")


class TaggedWord(BaseModel):
    """A word with its tag."""

    text: str
    start: int
    end: int
    tag: str = Field(description="in IOB2")
    score: float = Field(description="probability of the tag")


class TaggedText(BaseModel):
    """What was found in one text; of a sentence of words, places are those in ``text``."""

    text: str | None = Field(None, description="a sentence's words joined by blanks")
    entities: list[Entity]
    words: list[TaggedWord] | None = None


class TagResponse(BaseModel):
    """What was found in each text or sentence, in the order of the request."""

    results: list[TaggedText]


class Health(BaseModel):
    """What is served."""

    status: str = "ok"
    model: str = Field(description="name of its folder")
    entity_types: list[str]
    tags: list[str]
    language: str = Field(description='whose rules split raw text by default; "und" = unknown')
    version: str = Field(description="of prokd")


class Problem(BaseModel):
    """Why there is no answer."""

    error: str = Field(description="one sentence: the rule and the value")
