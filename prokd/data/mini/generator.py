"""Seeded sentences from the phrasebooks: labelled, unlabelled and parallel.

The same arguments give the same sentences in every process. Dev and test mix what training
shows with what it never shows: their own templates, and names held out for them alone.
"""

import hashlib

import numpy as np

from prokd.data.mini.templates import SPLITS, Name, Phrasebook, Slot, shipped_phrasebook
from prokd.errors import UserError

LANGUAGES = ("en", "ar", "es", "nl", "de")
NUM_SENTENCES = {"train": 2400, "dev": 600, "test": 600}
# Shares of dev and test sentences (names) drawn from what was held out for that split alone.
HELD_OUT_TEMPLATE_SHARE = 0.2
HELD_OUT_NAME_SHARE = 0.2

Sentence = tuple[list[str], list[str]]


def generate(
    language: str, split: str, *, seed: int = 0, num_sentences: int | None = None
) -> list[Sentence]:
    """Returns labelled sentences of one language and split.

    Args:
        language: one of `LANGUAGES`.
        split: "train", "dev" or "test"; only dev and test hold names that training never shows.
        seed: a different seed gives different sentences.
        num_sentences: how many, >= 0; None for the split's default (2400, 600, 600).

    Returns:
        A list of (words, tags), tags in IOB2 over PER, LOC and ORG, one per word.

    Raises:
        UserError: unknown language or split, negative number, or a mistake in a phrasebook.

    Example:
        >>> words, tags = generate("en", "train", num_sentences=1)[0]
        >>> len(words) == len(tags)
        True
    """
    if split not in SPLITS:
        raise UserError(f"`split` must be one of {list(SPLITS)}, but got {split!r}.")
    book = _phrasebook(language)
    count = _checked_count(NUM_SENTENCES[split] if num_sentences is None else num_sentences)
    generator = _generator("labelled", language, split, seed)
    sentences = []
    for _ in range(count):
        template = _draw_template(book, split, generator)
        names = _draw_names(book, template, split, generator)
        sentences.append(_fill(template, names))
    return sentences


def unlabelled_sentences(
    language: str, *, seed: int = 0, num_sentences: int = 2400
) -> list[list[str]]:
    """Returns the words of sentences that hold only training templates and training names.

    Args:
        language: one of `LANGUAGES`.
        seed: a different seed gives different sentences; they differ from `generate`'s too.
        num_sentences: how many, >= 0.

    Raises:
        UserError: unknown language, negative number, or a mistake in a phrasebook.
    """
    book = _phrasebook(language)
    generator = _generator("unlabelled", language, "train", seed)
    sentences = []
    for _ in range(_checked_count(num_sentences)):
        template = _draw_template(book, "train", generator)
        sentences.append(_fill(template, _draw_names(book, template, "train", generator))[0])
    return sentences


def parallel_sentences(
    first: str, second: str, *, seed: int = 0, num_sentences: int = 2400
) -> list[tuple[list[str], list[str]]]:
    """Returns pairs of translated sentences: training templates and training names only.

    Names at the same place of both phrasebooks correspond: they are the same name in the two
    languages, or names with the same role.

    Args:
        first: language of each pair's first sentence, one of `LANGUAGES`.
        second: language of each pair's second sentence, one of `LANGUAGES`.
        seed: a different seed gives different pairs.
        num_sentences: how many pairs, >= 0.

    Raises:
        UserError: unknown language, negative number, a mistake in a phrasebook, or two
            phrasebooks whose templates or names do not correspond.
    """
    books = _phrasebook(first), _phrasebook(second)
    _check_correspondence(*books)
    generator = _generator("parallel", f"{first}-{second}", "train", seed)
    pairs = []
    for _ in range(_checked_count(num_sentences)):
        index = int(generator.integers(len(books[0].templates["train"])))
        templates = [book.templates["train"][index] for book in books]
        places = _draw_places(books[0], templates[0], ["train"], generator)
        filled = [
            _fill(template, [(kind, book.names[kind][split][i]) for kind, split, i in places])[0]
            for book, template in zip(books, templates, strict=True)
        ]
        pairs.append((filled[0], filled[1]))
    return pairs


