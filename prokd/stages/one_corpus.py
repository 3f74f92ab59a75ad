"""What stages that learn from one corpus, batch by batch, do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from prokd.config import OptimizationConfig
from prokd.data import Batch, EncodedCorpus, collate
from prokd.encoder.classifier import TokenClassifier
from prokd.scoring.evaluation import LabelledSplit
from prokd.stages.optimization import Optimization
from prokd.stages.pace import paced
from prokd.stages.progress import named_scores, progress_of, restore
from prokd.stages.running_means import RunningMeans
from prokd.stages.seeding import seed_everything
from prokd.stages.stage import epoch_generator, training_batches


class OneCorpusStage(ABC):
    """Trains a model on the batches of one corpus; a subclass says what is trained down.

    Args:
        model: The classifier to train.
        config: The experiment.
        settings: How it is optimised.
        corpus: What it learns from.
        stream: Of random numbers, for the order of the sentences, see `stages.stage`.
        source_dev: Labelled source sentences to score on.
        pad_token_id: Of the tokenizer.
        name: Of the stage, in front of its metrics.
    """

    def __init__(
        self,
        *,
        model: TokenClassifier,
        config: Any,
        settings: OptimizationConfig,
        corpus: EncodedCorpus,
        stream: int,
        source_dev: LabelledSplit,
        pad_token_id: int,
        name: str,
    ) -> None:
        """Make the optimiser."""
        self.model, self.config, self.name = model, config, name
        self.settings: Any = settings
        model.micro_batch_tokens = settings.micro_batch_tokens
        self.corpus, self.stream, self.source_dev = corpus, stream, source_dev
        self.pad_token_id = pad_token_id
        self.epoch, self.num_epochs = 0, settings.epochs
        num_steps = sum(len(self._batches(epoch)) for epoch in range(self.num_epochs))
        self.optimization = Optimization(model, settings, num_steps=num_steps)

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch; CollapsedRun if a loss or a gradient is not finite."""
        seed_everything(self.config.seed, self.epoch)
        means = RunningMeans(self.model.device)
        self.model.train()
        batches = paced(self._batches(self.epoch), self.name, self.epoch, self.num_epochs)
        for indices in batches:
            batch = self._collated(indices).to(self.model.device, non_blocking=True)
            loss, told = self.loss_of(batch, len(indices))
            means.add(f"{self.name}/gradient_norm", self.optimization.step(loss))
            told |= self.after_step(batch)
            for name, value in told.items():
                means.add(f"{self.name}/{name}", value, batch.num_tokens)
        self.epoch += 1
        self.optimization.check(self.name, self.epoch)
        return means.result() | named_scores(self, self.config.source)

    @abstractmethod
    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what is trained down on a batch, and what is told of it, by name."""

    def after_step(self, batch: Batch) -> dict[str, Tensor]:
        """Do what a method does behind each step of training, and return what is told of it."""
        return {}

    def _collated(self, indices: npt.NDArray[np.int64]) -> Batch:
        """Return what is learned from together, of some sentences of the corpus."""
        return collate(self.corpus, indices, self.pad_token_id)

    def _batches(self, epoch: int) -> list[Any]:
        generator = epoch_generator(self.config.seed, epoch, self.stream)
        return training_batches(self.corpus, self.settings, generator)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs to equal an uninterrupted one."""
        return progress_of(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        restore(self, state)
