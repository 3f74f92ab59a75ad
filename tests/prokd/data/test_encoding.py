from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from prokd.data import Corpus, EncodedCorpus, encode_corpus
from prokd.data.encoding import tokenizer_identity
from prokd.data.labels import TagSet
from prokd.data.subwords import ranges, special_tokens, unknown_pieces
from prokd.encoder.files import load_tokenizer
from prokd.errors import UserError

from .conftest import VOCABULARY, word_piece

TAGS = TagSet.of(["PER", "LOC"])
WORDS = [["ab", "c"], ["x", "abc", "?", "b"], ["a"]]
LABELS = [["B-PER", "O"], ["O", "B-LOC", "I-LOC", "B-PER"], ["O"]]


def encode(
    corpus: Corpus, tokenizer: PreTrainedTokenizerFast, folder: Path, max_length: int = 16
) -> EncodedCorpus:
    return encode_corpus(corpus, tokenizer, TAGS, max_length=max_length, cache_dir=folder)


def tokens(encoded: EncodedCorpus, sentence: int) -> list[str]:
    start, end = encoded.offsets[sentence : sentence + 2]
    return [VOCABULARY[i] for i in encoded.input_ids[start:end]]


def test_arrays(
    corpus: Callable[..., Corpus], tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    encoded = encode(corpus(WORDS, LABELS), tokenizer, tmp_path)
    assert [tokens(encoded, i) for i in range(3)] == [
        ["[CLS]", "a", "##b", "c", "[SEP]"],
        ["[CLS]", "x", "a", "##b", "##c", "[UNK]", "b", "[SEP]"],
        ["[CLS]", "a", "[SEP]"],
    ]
    assert encoded.offsets.tolist() == [0, 5, 13, 16]
    assert encoded.word_positions.tolist() == [1, 3, 1, 2, 5, 6, 1]
    assert encoded.word_offsets.tolist() == [0, 2, 6, 7]
    assert encoded.labels is not None
    assert encoded.labels.tolist() == TAGS.indices([tag for tags in LABELS for tag in tags])
    assert (encoded.num_words.tolist(), encoded.num_words_cut, len(encoded)) == ([2, 4, 1], 0, 3)
    assert (encoded.language, encoded.split, encoded.tag_set) == ("en", "train", TAGS)
    kinds = ("int32", "int64", "int32", "int64", "int16", "int32")
    arrays = (
        encoded.input_ids,
        encoded.offsets,
        encoded.word_positions,
        encoded.word_offsets,
        encoded.labels,
        encoded.num_words,
    )
    assert tuple(str(array.dtype) for array in arrays) == kinds
    assert not any(array.flags.writeable for array in arrays)


def test_long_sentences_are_cut_and_counted(
    corpus: Callable[..., Corpus], tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    encoded = encode(corpus(WORDS, LABELS), tokenizer, tmp_path, max_length=5)
    assert tokens(encoded, 1) == ["[CLS]", "x", "a", "##b", "[SEP]"]  # "abc" keeps its start
    assert encoded.word_positions.tolist() == [1, 3, 1, 2, 1]
    assert encoded.word_offsets.tolist() == [0, 2, 4, 5]
    assert encoded.labels is not None
    assert encoded.labels.tolist() == TAGS.indices(["B-PER", "O", "O", "B-LOC", "O"])
    assert (encoded.num_words.tolist(), encoded.num_words_cut) == ([2, 4, 1], 2)


def test_words_without_subword_become_unknown(
    corpus: Callable[..., Corpus], tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    words = [["\u200b", "a", "\u00a0", " ", "b", "\x01"], ["\u200d"]]
    assert not tokenizer(["\u200b"], is_split_into_words=True, add_special_tokens=False).input_ids
    encoded = encode(corpus(words), tokenizer, tmp_path)
    unknown = "[UNK]"
    assert tokens(encoded, 0)[1:-1] == [unknown, "a", unknown, unknown, "b", unknown]
    assert encoded.word_positions.tolist() == [1, 2, 3, 4, 5, 6, 1]
    assert (encoded.labels, encoded.num_words_cut) == (None, 0)


def test_same_as_the_tokenizer_itself(
    corpus: Callable[..., Corpus], tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    words = [
        ["".join(generator.choice(list("abcx"), 1 + generator.integers(4))) for _ in range(size)]
        for size in generator.integers(1, 9, size=50)
    ]
    encoded = encode(corpus(words), tokenizer, tmp_path, max_length=12)
    for i, sentence in enumerate(words):
        expected = tokenizer(sentence, is_split_into_words=True, truncation=True, max_length=12)
        ids = encoded.input_ids[encoded.offsets[i] : encoded.offsets[i + 1]]
        assert ids.tolist() == expected.input_ids
        places = expected.word_ids()
        first = [p for p, w in enumerate(places) if w is not None and w != places[p - 1]]
        start, end = encoded.word_offsets[i : i + 2]
        assert encoded.word_positions[start:end].tolist() == first
        assert encoded.num_words[i] == len(sentence)


def test_cache_is_used_and_named_by_its_content(
    corpus: Callable[..., Corpus], tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    first = encode(corpus(WORDS, LABELS), tokenizer, tmp_path)
    path = tmp_path / f"{first.fingerprint}.arrow"
    written = path.stat().st_mtime_ns
    tokenizer(["a"], padding=True, truncation=True, max_length=7)  # leaves traces in its state
    second = encode(corpus(WORDS, LABELS), tokenizer, tmp_path)
    assert path.stat().st_mtime_ns == written
    assert second.fingerprint == first.fingerprint
    np.testing.assert_array_equal(first.input_ids, second.input_ids)
    assert list(tmp_path.iterdir()) == [path]

    other_tags = [["B-LOC", "O"], *LABELS[1:]]
    others = [
        encode(corpus(WORDS, other_tags), tokenizer, tmp_path),
        encode(corpus(WORDS), tokenizer, tmp_path),
        encode(corpus(WORDS[::-1], LABELS[::-1]), tokenizer, tmp_path),
        encode(corpus(WORDS, LABELS), tokenizer, tmp_path, max_length=17),
        encode(corpus(WORDS, LABELS), word_piece((*VOCABULARY, "?")), tmp_path),
        encode_corpus(
            corpus(WORDS, LABELS),
            tokenizer,
            TagSet.of(["PER", "LOC", "ORG"]),
            max_length=16,
            cache_dir=tmp_path,
        ),
    ]
    prints = {first.fingerprint, *(other.fingerprint for other in others)}
    assert len(prints) == 1 + len(others)


def test_identity_of_tokenizers() -> None:
    assert tokenizer_identity(word_piece()) == tokenizer_identity(word_piece())
    assert tokenizer_identity(word_piece()) != tokenizer_identity(word_piece((*VOCABULARY, "?")))
    grows = word_piece()
    before = tokenizer_identity(grows)
    grows.add_tokens(["a-new-one"])
    assert tokenizer_identity(grows) != before


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "flipped"])
def test_damaged_cache_is_built_anew(
    corpus: Callable[..., Corpus],
    tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = encode(corpus(WORDS, LABELS), tokenizer, tmp_path)
    ids = first.input_ids.copy()
    path = tmp_path / f"{first.fingerprint}.arrow"
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[content.index(ids.tobytes())] ^= 1
    damaged = {
        "empty": b"",
        "truncated": content[: len(content) // 2],
        "garbage": b"ARROW1 but not really" * 50,
        "flipped": bytes(flipped),
    }
    path.unlink()  # arrays that are mapped already keep the old content
    path.write_bytes(damaged[damage])
    again = encode(corpus(WORDS, LABELS), tokenizer, tmp_path)
    np.testing.assert_array_equal(again.input_ids, ids)
    np.testing.assert_array_equal(first.input_ids, ids)
    assert "damaged cache file is built anew" in caplog.text
    caplog.clear()
    encode(corpus(WORDS, LABELS), tokenizer, tmp_path)
    assert not caplog.text


def write_again_and_again(corpus: Corpus, folder: Path, seed: int) -> None:
    """Encode and delete in turn, so that the writers meet in every state of the folder."""
    for _ in range(40):
        encoded = encode(corpus, word_piece(), folder)
        lengths = np.diff(encoded.offsets)
        assert len(encoded) == 300
        assert (lengths == 8).all()
        assert encoded.offsets[-1] == len(encoded.input_ids)
        if seed == 0:
            (folder / f"{encoded.fingerprint}.arrow").unlink(missing_ok=True)


def test_concurrent_writers(
    corpus: Callable[..., Corpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")  # as its authors ask before a fork
    shared = corpus([["ab", "c", "abc"]] * 300)
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=write_again_and_again, args=(shared, tmp_path, seed))
        for seed in range(3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert not list(tmp_path.glob("*.tmp"))


def test_ranges_and_special_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    assert ranges(np.array([4, 0, 9]), np.array([2, 0, 3])).tolist() == [4, 5, 9, 10, 11]
    assert special_tokens(tokenizer) == ([2], [3])


def test_errors(
    corpus: Callable[..., Corpus], tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"`max_length >= 3` must hold .* got max_length=2\.$"):
        encode(corpus(WORDS, LABELS), tokenizer, tmp_path, max_length=2)
    with pytest.raises(UserError, match=r"memory: a tag must be one of O, .* got 'B-MISC'\.$"):
        encode(corpus([["a"]], [["B-MISC"]]), tokenizer, tmp_path)
    with pytest.raises(UserError, match=r"the tokenizer must be a fast one .* got object\.$"):
        encode(corpus(WORDS), object(), tmp_path)  # type: ignore[arg-type]
    short = word_piece()
    short.model_max_length = 8
    with pytest.raises(UserError, match=r"`max_length <= 8` must hold .* got max_length=9\.$"):
        encode(corpus(WORDS), short, tmp_path, max_length=9)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"`cache_dir` must be a folder to write in"):
        encode(corpus(WORDS), tokenizer, tmp_path / "file")


def test_tokenizer_without_unknown_token(corpus: Callable[..., Corpus], tmp_path: Path) -> None:
    tokenizer = word_piece()
    tokenizer.unk_token = None
    with pytest.raises(UserError, match=r"must have an unknown token .* '\\u200b' is such a one"):
        encode(corpus([["a", "\u200b"]]), tokenizer, tmp_path)


@pytest.mark.parametrize("side", ["left", "right"])
def test_stored_padding_and_truncation_do_not_matter(
    corpus: Callable[..., Corpus], tmp_path: Path, side: str
) -> None:
    plain = encode(corpus(WORDS, LABELS), word_piece(), tmp_path / "plain")
    stored = word_piece()
    stored.backend_tokenizer.enable_padding(direction=side, length=12, pad_id=0)
    stored.backend_tokenizer.enable_truncation(4)
    for _ in range(2):  # the first corpus is encoded as later ones are
        encoded = encode(corpus(WORDS, LABELS), stored, tmp_path / "stored")
        assert encoded.input_ids.tolist() == plain.input_ids.tolist()
        assert encoded.word_positions.tolist() == plain.word_positions.tolist()
        stored.backend_tokenizer.enable_padding(direction=side, length=12, pad_id=0)
    assert special_tokens(stored) == special_tokens(word_piece())


def test_a_loaded_tokenizer_has_no_stored_padding(tmp_path: Path) -> None:
    stored = word_piece()
    stored.backend_tokenizer.enable_padding(length=12)
    stored.backend_tokenizer.enable_truncation(4)
    stored.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    loaded = load_tokenizer(str(tmp_path)).backend_tokenizer
    assert (loaded.padding, loaded.truncation) == (None, None)


def test_unknown_pieces() -> None:
    sentences = [["ab", "?"], ["?", "x"], ["abc"]]
    assert unknown_pieces(sentences, word_piece()) == (2, 2, 8)
