"""A corpus: the sentences of one language and split, with tags in IOB2 or without tags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from prokd.common.names import ending
from prokd.config.settings import JOINT
from prokd.data.allocation import without_collector
from prokd.data.hub import read_hub
from prokd.data.joined import joined
from prokd.data.labels import OUTSIDE, TagSet
from prokd.data.readers import RawSentences, read_file
from prokd.data.schemes import to_iob2
from prokd.errors import MissingLanguageError, MissingSplitError, UserError

DATASETS = ("wikiann", "conll", "phrasebook")
SPLIT_NAMES = {
    "train": ("train",),
    "dev": ("dev", "valid", "validation", "val", "testa"),
    "test": ("test", "testb"),
}
"""Each split, and the names that its file may have."""
SUFFIXES = ("", ".txt", ".conll", ".tsv", ".bio", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Corpus:
    """Sentences of one language and split.

    Args:
        language: Code of the language, e.g. "en".
        split: "train", "dev" or "test".
        words: Words of each sentence, exactly as in the source.
        tags: IOB2 tag of each word, or None if the tags were left at the door.
        origin: The file, "hub:<repository>/<language>@<revision>" or "phrasebook".
        scheme: Scheme of the source: "IOB1", "IOB2", "IOBES" or "IO"; "" without tags.
    """

    language: str
    split: str
    words: list[list[str]]
    tags: list[list[str]] | None
    origin: str
    scheme: str

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the words, and of the tags if there are any; 16 hexadecimal digits."""
        content = [self.words] if self.tags is None else [self.words, self.tags]
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @cached_property
    def entity_types(self) -> tuple[str, ...]:
        """The types of entities that occur, in order of first use; empty without tags."""
        tags = dict.fromkeys(tag for sentence in self.tags or () for tag in sentence)
        return tuple(dict.fromkeys(tag[2:] for tag in tags if tag != OUTSIDE))

    def __len__(self) -> int:
        """Return the number of sentences."""
        return len(self.words)


@without_collector()
def load_corpus(
    dataset: str,
    language: str,
    split: str,
    *,
    data_dirs: Sequence[Path] = (),
    labelled: bool = True,
    limit: int | None = None,
    separator: str | None = None,
    tag_column: int | None = None,
) -> Corpus:
    """Load the sentences of one language and split.

    Those of several languages, ``en.de``, are `joined`, and must have the same entity types
    (splits other than train: none that the first language lacks).

    With ``data_dirs``, the first folder that has ``<folder>/<language>/`` gives the file
    ``<split>[.txt|.conll|.tsv|.bio|.jsonl|.parquet]``, and nothing else is asked. Without, the
    Hugging Face hub gives "wikiann" and "conll", the embedded generator gives "phrasebook".

    Args:
        dataset: "wikiann", "conll" or "phrasebook".
        language: Code of the language, e.g. "en".
        split: "train", "dev" or "test".
        data_dirs: Folders to look into, in this order.
        labelled: False leaves the tags at the door: they are neither read nor checked.
        limit: Number of sentences to keep from the start, >= 1; None keeps all.
        separator: What separates the columns of a text file; None: detected.
        tag_column: Column of the tags in a text file; None: detected.

    Raises:
        MissingSplitError: The folder of the language has no file of the split, or neither hub nor
            cache gives it.
        UnlabelledError: Tags are wanted, and the file has none at all.
        MissingLanguageError: There is no such language.
        UserError: The split is empty, or its content is malformed.
    """
    _check_asked(dataset, split, limit)
    if JOINT in language:
        options: dict[str, Any] = {"data_dirs": data_dirs, "labelled": labelled}
        options |= {"separator": separator, "tag_column": tag_column}
        corpora = [load_corpus(dataset, code, split, **options) for code in language.split(JOINT)]
        check_same_types(*corpora, exact=split == "train")
        return joined(corpora, limit)
    if data_dirs:
        paths = _find(language, split, [Path(folder) for folder in data_dirs])
        parts = [
            read_file(path, labelled=labelled, separator=separator, tag_column=tag_column)
            for path in paths
        ]
    elif dataset == "phrasebook":
        parts = [_read_phrasebook(language, split, labelled=labelled)]
    else:
        parts = [read_hub(dataset, language, split, labelled=labelled)]
    return _corpus(language, split, parts, limit)


def _check_asked(dataset: str, split: str, limit: int | None) -> None:
    if dataset not in DATASETS:
        rule = f"`dataset` must be one of {', '.join(DATASETS)}"
        raise UserError(f"{rule}, {ending(dataset, DATASETS)}")
    if split not in SPLIT_NAMES:
        rule = f"`split` must be one of {', '.join(SPLIT_NAMES)}"
        raise UserError(f"{rule}, {ending(split, SPLIT_NAMES)}")
    if limit is not None and limit < 1:
        raise UserError(f"`limit >= 1` must hold, but got limit={limit}.")


