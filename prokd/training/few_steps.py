"""What an epoch of each stage takes on this machine, measured on a few batches."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from prokd.config import ExperimentConfig, RuntimeConfig, with_overrides
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.device import device_of
from prokd.encoder.precision import settled
from prokd.method import TARGET_TRAIN, StageSpec
from prokd.methods import graph_of, method_of
from prokd.stages.context import Output, Prepare
from prokd.stages.stage import Stage
from prokd.training.context import StageContext, new_stage
from prokd.training.corpora import Corpora

BATCHES = 3
"""Batches of each stage that are timed at most."""
FIRST, ENOUGH_SECONDS = 8, 2.0
"""Sentences of the first try; it is made again with more, until one has taken so long."""


class _UntrainedContext(StageContext):
    """A context in which untrained models stand for those of the stages that are needed."""

    def model(self, start: str | None = None) -> TokenClassifier:
        return super().model()

    def outputs(
        self,
        need: str,
        output: Output,
        *,
        corpus: str = TARGET_TRAIN,
        prepare: Prepare | None = None,
    ) -> npt.NDArray[np.float16]:
        model = super().model()
        if prepare is not None:
            prepare(model)
        seen = self.corpora.prepared(model, self.corpora.training(corpus))
        return output(model, seen, self.corpora.pad_token_id).numpy().astype(np.float16)


def epoch_seconds(config: ExperimentConfig, runtime: RuntimeConfig) -> dict[str, float]:
    """Train a few batches of each stage, and return the seconds of its whole epochs by its name.

    Nothing is written but to a temporary folder, and no label of the target is read. What a stage
    needs is untrained here: learning from it takes as long as learning from what is trained.

    Args:
        config: The experiment; its precision must be one that this machine can do.
        runtime: Where the data lies, and the device and number of threads.

    Raises:
        UserError: Bad data, or an encoder that cannot be loaded.
        CollapsedRun: A loss is not finite even now.
    """
    threads = torch.get_num_threads()
    try:
        if runtime.threads is not None:
            torch.set_num_threads(runtime.threads)
        with tempfile.TemporaryDirectory() as folder:
            return _measured(config, runtime.model_copy(update={"cache_dir": Path(folder)}))
    finally:
        torch.set_num_threads(threads)


def _measured(config: ExperimentConfig, runtime: RuntimeConfig) -> dict[str, float]:
    stages = graph_of(config).stages
    two_epochs = {f"{spec.section}.epochs": 2 for spec in stages}
    timing = method_of(config).timing(config)
    config = with_overrides(settled(config, device_of(runtime)), {**two_epochs, **timing})
    number = FIRST
    most = BATCHES * max(spec.settings(config).batch_sentences for spec in stages)
    while True:
        started = time.monotonic()
        seconds = {
            spec.name: _of_sentences(number, spec, spec.view(config), runtime) for spec in stages
        }
        if time.monotonic() - started >= ENOUGH_SECONDS or number >= most:
            return seconds
        number = min(most, 4 * number)


def _of_sentences(
    number: int, spec: StageSpec, config: ExperimentConfig, runtime: RuntimeConfig
) -> float:
    """Return the seconds of a whole epoch, from epochs of so many sentences."""
    names = ("source_train_limit", "target_train_limit", "evaluation_limit")
    limits = {name: _least(number, getattr(config.data, name)) for name in names}
    limited = config.model_copy(update={"data": config.data.model_copy(update=limits)})
    whole = Corpora(config, runtime)
    few = Corpora(limited, runtime, tag_set=whole.tag_set)
    context = _UntrainedContext(spec, limited, few, device_of(runtime), {})
    training, scoring = _timed(new_stage(context, spec), context)
    # An epoch goes once through the text that a stage learns from.
    target = TARGET_TRAIN in spec.reads(config) and bool(spec.needs)
    text = (config.target if target else config.source, "train", not target)
    dev = (config.source, "dev", True)
    return training * _ratio(whole, few, *text) + scoring * _ratio(whole, few, *dev)


def _least(number: int, limit: int | None) -> int:
    return number if limit is None else min(number, limit)


def _timed(stage: Stage, context: StageContext) -> tuple[float, float]:
    """Return the seconds of training, and of scoring on source dev, of a short epoch."""
    dev = context.source_dev(stage.model)
    stage.run_epoch()  # what a first step alone takes is no part of an epoch
    started = time.monotonic()
    dev.quick_scores(stage.model, context.pad_token_id)
    scored = time.monotonic()
    stage.run_epoch()
    scoring = scored - started
    return max(0.0, time.monotonic() - scored - scoring), scoring


def _ratio(whole: Corpora, few: Corpora, language: str, split: str, labelled: bool) -> float:
    """Return how many times as many words there are in all."""
    words = [
        sum(map(len, corpora.corpus(language, split, labelled=labelled).words))
        for corpora in (whole, few)
    ]
    return words[0] / max(1, words[1])
