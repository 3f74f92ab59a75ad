"""A tagger trained on labelled source text alone: a plain teacher, and direct transfer."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from prokd.config import ExperimentConfig, OptimizationConfig
from prokd.data import Batch, EncodedCorpus, collate
from prokd.encoder.classifier import TokenClassifier
from prokd.scoring.evaluation import LabelledSplit
from prokd.stages.context import Context
from prokd.stages.optimization import Optimization
from prokd.stages.pace import paced
from prokd.stages.progress import named_scores, progress_of, restore
from prokd.stages.running_means import RunningMeans
from prokd.stages.seeding import seed_everything
from prokd.stages.stage import SOURCE_STREAM, epoch_generator, training_batches
from prokd.terms.tagging_loss import tagging_loss


class TaggerStage:
    """Trains a tagger on labelled source text, Eq. (1).

    Args:
        model: The classifier to train.
        config: The experiment.
        settings: How it is optimised.
        source_train: Labelled source sentences.
        source_dev: Labelled source sentences to score on.
        pad_token_id: Of the tokenizer.
        name: Of the stage, in front of its metrics.
    """

    def __init__(
        self,
        *,
        model: TokenClassifier,
        config: ExperimentConfig,
        settings: OptimizationConfig,
        source_train: EncodedCorpus,
        source_dev: LabelledSplit,
        pad_token_id: int,
        name: str,
    ) -> None:
        """Make the optimiser."""
        self.model, self.config, self.settings, self.name = model, config, settings, name
        model.micro_batch_tokens = settings.micro_batch_tokens
        self.source_train, self.source_dev = source_train, source_dev
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
            batch = collate(self.source_train, indices, self.pad_token_id)
            batch = batch.to(self.model.device, non_blocking=True)
            loss, told = self._loss(batch, len(indices))
            means.add(f"{self.name}/gradient_norm", self.optimization.step(loss))
            for name, value in told.items():
                means.add(f"{self.name}/{name}", value, batch.num_tokens)
        self.epoch += 1
        self.optimization.check(self.name, self.epoch)
        return means.result() | named_scores(self, self.config.source)

    def _loss(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what is trained down on a batch, and what is told of it, by name."""
        with self.model.autocast():
            _, logits_NC = self.model(batch)
        loss = self._tagging_loss(logits_NC, batch, num_sentences)
        return loss, {"tagging_loss": loss}

    def _tagging_loss(self, logits_NC: Tensor, batch: Batch, num_sentences: int) -> Tensor:
        assert batch.labels_N is not None, "source batches carry labels"
        return tagging_loss(
            logits_NC,
            batch.labels_N,
            num_sentences=num_sentences,
            reduction=self.settings.loss_reduction,
        )

    def criteria(self) -> dict[str, float]:
        """Return nothing: it looks at no target text."""
        return {}

    def _batches(self, epoch: int) -> list[Any]:
        generator = epoch_generator(self.config.seed, epoch, SOURCE_STREAM)
        return training_batches(self.source_train, self.settings, generator)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs to equal an uninterrupted one."""
        return progress_of(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        restore(self, state)


def parts_of_tagger(context: Context, model: TokenClassifier) -> dict[str, Any]:
    """Return what a tagger whose settings are the section ``teacher`` is built from."""
    return {
        "model": model,
        "config": context.config,
        "settings": context.config.teacher,
        "source_train": context.source_train(model),
        "source_dev": context.source_dev(model),
        "pad_token_id": context.pad_token_id,
        "name": context.name,
    }


def build_tagger(context: Context) -> TaggerStage:
    """Build a tagger on new weights."""
    return TaggerStage(**parts_of_tagger(context, context.model()))
