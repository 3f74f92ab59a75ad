"""Encoders of known shapes with random weights, text drawn for them, and the work in a step.

# B sentences, T subwords, N valid tokens (flattened)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel

from benchmarks.gpu_session.session import Session
from prokd.config.settings import Precision
from prokd.data import Corpus, EncodedCorpus
from prokd.data.labels import TagSet
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layers import encoder_layers, freeze
from prokd.scoring.evaluation import LabelledSplit
from prokd.stages.seeding import seed_everything

TAGS = TagSet(("LOC", "ORG", "PER"))
FIRST_PIECE = 200
"""Vocabulary indices below this are special in the encoders that the shapes are of."""
LONGEST = 128
MBERT, E5 = "mBERT's shape", "e5's shape"
SHAPES = {MBERT: (12, 768, 12, 119_547, 3), E5: (6, 384, 12, 95_336, 2)}
"""Layers, features, heads, vocabulary, frozen layers."""
TINY_SHAPE = (3, 32, 2, 300, 1)


def shape_config(session: Session, name: str) -> BertConfig:
    """Return the configuration of a shape; in a dry run, of a tiny one."""
    layers, width, heads, vocabulary, _ = TINY_SHAPE if session.tiny else SHAPES[name]
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
    )


def build(session: Session, name: str, precision: Precision = "auto") -> TokenClassifier:
    """Return a classifier of a shape, its embeddings and lower layers frozen, on the device."""
    seed_everything(0, 0)  # which also chooses deterministic algorithms, as training does
    frozen = (TINY_SHAPE if session.tiny else SHAPES[name])[-1]
    model = classifier(shape_config(session, name), frozen, precision)
    return model.to(session.device)


def classifier(
    config: BertConfig, frozen_layers: int, precision: Precision = "auto"
) -> TokenClassifier:
    """Return a classifier on a random encoder."""
    encoder = BertModel(config, add_pooling_layer=False)
    freeze(encoder, layers=frozen_layers, embeddings=True)
    return TokenClassifier(encoder, len(TAGS), dropout=0.1, precision=precision)


def lengths(session: Session, number: int, seed: int) -> npt.NDArray[np.int64]:
    """Return lengths in subwords: drawn from those of the carried text, or like WikiANN's."""
    generator = np.random.default_rng(seed)
    if session.data is None:
        return generator.gamma(3.0, 4.5, size=number).astype(np.int64).clip(0, LONGEST - 4) + 4
    from prokd.training.corpora import Corpora

    corpus = Corpora(session.config(), session.runtime("lengths")).source_train
    return generator.choice(np.diff(corpus.offsets), size=number)


def drawn_corpus(
    lengths_S: npt.NDArray[np.int64], vocabulary: int, *, labelled: bool, seed: int = 0
) -> EncodedCorpus:
    """Return sentences of given lengths, their subwords and labels drawn; half begin a word."""
    generator = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths_S)])
    words_S = np.maximum((lengths_S - 2 + 1) // 2, 1)
    word_offsets = np.concatenate([[0], np.cumsum(words_S)])
    positions = np.arange(word_offsets[-1]) - np.repeat(word_offsets[:-1], words_S)
    labels = generator.integers(0, len(TAGS), size=word_offsets[-1]).astype(np.int16)
    return EncodedCorpus(
        language="en",
        split="train",
        tag_set=TAGS,
        fingerprint=f"drawn-{seed}-{len(lengths_S)}-{labelled}",
        input_ids=generator.integers(FIRST_PIECE, vocabulary, size=offsets[-1]).astype(np.int32),
        offsets=offsets,
        word_positions=(1 + 2 * positions).astype(np.int32),
        word_offsets=word_offsets,
        labels=labels if labelled else None,
        num_words=words_S.astype(np.int32),
        num_words_cut=0,
    )


def split_of(encoded: EncodedCorpus) -> LabelledSplit:
    """Return a drawn corpus with its labels as a split to score on."""
    assert encoded.labels is not None, "a split to score on has labels"
    names = [TAGS.names[index] for index in encoded.labels.tolist()]
    bounds = list(zip(encoded.word_offsets[:-1], encoded.word_offsets[1:], strict=True))
    tags = [names[first:end] for first, end in bounds]
    words = [["word"] * len(each) for each in tags]
    return LabelledSplit(Corpus("en", "dev", words, tags, "drawn", "IOB2"), encoded)


def operations(
    model: TokenClassifier, subwords: int, words: int, *, passes: Sequence[str] = ("train",)
) -> float:
    """Return the floating-point operations of a step's matrix products over real subwords.

    Two a weight forward; two more for the gradient of the input and two for that of the weight
    where a layer is trained. What follows the last layer's attention acts on one subword a word.
    Attention's own products, small at these lengths, are left out.

    Args:
        model: Whose step it is.
        subwords: Of the batch, padding not among them.
        words: Of the batch.
        passes: ``train`` for a pass with its gradient, ``look`` for one without. The frozen part
            runs once, whatever the number of passes.
    """
    last = encoder_layers(model.encoder)[-1]
    upon_attention = {*last.modules(), model.classifier} - {*last.attention.self.modules()}
    trained = sum({"train": 6, "look": 2}[name] for name in passes)
    total = 0
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            tokens = words if module in upon_attention else subwords
            total += (
                (trained if module.weight.requires_grad else 2) * module.weight.numel() * tokens
            )
    return float(total)
