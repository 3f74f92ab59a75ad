"""On one GPU: how close training comes to the chip's matrix products, and what a grid would take.

The encoder has the architecture and vocabulary size of multilingual BERT and random weights; the
sentences have the lengths of WikiANN's. A step counts the matrix products of the subwords that are
real, padding not among them, and its rate is held against a large bfloat16 product measured in the
same minute. Without a CUDA device nothing is measured, and the line says so.
"""

from __future__ import annotations

import statistics
from time import perf_counter
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertModel

from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.table import Line
from prokd.data import Batch
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.layers import encoder_layers, freeze
from prokd.methods.prokd.config import TeacherConfig
from prokd.stages.optimization import Optimization
from prokd.terms.sequences import Places
from prokd.terms.tagging_loss import tagging_loss

FROZEN_LAYERS, NUM_CLASSES = 3, 7
GRID_POINTS, GRID_TEACHERS, GRID_SENTENCES, GRID_EPOCHS = 300, 5, 20_000, 10
SIZE = 8192
"""Of the square matrices of the reference product."""


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the share of the matrix-product rate, and the estimate for the paper's grid."""
    if not torch.cuda.is_available():
        text = "no CUDA device here: nothing measured"
        return [Line("gpu", "mBERT-sized bf16 training, 300-point grid", "", "", text, "", 0, 0.0)]
    model = build(BertConfig(vocab_size=119_547)).cuda()
    rate = product_rate()
    batch, tokens = bucket(sizes.gpu_sentences, 119_547)
    operations = step_operations(model, tokens, batch.num_tokens)
    seconds = step_seconds(model, batch.to("cuda"), sizes.repeats)
    share = operations / seconds / rate
    # A student's step has a second forward pass without gradient: four units instead of three.
    per_epoch = GRID_SENTENCES / sizes.gpu_sentences * seconds
    grid = per_epoch * GRID_EPOCHS * (GRID_TEACHERS * 2 + GRID_POINTS * 4 / 3) / 60
    name = torch.cuda.get_device_name()
    return [
        Line(
            "gpu",
            f"bf16 step of {sizes.gpu_sentences} sentences, {tokens} real subwords, {name}",
            f"{1000 * seconds:.1f} ms",
            f"{rate / 1e12:.0f} TFLOP/s product",
            f"{100 * share:.0f} % of it",
            "≥ 50 %",
            sizes.repeats,
            share,
        ),
        Line(
            "gpu",
            f"{GRID_POINTS}-point grid by this step, {GRID_SENTENCES} sentences, estimated",
            f"{grid:.0f} min",
            "",
            "estimate, not a run",
            "< 30 min",
            1,
            grid,
        ),
    ]


def build(config: BertConfig) -> TokenClassifier:
    """Return a classifier on a random encoder, its embeddings and lower layers frozen."""
    encoder = BertModel(config, add_pooling_layer=False)
    layers = min(FROZEN_LAYERS, config.num_hidden_layers - 1)
    freeze(encoder, layers=layers, embeddings=True)
    return TokenClassifier(encoder, NUM_CLASSES, dropout=0.5, precision="auto")


def bucket(num_sentences: int, vocabulary: int) -> tuple[Batch, int]:
    """Return a batch of sentences of similar length, and its number of real subwords."""
    generator = np.random.default_rng(0)
    drawn = np.sort(generator.gamma(3.0, 4.5, size=20 * num_sentences).astype(int) + 4)
    lengths = drawn[10 * num_sentences : 11 * num_sentences].clip(max=128)
    longest = int(lengths.max())
    mask = np.arange(longest) < lengths[:, None]
    ids = generator.integers(200, vocabulary, size=mask.shape) * mask
    words = [max(1, int(n) - 2) for n in lengths]
    index = np.concatenate([row * longest + 1 + np.arange(n) for row, n in enumerate(words)])
    values: dict[str, Any] = {
        "input_ids_BT": torch.from_numpy(ids),
        "attention_mask_BT": torch.from_numpy(mask.astype(np.int64)),
        "token_index_N": torch.from_numpy(index),
        "labels_N": torch.from_numpy(generator.integers(0, NUM_CLASSES, size=len(index))),
        "word_index_N": torch.arange(len(index)),
        "places": Places.of_lengths(words),
    }
    return Batch(**values), int(lengths.sum())


def step_operations(model: TokenClassifier, subwords: int, words: int) -> float:
    """Return the floating-point operations of one step's matrix products over real subwords.

    Two a weight forward; two more for the gradient of the input and two for that of the weight
    where a layer is trained. What follows the last layer's attention acts on one subword a word.
    Attention's own products, small at these lengths, are left out.
    """
    last = encoder_layers(model.encoder)[-1]
    upon_attention = {*last.modules(), model.classifier} - {*last.attention.self.modules()}
    total = 0
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            passes = 6 if module.weight.requires_grad else 2
            tokens = words if module in upon_attention else subwords
            total += passes * module.weight.numel() * tokens
    return float(total)


def step_seconds(model: TokenClassifier, batch: Batch, repeats: int) -> float:
    """Return the median seconds of a training step, after three to warm up."""
    optimization = Optimization(model, TeacherConfig(), num_steps=10_000)
    model.train()
    assert batch.labels_N is not None, "the batch has labels"
    times = []
    for _ in range(max(3, repeats) * 2 + 3):
        _wait(model)
        started = perf_counter()
        with model.autocast():
            _, logits_NC = model(batch)
        optimization.step(tagging_loss(logits_NC, batch.labels_N))
        _wait(model)
        times.append(perf_counter() - started)
    return statistics.median(times[3:])


def product_rate() -> float:
    """Return the operations per second of a large bfloat16 product on the GPU."""
    left, right = (torch.randn(SIZE, SIZE, device="cuda", dtype=torch.bfloat16) for _ in "lr")
    times = []
    for _ in range(13):
        torch.cuda.synchronize()
        started = perf_counter()
        torch.matmul(left, right)
        torch.cuda.synchronize()
        times.append(perf_counter() - started)
    return float(2 * SIZE**3 / statistics.median(times[3:]))


def _wait(model: TokenClassifier) -> None:
    if model.device.type == "cuda":
        torch.cuda.synchronize()
