"""Words to subwords, with the position of each word's first subword."""

# S sentences, L subwords in all, W words in all, K kept words in all

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from prokd.errors import UserError

if TYPE_CHECKING:  # a slow import that nothing here needs at run time
    from transformers import PreTrainedTokenizerFast

CHUNK = 2000
"""Sentences that are given to the tokenizer at once: bounds memory, changes nothing else."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Subwords:
    """Subwords of all sentences in flat arrays; see `EncodedCorpus` for most of them.

    Args:
        input_ids: int32 (L,), with special tokens.
        offsets: int64 (S+1,).
        word_positions: int32 (K,).
        word_offsets: int64 (S+1,).
        num_words: int32 (S,).
        kept_words: int64 (K,), index of each kept word among all W words of the corpus.
    """

    input_ids: npt.NDArray[np.int32]
    offsets: IntArray
    word_positions: npt.NDArray[np.int32]
    word_offsets: IntArray
    num_words: npt.NDArray[np.int32]
    kept_words: IntArray


def split_into_subwords(
    sentences: Sequence[list[str]], tokenizer: PreTrainedTokenizerFast, max_length: int
) -> Subwords:
    """Split words into subwords and cut sentences to ``max_length``, special tokens included.

    Args:
        sentences: Words of each sentence; none is empty.
        tokenizer: A fast tokenizer.
        max_length: Largest number of subwords of a sentence; must leave room for one word.

    Raises:
        UserError: ``max_length`` is too small, or the tokenizer has no unknown token to stand
            for a word that it maps to nothing.
    """
    prefix, suffix = special_tokens(tokenizer)
    room = max_length - len(prefix) - len(suffix)
    if room < 1:
        raise UserError(
            f"`max_length >= {len(prefix) + len(suffix) + 1}` must hold (the tokenizer adds "
            f"{len(prefix) + len(suffix)} special tokens), but got max_length={max_length}."
        )
    ids_L, words_L, lengths_S = _tokenize(sentences, tokenizer)
    num_words_S = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))

    positions_L = ranges(np.zeros_like(lengths_S), lengths_S)
    sentence_L = np.repeat(np.arange(len(sentences)), lengths_S)
    is_first_L = np.ones(len(ids_L), dtype=bool)
    is_first_L[1:] = (words_L[1:] != words_L[:-1]) | (positions_L[1:] == 0)
    fits_L = positions_L < room
    kept_L = is_first_L & fits_L

    cut_lengths_S = np.minimum(lengths_S, room)
    offsets = _offsets(cut_lengths_S + len(prefix) + len(suffix))
    input_ids = np.empty(offsets[-1], dtype=np.int32)
    for i, token in enumerate(prefix):
        input_ids[offsets[:-1] + i] = token
    for i, token in enumerate(suffix):
        input_ids[offsets[1:] - len(suffix) + i] = token
    input_ids[ranges(offsets[:-1] + len(prefix), cut_lengths_S)] = ids_L[fits_L]
    return Subwords(
        input_ids=input_ids,
        offsets=offsets,
        word_positions=(positions_L[kept_L] + len(prefix)).astype(np.int32),
        word_offsets=_offsets(np.bincount(sentence_L[kept_L], minlength=len(sentences))),
        num_words=num_words_S.astype(np.int32),
        kept_words=_offsets(num_words_S)[sentence_L[kept_L]] + words_L[kept_L],
    )


def ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """Concatenate ``arange(start, start + length)`` of each pair.

    Example:
        >>> ranges(np.array([10, 5]), np.array([3, 2])).tolist()
        [10, 11, 12, 5, 6]
    """
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum(), dtype=np.int64)


def special_tokens(tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], list[int]]:
    """Return the vocabulary indices that the tokenizer puts before and behind a sentence."""
    forget_padding_and_truncation(tokenizer)
    with_specials = tokenizer.backend_tokenizer.encode(["a"], is_pretokenized=True)
    mask = list(with_specials.special_tokens_mask)
    before = mask.index(0)
    behind = mask[::-1].index(0)
    return with_specials.ids[:before], with_specials.ids[len(mask) - behind :]


def forget_padding_and_truncation(tokenizer: PreTrainedTokenizerFast) -> None:
    """Switch off what a ``tokenizer.json`` stores of padding and truncation.

    Padding would count as special tokens, and the first call of the tokenizer would switch both
    off for later ones alone. Nothing here pads or cuts by the tokenizer.
    """
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()


class UnknownPieces(NamedTuple):
    """What of a corpus the tokenizer does not know.

    Args:
        words: Words that are unknown as a whole.
        subwords: Unknown subwords.
        all_subwords: Subwords in all, special ones left out.
    """

    words: int
    subwords: int
    all_subwords: int


def unknown_pieces(
    sentences: Sequence[list[str]], tokenizer: PreTrainedTokenizerFast
) -> UnknownPieces:
    """Count the unknown tokens among the subwords of sentences, which are not cut."""
    ids_L, words_L, lengths_S = _tokenize(sentences, tokenizer)
    if tokenizer.unk_token_id is None:
        return UnknownPieces(0, 0, len(ids_L))
    unknown_L = ids_L == tokenizer.unk_token_id
    sentence_L = np.repeat(np.arange(len(lengths_S)), lengths_S)
    starts_L = np.ones(len(ids_L), dtype=bool)
    starts_L[1:] = (words_L[1:] != words_L[:-1]) | (sentence_L[1:] != sentence_L[:-1])
    whole = np.logical_and.reduceat(unknown_L, np.flatnonzero(starts_L))
    return UnknownPieces(int(whole.sum()), int(unknown_L.sum()), len(ids_L))


def _offsets(lengths: npt.NDArray[np.int64]) -> IntArray:
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


def _tokenize(
    sentences: Sequence[list[str]], tokenizer: PreTrainedTokenizerFast
) -> tuple[IntArray, IntArray, IntArray]:
    """Return index and word (numbered within its sentence) of all subwords, and lengths."""
    ids: list[IntArray] = []
    words: list[IntArray] = []
    lengths: list[int] = []
    for start in range(0, len(sentences), CHUNK):
        for sentence, (sentence_ids, sentence_words) in zip(
            sentences[start : start + CHUNK],
            _encode_batch(sentences[start : start + CHUNK], tokenizer),
            strict=True,
        ):
            if len(np.unique(sentence_words)) < len(sentence):
                sentence_ids, sentence_words = _with_unknown(sentence, sentence_words, tokenizer)
            ids.append(sentence_ids)
            words.append(sentence_words)
            lengths.append(len(sentence_ids))
    return np.concatenate(ids), np.concatenate(words), np.array(lengths, dtype=np.int64)


def _encode_batch(
    sentences: Sequence[list[str]], tokenizer: PreTrainedTokenizerFast
) -> list[tuple[IntArray, IntArray]]:
    batch = tokenizer(
        list(sentences),
        is_split_into_words=True,
        add_special_tokens=False,
        padding=False,
        truncation=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    return [
        (np.array(encoding.ids, dtype=np.int64), np.array(encoding.word_ids, dtype=np.int64))
        for encoding in batch.encodings or ()
    ]


def _with_unknown(
    sentence: list[str], present: IntArray, tokenizer: PreTrainedTokenizerFast
) -> tuple[IntArray, IntArray]:
    """Encode a sentence with the unknown token for each word that has no subword."""
    unknown = tokenizer.unk_token
    lost = sorted(set(range(len(sentence))) - set(present.tolist()))
    if unknown is None:
        raise UserError(
            f"the tokenizer must have an unknown token for words that it maps to nothing, "
            f"but it has none, and the word {sentence[lost[0]]!r} is such a one."
        )
    filled = list(sentence)
    for index in lost:
        filled[index] = str(unknown)
    return _encode_batch([filled], tokenizer)[0]
