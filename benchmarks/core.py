"""What each means of the core is worth: ``python -m benchmarks.core``.

Every line is two ways to the same result, taken in turns within one process; the figure is the
ratio of the medians of their CPU seconds. Data and small encoder lie in the package; the large
encoder has mBERT's layers and random weights.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from transformers import AutoConfig, AutoModel

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.data import Batch, EncodedCorpus, batches, collate, make_batches
from prokd.data.mini import ENCODER_PATH
from prokd.encoder.classifier import TokenClassifier, build_classifier
from prokd.methods import build_config
from prokd.scoring import evaluation
from prokd.training.corpora import Corpora

REPEATS = 5
Way = Callable[[], object]


def ratio(name: str, slow: Way, fast: Way, repeats: int = REPEATS) -> None:
    """Print how many times faster the second way is, and the medians of both."""
    seconds: dict[Way, list[float]] = {slow: [], fast: []}
    for turn in range(repeats + 1):
        for way in (slow, fast):
            started = time.process_time()
            way()
            if turn:  # the first turn warms up
                seconds[way].append(time.process_time() - started)
    first, second = (statistics.median(seconds[way]) for way in (slow, fast))
    each = sorted(a / b for a, b in zip(seconds[slow], seconds[fast], strict=True))
    print(
        f"| {name} | {first:.3f} | {second:.3f} | {first / second:.2f} | "
        f"{each[0]:.2f} to {each[-1]:.2f} |",
        flush=True,
    )


def large_encoder(folder: Path) -> Path:
    """Write a BERT of mBERT's shape, but for the vocabulary, with the small one's tokenizer."""
    settings = AutoConfig.from_pretrained(ENCODER_PATH)
    settings.update({"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12})
    settings.update({"num_attention_heads": 12})
    torch.manual_seed(0)
    AutoModel.from_config(settings, add_pooling_layer=False).save_pretrained(folder)
    for file in ENCODER_PATH.glob("tokenizer*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def train(model: TokenClassifier, batches: list[Batch], *, twice: bool = False) -> None:
    """Forward and backward over batches; ``twice`` with a pass without dropout, as a student."""
    model.train()
    for batch in batches:
        model.zero_grad()
        prepared = model.with_bottom(batch)
        if twice:
            with torch.no_grad(), model.eval().autocast():
                model(prepared)
            model.train()
        with model.autocast():
            loss = model(prepared)[1].square().mean()
        loss.backward()


def some(encoded: EncodedCorpus, count: int, sentences: int = 32) -> list[Any]:
    """Return the sentences of the first batches of a shuffled epoch."""
    generator = np.random.default_rng(0)
    return make_batches(
        encoded, batch_sentences=sentences, batch_tokens=16384, generator=generator
    )[:count]


def tensors(encoded: EncodedCorpus, chosen: list[Any]) -> list[Batch]:
    """Return the batches of chosen sentences."""
    return [collate(encoded, indices, 0) for indices in chosen]


def passes_in(size: int, model: TokenClassifier, encoded: EncodedCorpus) -> Way:
    """Return a pass over a corpus in batches of that many subwords."""

    def way() -> None:
        before, batches.EVALUATION_TOKENS["cpu"] = batches.EVALUATION_TOKENS["cpu"], size
        evaluation.predict(model, encoded, 0)
        batches.EVALUATION_TOKENS["cpu"] = before

    return way


def small(config: ExperimentConfig, corpora: Corpora) -> None:
    """Measure with the small encoder."""
    model = build_classifier(config.encoder, 7, max_length=64, seed=0)
    source, target = corpora.source_train, corpora.target_train
    ratio("pass: 16,384 subwords a batch / 4,096", *(passes_in(n, model, target) for n in SIZES))
    chosen = tensors(source, some(source, 12))
    plain = build_classifier(config.encoder, 7, max_length=64, seed=0)
    plain.is_layered = False
    ratio(
        "step: layers as they are / without padding, the last one on words alone",
        lambda: train(plain, chosen),
        lambda: train(model, chosen),
    )
    ratio(
        "pass: layers as they are / without padding, the last one on words alone",
        lambda: evaluation.predict(plain, target, 0),
        lambda: evaluation.predict(model, target, 0),
    )
    half = config.encoder.model_copy(update={"precision": "bf16"})
    quick = build_classifier(half, 7, max_length=64, seed=0)
    ratio("step: fp32 / bf16", lambda: train(model, chosen), lambda: train(quick, chosen))
    model.micro_batch_tokens, most = None, int(chosen[0].input_ids_BT.numel() // 2)

    def in_parts() -> None:
        model.micro_batch_tokens = most
        train(model, chosen)
        model.micro_batch_tokens = None

    ratio("step: in parts / in one piece", in_parts, lambda: train(model, chosen))
    one, other = some(source, 12), some(target, 12)
    both = replace(  # both corpora behind one another, for batches with sentences of each
        source,
        input_ids=np.concatenate([source.input_ids, target.input_ids]),
        offsets=np.concatenate([source.offsets, source.offsets[-1] + target.offsets[1:]]),
        word_positions=np.concatenate([source.word_positions, target.word_positions]),
        word_offsets=np.concatenate(
            [source.word_offsets, source.word_offsets[-1] + target.word_offsets[1:]]
        ),
        labels=None,
        num_words=np.concatenate([source.num_words, target.num_words]),
    )
    pairs = [np.append(a, len(source) + b) for a, b in zip(one, other, strict=True)]
    apart, joined = [*tensors(source, one), *tensors(target, other)], tensors(both, pairs)
    ratio(
        "teacher: source and target in one pass / in two",
        lambda: train(model, joined),
        lambda: train(model, apart),
    )
    optimizers = [
        torch.optim.Adam(model.parameters(), lr=0.0, fused=kind) for kind in (None, True)
    ]
    train(model, chosen[:1])
    ratio("Adam: for each weight / fused", *(optimizer.step for optimizer in optimizers))


SIZES = (16384, 4096)


def large(config: ExperimentConfig, runtime: RuntimeConfig, folder: Path) -> None:
    """Measure with mBERT's layers, three of them frozen."""
    settings = {"name": str(large_encoder(folder)), "frozen_layers": 3}
    config = config.model_copy(update={"encoder": config.encoder.model_copy(update=settings)})
    corpora = Corpora(config, runtime)
    model = build_classifier(config.encoder, 7, max_length=64, seed=0)
    plain, kept = corpora.target_train, corpora.prepared(model, corpora.target_train)
    chosen = some(plain, 1, 16)
    for name, twice in (("teacher's step", False), ("student's step", True)):
        ratio(
            f"{name}: three frozen layers computed / kept",
            lambda twice=twice: train(model, tensors(plain, chosen), twice=twice),
            lambda twice=twice: train(model, tensors(kept, chosen), twice=twice),
        )
    ratio(
        "pass: three frozen layers computed / kept",
        lambda: evaluation.predict(model, plain, 0),
        lambda: evaluation.predict(model, kept, 0),
        3,
    )


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runtime = RuntimeConfig(cache_dir=folder / "cache", device="cpu", threads=1)
        print("| slow / fast | slow, s | fast, s | ratio | spread |\n|---|---|---|---|---|")
        limits = {"data.source_train_limit": 640, "data.target_train_limit": 640}
        config = build_config("mini", "stable", {"target": "nl", **limits})
        small(config, Corpora(config, runtime))
        limits = {"data.source_train_limit": 96, "data.target_train_limit": 96}
        config = build_config("mini", "stable", {"target": "nl", **limits})
        large(config, runtime, folder / "large")


if __name__ == "__main__":
    sys.exit(main())
