"""What the GPU part counts, on a small encoder and a CPU."""

import pytest
import torch
from transformers import BertConfig

from benchmarks.gpu import bucket, build, measure, step_operations, step_seconds
from benchmarks.sizes import QUICK

WIDTH, INNER, CLASSES = 16, 32, 7


@pytest.fixture
def model():
    config = BertConfig(
        vocab_size=300,
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=2,
        num_attention_heads=2,
    )
    return build(config)


def test_products_are_counted_for_real_subwords_alone(model):
    attention, rest = 3 * WIDTH * WIDTH, WIDTH * WIDTH + 2 * WIDTH * INNER
    frozen = 2 * (attention + rest) * 50
    last = 6 * attention * 50 + 6 * (rest + WIDTH * CLASSES) * 30
    assert step_operations(model, 50, 30) == frozen + last


def test_a_bucket_holds_sentences_of_similar_length():
    batch, subwords = bucket(8, 300)
    assert int(batch.attention_mask_BT.sum()) == subwords
    assert subwords / batch.input_ids_BT.numel() > 0.7
    assert batch.num_tokens == subwords - 2 * 8


def test_a_step_is_timed(model):
    batch, _ = bucket(4, 300)
    before = model.classifier.weight.clone()
    assert step_seconds(model, batch, 1) > 0
    assert not torch.equal(before, model.classifier.weight)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what it does without a GPU")
def test_without_a_gpu_nothing_is_measured():
    (line,) = measure(None, QUICK)
    assert line.result == "no CUDA device here: nothing measured"