def _phrasebook(language: str) -> Phrasebook:
    """Returns the shipped phrasebook of a known language."""
    if language not in LANGUAGES:
        raise UserError(f"`language` must be one of {list(LANGUAGES)}, but got {language!r}.")
    return shipped_phrasebook(language)


def _checked_count(num_sentences: int) -> int:
    """Returns the number of sentences, or says that it cannot be negative."""
    if num_sentences < 0:
        raise UserError(f"`num_sentences >= 0` must hold, but got {num_sentences}.")
    return num_sentences


def _generator(purpose: str, language: str, split: str, seed: int) -> np.random.Generator:
    """Returns a random generator that depends on the arguments alone, not on the process."""
    key = f"{purpose}/{language}/{split}/{seed}".encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key).digest()[:16], "big"))


def _draw_template(
    book: Phrasebook, split: str, generator: np.random.Generator
) -> tuple[str | Slot, ...]:
    """Returns a template of training or, in dev and test, sometimes one of the split's own."""
    own = split == "train" or generator.random() < HELD_OUT_TEMPLATE_SHARE
    templates = book.templates[split if own else "train"]
    return templates[int(generator.integers(len(templates)))]


def _draw_names(
    book: Phrasebook, template: tuple[str | Slot, ...], split: str, generator: np.random.Generator
) -> list[tuple[str, Name]]:
    """Returns (entity type, name) for each slot; no name twice in a sentence."""
    slots = [part for part in template if isinstance(part, Slot)]
    held_out = [split != "train" and generator.random() < HELD_OUT_NAME_SHARE for _ in slots]
    splits = [split if own else "train" for own in held_out]
    places = _draw_places(book, template, splits, generator)
    return [(kind, book.names[kind][part][index]) for kind, part, index in places]


def _draw_places(
    book: Phrasebook,
    template: tuple[str | Slot, ...],
    splits: list[str],
    generator: np.random.Generator,
) -> list[tuple[str, str, int]]:
    """Returns (entity type, split, index of the name) for each slot, all different.

    A single split stands for all slots.
    """
    slots = [part for part in template if isinstance(part, Slot)]
    places: list[tuple[str, str, int]] = []
    for position, slot in enumerate(slots):
        kind = slot.kinds[int(generator.integers(len(slot.kinds)))]
        split = splits[position % len(splits)]
        num_names = len(book.names[kind][split])
        index = int(generator.integers(num_names))
        while (kind, split, index) in places:
            index = (index + 1) % num_names
        places.append((kind, split, index))
    return places


def _fill(template: tuple[str | Slot, ...], names: list[tuple[str, Name]]) -> Sentence:
    """Returns the words and IOB2 tags of a template with its slots filled in order."""
    words: list[str] = []
    tags: list[str] = []
    remaining = iter(names)
    for part in template:
        if isinstance(part, str):
            words.append(part)
            tags.append("O")
            continue
        kind, name = next(remaining)
        label = part.label or kind
        words.extend(name)
        tags.extend([f"B-{label}", *[f"I-{label}"] * (len(name) - 1)])
    return words, tags


def _check_correspondence(first: Phrasebook, second: Phrasebook) -> None:
    """Checks that template i and name i of two phrasebooks have the same slots and role."""
    for split in SPLITS:
        ours, theirs = first.slot_kinds(split), second.slot_kinds(split)
        if len(ours) != len(theirs):
            raise UserError(
                f"{second.path}: `templates.{split}` must have as many templates as {first.path} "
                f"({len(ours)}), but got {len(theirs)}."
            )
        for index, (our_slots, their_slots) in enumerate(zip(ours, theirs, strict=True)):
            if our_slots != their_slots:
                raise UserError(
                    f"{second.path}: template {index + 1} of `templates.{split}` must have the "
                    f"slots of {first.path} {our_slots}, but got {their_slots}."
                )
    for kind, names in first.names.items():
        if len(names["train"]) != len(second.names[kind]["train"]):
            raise UserError(
                f"{second.path}: `names.{kind}` must have as many rows as {first.path}, "
                f"but got {len(second.names[kind]['test'])} instead of {len(names['test'])}."
            )
