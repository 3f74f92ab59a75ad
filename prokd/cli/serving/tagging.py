"""From a request to sentences of words, and from their tags to its answer."""

from __future__ import annotations

from collections.abc import Sequence

from prokd.cli.serving.messages import Entity, TaggedText, TaggedWord, TagRequest, TagResponse
from prokd.cli.serving.problems import Refused
from prokd.cli.serving.settings import ServingSettings
from prokd.data.inputs import Sentence, of_words, raw_sentence
from prokd.data.words import check_language
from prokd.scoring.tagged_text import TaggedSentence, text_entities


def sentences_of(request: TagRequest, language: str, settings: ServingSettings) -> list[Sentence]:
    """Return what a request wants tagged.

    Args:
        request: As it came.
        language: Whose rules split raw text if the request names none.
        settings: How much it may be.

    Raises:
        Refused: It is too much.
        UserError: An unknown language, or text that is no Unicode.
    """
    _check_size(request, settings)
    if request.sentences is not None:
        return [of_words(words, line) for line, words in enumerate(request.sentences, start=1)]
    code = language if request.language is None else check_language(request.language)
    texts = [request.text] if request.text is not None else request.texts or []
    return [raw_sentence(text, line, language=code) for line, text in enumerate(texts, start=1)]


def _check_size(request: TagRequest, settings: ServingSettings) -> None:
    name, lengths = _lengths(request)
    if len(lengths) > settings.max_texts:
        most = settings.max_texts
        raise Refused(413, f"a request must have at most {most} {name}, but got {len(lengths)}.")
    for place, length in enumerate(lengths):
        if length > settings.max_characters:
            what = name if request.text is not None else f"{name}[{place}]"
            most = settings.max_characters
            raise Refused(413, f"{what} must have at most {most} characters, but got {length}.")


def _lengths(request: TagRequest) -> tuple[str, list[int]]:
    """Return what a request names its input, and the characters of each part of it."""
    if request.text is not None:
        return "text", [len(request.text)]
    if request.texts is not None:
        return "texts", [len(text) for text in request.texts]
    return "sentences", [sum(map(len, words)) for words in request.sentences or []]


def response_of(
    request: TagRequest, sentences: Sequence[Sentence], tagged: Sequence[TaggedSentence]
) -> TagResponse:
    """Return the answer to a request.

    Args:
        request: As it came.
        sentences: What `sentences_of` made of it.
        tagged: Their tags.
    """
    pairs = zip(sentences, tagged, strict=True)
    return TagResponse(results=[_tagged_text(request, *pair) for pair in pairs])


def _tagged_text(request: TagRequest, sentence: Sentence, tagged: TaggedSentence) -> TaggedText:
    found = [
        Entity(type=e.type, text=e.text, start=e.start, end=e.end, score=round(e.score, 4))
        for e in text_entities(sentence, tagged)
    ]
    text = sentence.text if request.sentences is not None else None
    words = _words(sentence, tagged) if request.words else None
    return TaggedText(text=text, entities=found, words=words)


def _words(sentence: Sentence, tagged: TaggedSentence) -> list[TaggedWord]:
    rows = zip(sentence.words, tagged.tags, tagged.scores, strict=True)
    return [
        TaggedWord(text=word.text, start=word.start, end=word.end, tag=tag, score=round(score, 4))
        for word, tag, score in rows
    ]
