"""The strong rival's teacher: tagging of the source, class alignment with the target.

# N valid tokens (flattened), D feature size, C classes
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers.trainer_pt_utils import LengthGroupedSampler

from benchmarks.rival_model import TokenTagger
from benchmarks.trainer_data import Data
from benchmarks.trainer_rival import TaggerTrainer, Words, words_of
from prokd.config import ExperimentConfig
from prokd.methods.prokd.teacher.alignment import alignment_loss, with_gradient
from prokd.methods.prokd.teacher.objective import teacher_objective
from prokd.methods.prokd.teacher.shares import TargetShares
from prokd.terms.prototypes import PrototypeBank, labelled_prototypes, weighted_prototypes
from prokd.terms.tagging_loss import tagging_loss


class TeacherTrainer(TaggerTrainer):
    """Learns from labelled source text, aligned with unlabelled target text."""

    def __init__(self, config: ExperimentConfig, data: Data, folder: Path, **rest: Any) -> None:
        """Make model, banks and an endless stream of target batches."""
        model = TokenTagger(config, len(data.tag_set))
        super().__init__(config, config.teacher, data, data.source_train, model, folder, **rest)
        size = (self.num_classes, model.classifier.in_features)
        self.source_bank, self.target_bank = PrototypeBank(*size), PrototypeBank(*size)
        self.shares, self.aligns, self.targets = TargetShares(), False, self._targets()

    def _targets(self) -> Iterator[dict[str, Tensor]]:
        dataset, batch = self.data.target_train.dataset, self.args.train_batch_size
        sampler = LengthGroupedSampler(batch, lengths=dataset["length"][:])
        loader = DataLoader(dataset, batch, sampler=sampler, collate_fn=self.data_collator)
        return itertools.chain.from_iterable(itertools.repeat(loader))

    def begin_epoch(self, epoch: int) -> None:
        """Refresh what the alignment compares with."""
        alignment, target = self.config.teacher.alignment, self.data.target_train
        self.aligns = alignment.weight > 0 and epoch >= alignment.start_epoch
        if not self.aligns:
            return
        if not alignment.is_batchwise:
            self._prepare_prototypes()
        if epoch == alignment.start_epoch > 0:
            values_NC = self.probabilities(target)
            likeliest_C = torch.bincount(values_NC.argmax(dim=-1), minlength=self.num_classes)
            self.shares.begin(values_NC.mean(dim=0), likeliest_C / len(values_NC))

    def _prepare_prototypes(self) -> None:
        source_CD, mass_C = self.corpus_prototypes(
            self.data.source_train,
            lambda words: nn.functional.one_hot(words.labels_N, self.num_classes).float(),
        )
        self.source_bank.replace(self.averaged(self.source_bank, source_CD, mass_C), mass_C)
        if not self.target_bank.known_C.any():
            found = self.corpus_prototypes(
                self.data.target_train,
                lambda words: self.weights(words.probabilities(), words.places),
            )
            self.target_bank.replace(*found)

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, **rest: Any
    ) -> Tensor:
        """Return the teacher's objective of a batch, Eq. (7)."""
        words = words_of(model, inputs)
        tagging = tagging_loss(words.logits_NC, words.labels_N)
        if not self.aligns:
            return tagging
        aligned = self._alignment(model, words, words_of(model, next(self.targets)))
        return teacher_objective(
            tagging, aligned, alignment_weight=self.config.teacher.alignment.weight
        )

    def _alignment(self, model: nn.Module, source: Words, target: Words) -> Tensor:
        """Return Eq. (6) of a batch of each language."""
        settings, probabilities_NC = self.config.teacher.alignment, target.probabilities()
        if not settings.weight_gradient:
            probabilities_NC = probabilities_NC.detach()
        if settings.least_entity_share > 0:
            probabilities_NC = self.shares.corrected(
                probabilities_NC,
                least=settings.least_entity_share,
                update_rate=settings.share_update_rate,
            )
        weights_NC = self.weights(probabilities_NC, target.places)
        target_CD, mass_C = weighted_prototypes(target.features_ND, weights_NC)
        if settings.is_batchwise:
            source_CD, counts_C = labelled_prototypes(
                source.features_ND, source.labels_N, num_classes=self.num_classes
            )
            classes_C = (mass_C > 0) & (counts_C > 0)
        else:
            source_CD = self.source_bank.prototypes_CD
            averaged_CD = self.averaged(self.target_bank, target_CD, mass_C)
            target_CD = with_gradient(
                averaged_CD, target_CD, gradient=settings.gradient, supported_C=mass_C > 0
            )
            self.target_bank.replace(averaged_CD.detach(), mass_C)
            classes_C = self.source_bank.known_C & self.target_bank.known_C
        if settings.supported_classes_only:
            likeliest_N = weights_NC.argmax(dim=-1)
            classes_C = classes_C & (torch.bincount(likeliest_N, minlength=self.num_classes) > 0)
        return alignment_loss(
            source_CD,
            target_CD,
            temperature=settings.temperature,
            classes_C=classes_C,
            weights_C=mass_C.detach() if settings.class_weights == "share" else None,
            summation=settings.summation,
            negatives=settings.negatives,
        )
