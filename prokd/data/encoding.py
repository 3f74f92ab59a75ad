"""Subwords of a corpus, kept in a file (`prokd.data.arrays_file`) that is memory-mapped.

The file is named by everything that its content depends on, so it is never out of date; a damaged
one is built anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from prokd.data.arrays_file import Arrays, open_arrays, write_arrays
from prokd.data.corpus import Corpus
from prokd.data.labels import TagSet
from prokd.data.subwords import split_into_subwords
from prokd.errors import UserError

if TYPE_CHECKING:  # a slow import that nothing here needs at run time
    from transformers import PreTrainedTokenizerFast

FORMAT_VERSION = 2
"""Part of every fingerprint: a change of layout or meaning of the file must raise it.

2: encoded whatever padding and truncation the tokenizer's file stores.
"""

_identities: WeakKeyDictionary[PreTrainedTokenizerFast, tuple[tuple[int, str], str]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True)
class EncodedCorpus:
    """A corpus as subwords; the arrays are read-only views of the cache file.

    S sentences, L subwords in all (special ones included), K kept words in all. A word is kept
    if its first subword lies within ``max_length``; the others are cut (and stay "O" in scores).

    Args:
        language: Code of the language.
        split: "train", "dev" or "test".
        tag_set: The tags that ``labels`` index.
        fingerprint: Hash of words, tags, tokenizer, maximal length and tag set; 16 hex digits.
        input_ids: int32 (L,), vocabulary indices from [CLS] to [SEP] of each sentence.
        offsets: int64 (S+1,), where each sentence starts in ``input_ids``.
        word_positions: int32 (K,), position of each kept word's first subword in its sentence.
        word_offsets: int64 (S+1,), where each sentence starts in ``word_positions``.
        labels: int16 (K,), class index of each kept word, or None if unlabelled.
        num_words: int32 (S,), words of each sentence, cut ones included.
        num_words_cut: Words that are not kept, over all sentences.
        frozen_features: float (L, D), or uint16 as bits of bfloat16, hidden states upon the frozen
            part of an encoder, memory-mapped; None where every batch computes its own.
    """

    language: str
    split: str
    tag_set: TagSet
    fingerprint: str
    input_ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    word_positions: npt.NDArray[np.int32]
    word_offsets: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int16] | None
    num_words: npt.NDArray[np.int32]
    num_words_cut: int
    frozen_features: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        """Return the number of sentences."""
        return len(self.num_words)


def encode_corpus(
    corpus: Corpus,
    tokenizer: PreTrainedTokenizerFast,
    tag_set: TagSet,
    *,
    max_length: int,
    cache_dir: Path | None,
) -> EncodedCorpus:
    """Split the words of a corpus into subwords, or open the cached result.

    A word that the tokenizer maps to nothing (a lone control character, say) becomes the unknown
    token: no word is lost without being counted.

    Args:
        corpus: The sentences.
        tokenizer: A fast tokenizer; its settings of padding and truncation do not matter.
        tag_set: The tags to index; must hold every tag of the corpus.
        max_length: Largest number of subwords of a sentence, special ones included.
        cache_dir: Folder of cache files; made if it is missing. None = nothing is kept.

    Raises:
        UserError: The tokenizer is not a fast one, ``max_length`` leaves no room for a word or
            exceeds what the tokenizer's model takes, or a tag is not in the tag set.
    """
    _check(tokenizer, max_length)
    fingerprint = _fingerprint(corpus, tokenizer, tag_set, max_length)
    path = None if cache_dir is None else Path(cache_dir) / f"{fingerprint}.arrow"
    arrays = None if path is None else open_arrays(path)
    if arrays is None:
        arrays = _encode(corpus, tokenizer, tag_set, max_length)
        if path is not None:
            write_arrays(path, arrays)
            # From here on the file is what counts; the arrays in memory only stand in for it if
            # somebody deleted it in this very moment.
            arrays = open_arrays(path) or arrays
    num_words_cut = int(arrays["num_words"].sum()) - len(arrays["word_positions"])
    return EncodedCorpus(
        language=corpus.language,
        split=corpus.split,
        tag_set=tag_set,
        fingerprint=fingerprint,
        input_ids=arrays["input_ids"],
        offsets=arrays["offsets"],
        word_positions=arrays["word_positions"],
        word_offsets=arrays["word_offsets"],
        labels=arrays.get("labels"),
        num_words=arrays["num_words"],
        num_words_cut=num_words_cut,
    )


def _check(tokenizer: PreTrainedTokenizerFast, max_length: int) -> None:
    """Refuse a tokenizer that is not a fast one, or that takes no text so long."""
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            f"the tokenizer must be a fast one (with a tokenizer.json), "
            f"but got {type(tokenizer).__name__}."
        )
    if max_length > tokenizer.model_max_length:
        raise UserError(
            f"`max_length <= {tokenizer.model_max_length}` must hold for this encoder, "
            f"but got max_length={max_length}."
        )


def tokenizer_identity(tokenizer: PreTrainedTokenizerFast) -> str:
    """Hash all that decides how the tokenizer splits words; 16 hexadecimal digits.

    Hashed once for a tokenizer, and again if tokens were added to it: a vocabulary is large.
    """
    known = _identities.get(tokenizer)
    marks = (len(tokenizer), str(tokenizer.unk_token))
    if known is None or known[0] != marks:
        known = _identities[tokenizer] = (marks, _tokenizer_hash(tokenizer))
    return known[1]


def _tokenizer_hash(tokenizer: PreTrainedTokenizerFast) -> str:
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    # Calls of the tokenizer leave their padding and truncation behind in its state.
    state["padding"] = state["truncation"] = None
    text = json.dumps([state, str(tokenizer.unk_token)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _fingerprint(
    corpus: Corpus, tokenizer: PreTrainedTokenizerFast, tag_set: TagSet, max_length: int
) -> str:
    parts = [
        FORMAT_VERSION,
        corpus.fingerprint,
        tokenizer_identity(tokenizer),
        max_length,
        list(tag_set.entity_types),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _encode(
    corpus: Corpus, tokenizer: PreTrainedTokenizerFast, tag_set: TagSet, max_length: int
) -> Arrays:
    subwords = split_into_subwords(corpus.words, tokenizer, max_length)
    arrays: Arrays = {
        "input_ids": subwords.input_ids,
        "offsets": subwords.offsets,
        "word_positions": subwords.word_positions,
        "word_offsets": subwords.word_offsets,
        "num_words": subwords.num_words,
    }
    if corpus.tags is not None:
        classes = _classes(corpus, tag_set)
        arrays["labels"] = classes[subwords.kept_words]
    return arrays


def _classes(corpus: Corpus, tag_set: TagSet) -> npt.NDArray[np.int16]:
    tags = list(chain.from_iterable(corpus.tags or ()))
    table = {}
    for tag in sorted(set(tags)):
        if tag not in tag_set.names:
            raise UserError(
                f"{corpus.origin}: a tag must be one of {', '.join(tag_set.names)}, "
                f"but got {tag!r}."
            )
        table[tag] = tag_set.index(tag)
    return np.fromiter(map(table.__getitem__, tags), dtype=np.int16, count=len(tags))