def check_same_types(source: Corpus, *others: Corpus, exact: bool = True) -> None:
    """Check that labelled corpora have the entity types of the source; skip unlabelled ones.

    Args:
        source: The labelled corpus that training uses.
        others: Further corpora, e.g. the dev split of the source and the test of a target.
        exact: Also object to types of the source that another corpus lacks; False allows it,
            e.g. for small samples.

    Raises:
        UserError: The types differ; names both sets and the ways out.
    """
    for other in others:
        if other.tags is None or source.tags is None:
            continue
        strange = set(other.entity_types) - set(source.entity_types)
        missing = set(source.entity_types) - set(other.entity_types)
        if strange or (exact and missing):
            raise UserError(
                f"{other.origin}: the entity types must be those of {source.origin} "
                f"({', '.join(source.entity_types) or 'none'}), but got "
                f"{', '.join(other.entity_types) or 'none'} (choose languages of one dataset, or "
                f"replace the tags of other types by O in the files)."
            )


def shared_tag_set(corpora: Iterable[Corpus], *, exact: bool = True) -> TagSet:
    """Return the tag set of labelled corpora after checking that all have the same types.

    Args:
        corpora: Corpora with the source's training split first; unlabelled ones do not count.
        exact: As in `check_same_types`.

    Raises:
        UserError: The types differ, or no corpus has an entity.
    """
    labelled = [corpus for corpus in corpora if corpus.tags is not None]
    if not labelled or not labelled[0].entity_types:
        origin = labelled[0].origin if labelled else "no labelled corpus"
        raise UserError(f"the labelled source must have an entity, but got none ({origin}).")
    check_same_types(*labelled, exact=exact)
    return TagSet.of(labelled[0].entity_types)


def _find(language: str, split: str, data_dirs: list[Path]) -> list[Path]:
    searched = ", ".join(str(folder) for folder in data_dirs)
    folder = next((d / language for d in data_dirs if (d / language).is_dir()), None)
    if folder is None:
        raise MissingLanguageError(
            f"language {language!r} must be a folder in one of the data folders, "
            f"but none of these has it: {searched}."
        )
    candidates = [folder / (name + end) for name in SPLIT_NAMES[split] for end in SUFFIXES]
    found = [path for path in candidates if path.is_file()]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(f"{folder}: split {split!r} must be one file, but got {names}.")
    shards = [sorted(folder.glob(f"{name}-*-of-*.parquet")) for name in SPLIT_NAMES[split]]
    found = found or next((paths for paths in shards if paths), [])
    if not found:
        raise MissingSplitError(
            f"{folder}: split {split!r} must be a file such as "
            f"{SPLIT_NAMES[split][0]}.txt or {SPLIT_NAMES[split][0]}.parquet, "
            f"but got none (searched: {searched})."
        )
    return found


def _read_phrasebook(language: str, split: str, *, labelled: bool) -> RawSentences:
    from prokd.data.mini import LANGUAGES, generate

    if language not in LANGUAGES:
        raise MissingLanguageError(
            f"a language of the phrasebook must be one of {', '.join(LANGUAGES)}, "
            f"but got {language!r}."
        )
    sentences = generate(language, split)
    words = [list(words) for words, _ in sentences]
    tags = [list(tags) for _, tags in sentences] if labelled else None
    lines = [[i] * len(sentence) for i, sentence in enumerate(words, start=1)]
    return RawSentences(words, tags, lines, "phrasebook", "sentence ")


def _corpus(language: str, split: str, parts: list[RawSentences], limit: int | None) -> Corpus:
    origin = parts[0].path if len(parts) == 1 else f"{parts[0].path} and {len(parts) - 1} more"
    words = [sentence for part in parts for sentence in part.words]
    if not words:
        raise UserError(f"{origin}: split {split!r} must have a sentence, but it is empty.")
    tags: list[list[str]] | None = None
    scheme = ""
    if all(part.tags is not None for part in parts):
        starts = [(i, j) for i, part in enumerate(parts) for j in range(len(part.words))]

        def locate(sentence: int, word: int) -> str:
            part, row = starts[sentence]
            return parts[part].place(row, word)

        scheme, tags = to_iob2([s for part in parts for s in part.tags or ()], locate)
        tags = tags[:limit]
    return Corpus(language, split, words[:limit], tags, origin, scheme)
