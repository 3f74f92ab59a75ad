"""Tiny tokenizers and corpora, made in code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from prokd.data import Corpus

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "##a", "##b", "##c", "x", "##x")


def word_piece(vocabulary: Sequence[str] = VOCABULARY) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer as BERT's: drops control characters, spells words with a, b, c, x."""
    indices = {token: index for index, token in enumerate(vocabulary)}
    backend = Tokenizer(models.WordPiece(indices, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", indices["[CLS]"]), ("[SEP]", indices["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return word_piece()


@pytest.fixture
def corpus() -> Callable[..., Corpus]:
    """Build a corpus from words and tags."""

    def build(words: list[list[str]], tags: list[list[str]] | None = None) -> Corpus:
        return Corpus("en", "train", words, tags, "memory", "IOB2" if tags else "")

    return build
