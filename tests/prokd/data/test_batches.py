from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from prokd.data import Corpus, EncodedCorpus, collate, encode_corpus, make_batches
from prokd.data.labels import TagSet
from prokd.errors import UserError

TAGS = TagSet.of(["PER", "LOC"])


def random_corpus(num_sentences: int, longest: int) -> tuple[list[list[str]], list[list[str]]]:
    generator = np.random.default_rng(7)
    words, tags = [], []
    for size in generator.integers(1, longest + 1, size=num_sentences):
        words.append([("a", "abc", "?")[i] for i in generator.integers(3, size=size)])
        tags.append([("O", "B-PER", "B-LOC")[i] for i in generator.integers(3, size=size)])
    return words, tags


@pytest.fixture
def encoded(
    corpus: Callable[..., Corpus], tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> EncodedCorpus:
    words, tags = random_corpus(211, 30)
    return encode_corpus(corpus(words, tags), tokenizer, TAGS, max_length=40, cache_dir=tmp_path)


LIMITS = [(1, 10_000), (8, 10_000), (32, 256), (500, 300), (16, 1), (1000, 10_000)]


@pytest.mark.parametrize(("batch_sentences", "batch_tokens"), LIMITS)
@pytest.mark.parametrize(("seed", "batch_pool"), [(None, 1), (0, 1), (1, 50)])
def test_every_sentence_once_and_within_the_limits(
    encoded: EncodedCorpus,
    batch_sentences: int,
    batch_tokens: int,
    seed: int | None,
    batch_pool: int,
) -> None:
    def batches() -> list[list[int]]:
        generator = None if seed is None else np.random.default_rng(seed)
        made = make_batches(
            encoded,
            batch_sentences=batch_sentences,
            batch_tokens=batch_tokens,
            generator=generator,
            batch_pool=batch_pool,
        )
        assert all(batch.dtype == np.int64 for batch in made)
        return [batch.tolist() for batch in made]

    made = batches()
    assert sorted(i for batch in made for i in batch) == list(range(len(encoded)))
    lengths = np.diff(encoded.offsets)
    for batch in made:
        assert 1 <= len(batch) <= batch_sentences
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= batch_tokens
    assert batches() == made


def test_evaluation_order_is_by_length(encoded: EncodedCorpus) -> None:
    made = make_batches(encoded, batch_sentences=8, batch_tokens=10_000, generator=None)
    lengths = np.diff(encoded.offsets)[np.concatenate(made)]
    assert (np.diff(lengths) <= 0).all()
    assert {len(batch) for batch in made[:-1]} == {8}


def drawn(
    encoded: EncodedCorpus, batch_pool: int, generator: np.random.Generator
) -> list[list[int]]:
    batches = make_batches(
        encoded,
        batch_sentences=8,
        batch_tokens=9999,
        generator=generator,
        batch_pool=batch_pool,
    )
    return [batch.tolist() for batch in batches]


@pytest.mark.parametrize(("batch_pool", "least", "most"), [(1, 0.5, 1.0), (50, 0.0, 0.1)])
def test_training_order_is_shuffled_and_sorted_within_pools(
    encoded: EncodedCorpus, batch_pool: int, least: float, most: float
) -> None:
    generator = np.random.default_rng(0)
    first, second = (drawn(encoded, batch_pool, generator) for _ in "12")
    assert first != second
    assert first == drawn(encoded, batch_pool, np.random.default_rng(0))
    lengths = np.diff(encoded.offsets)
    padding = sum(len(b) * lengths[b].max() - lengths[b].sum() for b in first) / lengths.sum()
    assert least <= padding < most
    mean = [lengths[batch].mean() for batch in first]
    assert mean != sorted(mean)
    assert mean != sorted(mean, reverse=True)


def test_a_pool_of_one_batch_holds_sentences_as_they_were_drawn(encoded: EncodedCorpus) -> None:
    order = np.random.default_rng(0).permutation(len(encoded)).tolist()
    batches = drawn(encoded, 1, np.random.default_rng(0))
    expected = [sorted(order[start : start + 8]) for start in range(0, len(order), 8)]
    assert sorted(map(sorted, batches)) == sorted(expected)


@pytest.mark.parametrize("wrong", ["batch_sentences", "batch_tokens", "batch_pool"])
def test_wrong_limits(encoded: EncodedCorpus, wrong: str) -> None:
    limits = {"batch_sentences": 1, "batch_tokens": 1, "batch_pool": 1, wrong: 0}
    with pytest.raises(UserError, match=rf"must hold, but got \(.*{wrong}=0"):
        make_batches(encoded, **limits, generator=None)


@pytest.mark.parametrize("sentences", [[0], [3, 1, 2], [5, 5], list(range(211))])
def test_collate_equals_plain_loops(encoded: EncodedCorpus, sentences: list[int]) -> None:
    assert encoded.labels is not None
    rows, mask, places, labels, words = [], [], [], [], []
    spans = [encoded.offsets[i : i + 2].tolist() for i in sentences]
    longest = max(end - start for start, end in spans)
    for row, (sentence, (start, end)) in enumerate(zip(sentences, spans, strict=True)):
        padding = longest - (end - start)
        rows.append([*encoded.input_ids[start:end].tolist(), *[99] * padding])
        mask.append([1] * (end - start) + [0] * padding)
        for word in range(encoded.word_offsets[sentence], encoded.word_offsets[sentence + 1]):
            places.append(row * longest + int(encoded.word_positions[word]))
            labels.append(int(encoded.labels[word]))
            words.append(word)
    batch = collate(encoded, sentences, 99)
    assert batch.input_ids_BT.tolist() == rows
    assert batch.attention_mask_BT.tolist() == mask
    assert batch.token_index_N.tolist() == places
    assert batch.labels_N is not None
    assert batch.labels_N.tolist() == labels
    assert batch.word_index_N.tolist() == words
    assert batch.num_tokens == len(words)
    tensors = (batch.input_ids_BT, batch.attention_mask_BT, batch.token_index_N, batch.labels_N)
    assert all(tensor.dtype == torch.int64 for tensor in (*tensors, batch.word_index_N))


def test_batches_cover_every_kept_word_once(encoded: EncodedCorpus) -> None:
    made = make_batches(encoded, batch_sentences=8, batch_tokens=200, generator=None)
    seen = torch.cat([collate(encoded, batch, 0).word_index_N for batch in made])
    assert sorted(seen.tolist()) == list(range(len(encoded.word_positions)))


def test_unlabelled_batch_moves(
    corpus: Callable[..., Corpus], tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    plain = encode_corpus(
        corpus([["a", "abc"]]), tokenizer, TAGS, max_length=9, cache_dir=tmp_path
    )
    batch = collate(plain, [0], 0)
    assert batch.labels_N is None
    moved = batch.to("meta", non_blocking=True)
    assert moved.labels_N is None
    assert moved.input_ids_BT.device.type == moved.places.position_N.device.type == "meta"
    assert moved.lengths_B.tolist() == batch.attention_mask_BT.sum(dim=1).tolist()
    assert moved.num_tokens == 2
