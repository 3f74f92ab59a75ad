"""The teacher's training, epoch by epoch.

Where this differs from the paper, why, and what measures it:

T1. Losses are means over valid tokens, not over sentences, so that the terms of Eq. 7 and 13 have
    one unit (`loss_reduction: sentences` gives the printed form).
T2. Source prototypes are exact means over the corpus in eval mode (Eq. 3), refreshed once per
    epoch before its first step; the moving average acts on them too (`update_rate_acts_on`).
T3. The printed gradient of Eq. 6 is lambda times that of the target's batch prototype, next to
    nothing, and reaches the target alone. The stable reading compares the prototypes of two
    batches, one of each language, with gradient into both (`alignment.gradient`,
    `alignment.source`); then there are no averages for lambda to act on.
T4. The stable reading starts the alignment after the first epoch, when p means something
    (`alignment.start_epoch`), and lets the two prototypes of a class attract, each class by its
    share, with nothing that repels (`alignment.negatives`, `alignment.class_weights`). The
    target's probabilities behind it are corrected towards the class shares from before where
    entities fade (`alignment.least_entity_share`): attraction to the large "O" can empty them.
T5. The frozen part of the encoder runs without dropout, in training too (`frozen_layers`,
    `freeze_embeddings`): it is never trained, so its output is the same in every epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from prokd.data import Batch, EncodedCorpus, collate
from prokd.encoder.classifier import TokenClassifier
from prokd.methods.prokd.config import ProKDConfig
from prokd.methods.prokd.teacher.batch_alignment import BatchAlignment
from prokd.methods.prokd.teacher.health import add_gradient_norms, check_fall
from prokd.methods.prokd.teacher.objective import teacher_objective
from prokd.methods.prokd.teacher.shares import TargetShares, entity_share
from prokd.methods.prokd.weights import configured_weights
from prokd.scoring.evaluation import LabelledSplit, class_shares, corpus_prototypes
from prokd.stages.optimization import Optimization
from prokd.stages.pace import paced
from prokd.stages.progress import progress_of, restore
from prokd.stages.running_means import RunningMeans
from prokd.stages.seeding import seed_everything
from prokd.stages.stage import (
    SOURCE_STREAM,
    TARGET_STREAM,
    endless_batches,
    epoch_generator,
    training_batches,
)
from prokd.terms.prototypes import PrototypeBank
from prokd.terms.tagging_loss import tagging_loss

SHARE_SENTENCES = 2000
"""Target sentences that tell whether alignment has emptied the target: a share to 1 %."""


class TeacherStage:
    """Trains a teacher on labelled source text, aligned with unlabelled target text.

    Args:
        model: The classifier to train.
        config: The experiment.
        source_train: Labelled source sentences.
        source_dev: Labelled source sentences to score on.
        target_train: Target sentences without labels.
        pad_token_id: Of the tokenizer.
    """

    beside_alignment = "tagging_loss"
    """Metric of what is trained down beside the alignment."""

    def __init__(
        self,
        *,
        model: TokenClassifier,
        config: ProKDConfig,
        source_train: EncodedCorpus,
        source_dev: LabelledSplit,
        target_train: EncodedCorpus,
        pad_token_id: int,
    ) -> None:
        """Make optimiser and prototype banks."""
        self.model, self.config = model, config
        model.micro_batch_tokens = config.teacher.micro_batch_tokens
        self.source_train, self.source_dev = source_train, source_dev
        self.target_train, self.pad_token_id = target_train, pad_token_id
        self.epoch, self.num_epochs = 0, config.teacher.epochs
        num_steps = sum(len(self._source_batches(epoch)) for epoch in range(self.num_epochs))
        self.optimization = Optimization(model, config.teacher, num_steps=num_steps)
        size = (model.num_classes, model.num_features)
        self.source_bank = PrototypeBank(*size).to(model.device)
        self.target_bank = PrototypeBank(*size).to(model.device)
        self.best_token_f1 = 0.0
        self.shares = TargetShares()
        self.alignment = BatchAlignment(
            model,
            config,
            source_bank=self.source_bank,
            target_bank=self.target_bank,
            shares=self.shares,
        )

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch; CollapsedRun if a loss breaks or the alignment undoes the tagging."""
        seed_everything(self.config.seed, self.epoch)
        settings = self.config.teacher
        aligns = settings.alignment.weight > 0 and self.epoch >= settings.alignment.start_epoch
        if aligns and not self.config.teacher.alignment.is_batchwise:
            self._prepare_prototypes()
        begins = self.epoch == settings.alignment.start_epoch > 0
        if aligns and begins and self.shares.entity_share is None:
            self.shares.begin(*self._target_class_shares())
        target_batches = self._endless_target_batches() if aligns else None
        means = RunningMeans(self.model.device)
        self.model.train()
        batches = paced(self._source_batches(self.epoch), "teacher", self.epoch, self.num_epochs)
        for step, indices in enumerate(batches):
            batch = self._collated(indices).to(self.model.device, non_blocking=True)
            tagging, features_ND = self._tagging_of(batch, len(indices), means)
            assert batch.labels_N is not None, "source batches carry labels"
            alignment = None
            if target_batches is not None:
                alignment = self.alignment.loss(
                    next(target_batches), features_ND, batch.labels_N, means
                )
                means.add("teacher/alignment_loss", alignment)
                if step == 0:
                    terms = {"tagging": tagging, "alignment": alignment}
                    add_gradient_norms(means, terms, self.optimization.parameters)
            loss = teacher_objective(
                tagging, alignment, alignment_weight=settings.alignment.weight
            )
            means.add("teacher/gradient_norm", self.optimization.step(loss))
            means.add(f"teacher/{self.beside_alignment}", tagging, batch.num_tokens)
        self.epoch += 1
        return self._finish_epoch(means, aligns)

    def _collated(self, indices: npt.NDArray[np.int64]) -> Batch:
        """Return what is learned from together, of some source sentences."""
        return collate(self.source_train, indices, self.pad_token_id)

    def _tagging_of(
        self, batch: Batch, num_sentences: int, means: RunningMeans
    ) -> tuple[Tensor, Tensor]:
        """Return what is trained down beside the alignment, and the tokens' features, (N, D)."""
        assert batch.labels_N is not None, "source batches carry labels"
        with self.model.autocast():
            features_ND, logits_NC = self.model(batch)
        tagging = tagging_loss(
            logits_NC,
            batch.labels_N,
            num_sentences=num_sentences,
            reduction=self.config.teacher.loss_reduction,
        )
        return tagging, features_ND

    def _finish_epoch(self, means: RunningMeans, aligned: bool) -> dict[str, float]:
        self.optimization.check("teacher", self.epoch)
        metrics = means.result()
        scores = self.source_dev.quick_scores(self.model, self.pad_token_id)
        if aligned:
            share = entity_share(self._target_class_shares()[1])
            metrics["teacher/target_entity_share"] = share
            check_fall(
                token_f1=(scores["token_f1"], self.best_token_f1),
                entity_share=(share, self.shares.entity_share),
                keeps=self.config.teacher.collapse_fall,
                epoch=self.epoch,
            )
        self.best_token_f1 = max(self.best_token_f1, scores["token_f1"])
        source = self.config.source
        return metrics | {f"dev/{source}/{name}": value for name, value in scores.items()}

    def criteria(self) -> dict[str, float]:
        """Return nothing: a teacher is no result."""
        return {}

    def _target_class_shares(self) -> tuple[Tensor, Tensor]:
        return class_shares(
            self.model, self.target_train, self.pad_token_id, most_sentences=SHARE_SENTENCES
        )

    def _source_batches(self, epoch: int) -> list[Any]:
        generator = epoch_generator(self.config.seed, epoch, SOURCE_STREAM)
        return training_batches(self.source_train, self.config.teacher, generator)

    def _endless_target_batches(self) -> Iterator[Batch]:
        generator = epoch_generator(self.config.seed, self.epoch, TARGET_STREAM)
        place = self.pad_token_id, self.model.device
        return endless_batches(self.target_train, self.config.teacher, generator, *place)

    def _prepare_prototypes(self) -> None:
        """Source prototypes once per epoch (Eq. 3, 5); target ones at the start or on refresh."""
        prototypes, alignment = self.config.prototypes, self.config.teacher.alignment

        def gold_weights(batch: Batch, logits_NC: Tensor) -> Tensor:
            assert batch.labels_N is not None, "source batches carry labels"
            return nn.functional.one_hot(batch.labels_N, logits_NC.shape[-1])

        new_CD, mass_C = corpus_prototypes(
            self.model, self.source_train, self.pad_token_id, gold_weights
        )
        if prototypes.update_rate_acts_on == "both":
            new_CD = self.source_bank.averaged(
                new_CD,
                mass_C,
                update_rate=prototypes.update_rate,
                weighs=prototypes.update_rate_weighs,
            )
        self.source_bank.replace(new_CD, mass_C)
        first = not bool(self.target_bank.known_C.any())
        if (first and alignment.start == "corpus") or alignment.refresh == "epoch":
            self.target_bank.replace(
                *corpus_prototypes(
                    self.model,
                    self.target_train,
                    self.pad_token_id,
                    lambda batch, logits_NC: configured_weights(
                        torch.softmax(logits_NC.float(), -1), batch.places, prototypes
                    ),
                )
            )

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs to equal an uninterrupted one."""
        return {
            **progress_of(self),
            "source_bank": self.source_bank.state_dict(),
            "target_bank": self.target_bank.state_dict(),
            "best_token_f1": self.best_token_f1,
            "shares": self.shares.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        restore(self, state)
        self.source_bank.load_state_dict(state["source_bank"])
        self.target_bank.load_state_dict(state["target_bank"])
        self.best_token_f1 = state["best_token_f1"]
        self.shares.load_state_dict(state["shares"])
