"""The rival: teacher-student training by the recipe of published code, plainly on transformers.

The method is the same: the losses, prototypes and schedules are this project's pure functions, in
the stable reading. So are data, encoder, hyperparameters and the number of updates. The recipe is
the usual one of published implementations:

R1. Every sentence is padded to the greatest length (128 subwords).
R2. float32; source and target pass through the encoder one after the other.
R3. Random batches; losses are read with ``.item()`` in every step.
R4. Predictions are gathered by repeated concatenation of padded arrays.
R5. Decoding and scoring loop over sentences and tokens in Python.
R6. Every point of a search trains its own teacher, in a process of its own
    (``python -m benchmarks.rival JOB.json``).

# B sentences, T subwords (padding included), N valid tokens (flattened), C classes
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import get_linear_schedule_with_warmup

from benchmarks.rival_data import PADDING_LABEL, Features, decode, features_of, score
from benchmarks.rival_model import PaddedBatch, TokenTagger
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.encoder.files import load_tokenizer
from prokd.methods import read_config
from prokd.methods.prokd.student.objective import student_objective
from prokd.methods.prokd.student.pseudo_labels import (
    hard_labels,
    hybrid_probabilities,
    prototype_probabilities,
)
from prokd.methods.prokd.student.schedule import distillation_weight
from prokd.methods.prokd.student.self_training import self_training_loss
from prokd.methods.prokd.teacher.alignment import alignment_loss
from prokd.methods.prokd.teacher.objective import teacher_objective
from prokd.methods.prokd.teacher.shares import TargetShares
from prokd.methods.prokd.weights import configured_weights
from prokd.terms.distillation import distillation_loss
from prokd.terms.prototypes import (
    class_sums,
    labelled_prototypes,
    means_of_sums,
    weighted_prototypes,
)
from prokd.terms.tagging_loss import tagging_loss
from prokd.training.corpora import Corpora


class Rival:
    """One point: a teacher of its own, then its student.

    Args:
        config: The experiment.
        runtime: Where the data lie.
    """

    def __init__(self, config: ExperimentConfig, runtime: RuntimeConfig) -> None:
        """Read the corpora and turn them into padded features."""
        self.config, self.corpora = config, Corpora(config, runtime)
        if runtime.threads is not None:
            torch.set_num_threads(runtime.threads)
        tokenizer, length = load_tokenizer(config.encoder.name), config.data.max_length
        self.tag_set = self.corpora.tag_set

        def features(language: str, split: str, *, labelled: bool = True) -> Features:
            corpus = self.corpora.corpus(language, split, labelled=labelled)
            return features_of(corpus, tokenizer, self.tag_set, length)

        self.source_train = features(config.source, "train")
        self.source_dev = features(config.source, "dev")
        self.target_train = features(config.target, "train", labelled=False)
        self.target_test = features(config.target, "test")
        self.updates = 0
        self.seconds: dict[str, float] = {}

    def start(self, kind: str) -> None:
        """Make the model, optimiser and schedule of a stage."""
        settings = self.config.teacher if kind == "teacher" else self.config.student
        data = self.source_train if kind == "teacher" else self.target_train
        self.batch = settings.batch_sentences
        self.kind, self.settings, self.shares = kind, settings, TargetShares()
        if kind == "teacher" or self.config.student.start == "encoder":
            self.model = TokenTagger(self.config, len(self.tag_set))
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings.learning_rate)
        steps = -(-len(data) // self.batch) * settings.epochs
        self.schedule = get_linear_schedule_with_warmup(
            self.optimizer, round(settings.warmup_fraction * steps), steps
        )

    def teacher_epoch(self, epoch: int) -> float:
        """Train the teacher for one epoch; return its mean loss."""
        alignment = self.config.teacher.alignment
        generator = np.random.default_rng([self.config.seed, epoch, 0])
        aligns = alignment.weight > 0 and epoch >= alignment.start_epoch
        targets = self._shuffled(self.target_train, generator)
        if aligns and epoch > 0 and self.shares.entity_share is None:
            values_NC = self._probabilities(self.target_train)
            likeliest_C = torch.bincount(values_NC.argmax(dim=-1), minlength=len(self.tag_set))
            self.shares.begin(values_NC.mean(dim=0), likeliest_C / len(values_NC))
        total = 0.0
        for indices in self._shuffled(self.source_train, generator):
            self.model.train()
            features_ND, logits_NC, batch = self._forward(self.source_train, indices)
            labels_N = batch.labels_BT[batch.labels_BT != PADDING_LABEL]
            loss = tagging_loss(logits_NC, labels_N)
            if aligns:
                if not targets:
                    targets = self._shuffled(self.target_train, generator)
                loss = self._with_alignment(loss, features_ND, labels_N, targets.pop())
            total += self._update(loss)
        return total

    def _with_alignment(
        self, tagging: Tensor, source_ND: Tensor, labels_N: Tensor, indices: Any
    ) -> Tensor:
        settings = self.config.teacher.alignment
        features_ND, logits_NC, batch = self._forward(self.target_train, indices)
        probabilities_NC = torch.softmax(logits_NC, dim=-1).detach()
        if settings.least_entity_share > 0:
            probabilities_NC = self.shares.corrected(
                probabilities_NC,
                least=settings.least_entity_share,
                update_rate=settings.share_update_rate,
            )
        weights_NC = configured_weights(probabilities_NC, batch.places, self.config.prototypes)
        target_CD, mass_C = weighted_prototypes(features_ND, weights_NC)
        source_CD, counts_C = labelled_prototypes(
            source_ND, labels_N, num_classes=len(self.tag_set)
        )
        likeliest_C = torch.bincount(weights_NC.argmax(dim=-1), minlength=len(self.tag_set))
        aligned = alignment_loss(
            source_CD,
            target_CD,
            temperature=settings.temperature,
            classes_C=(mass_C > 0) & (counts_C > 0) & (likeliest_C > 0),
            weights_C=mass_C.detach(),
            summation=settings.summation,
            negatives=settings.negatives,
        )
        return teacher_objective(tagging, aligned, alignment_weight=settings.weight)

    def student_epoch(self, epoch: int) -> float:
        """Train the student for one epoch; return its mean loss."""
        settings = self.config.student
        alpha = distillation_weight(epoch, settings.epochs, first_epoch=settings.first_epoch)
        prototypes_CD, known_C = self._prototypes(epoch)
        prior_C = torch.from_numpy(self.teacher_probabilities.mean(axis=0))
        rate = self.config.prototypes.update_rate
        generator = np.random.default_rng([self.config.seed, epoch, 2])
        total = 0.0
        for indices in self._shuffled(self.target_train, generator):
            self.model.eval()
            with torch.no_grad():
                plain_ND, plain_NC, batch = self._forward(self.target_train, indices)
            teacher_NC = torch.from_numpy(self.teacher_probabilities[batch.rows])
            weights_NC = configured_weights(
                torch.softmax(plain_NC, dim=-1), batch.places, self.config.prototypes
            )
            new_CD, mass_C = weighted_prototypes(plain_ND, weights_NC)
            seen = (mass_C > 0)[:, None]
            prototypes_CD = torch.where(
                seen, rate * new_CD + (1 - rate) * prototypes_CD, prototypes_CD
            )
            prototype_NC = prototype_probabilities(
                plain_ND,
                prototypes_CD,
                temperature=settings.prototype_temperature,
                distance=settings.distance,
                scale=settings.distance_scale,
                known_C=known_C | (mass_C > 0),
                class_prior_C=prior_C,
            )
            hybrid_NC = hybrid_probabilities(
                prototype_NC, teacher_NC, fusion_weight=settings.fusion_weight
            )
            labels_N = hard_labels(hybrid_NC, batch.places)
            self.model.train()
            _, logits_NC, _ = self._forward(self.target_train, indices)
            loss = student_objective(
                self_training_loss(
                    logits_NC,
                    labels_N,
                    kept_N=hybrid_NC.max(dim=-1).values >= settings.confidence,
                ),
                distillation_loss(teacher_NC, torch.softmax(logits_NC, dim=-1)),
                distillation_weight=alpha,
            )
            total += self._update(loss)
        return total

    @torch.no_grad()
    def _prototypes(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Return prototypes over the corpus, from the teacher's p at first, then from q."""
        size = (len(self.tag_set), self.model.classifier.in_features)
        sums_CD, mass_C = torch.zeros(size), torch.zeros(size[0])
        self.model.eval()
        for first in range(0, len(self.target_train), self.batch):
            indices = range(first, min(first + self.batch, len(self.target_train)))
            features_ND, logits_NC, batch = self._forward(self.target_train, list(indices))
            values_NC = torch.softmax(logits_NC, dim=-1)
            if epoch == 0:
                values_NC = torch.from_numpy(self.teacher_probabilities[batch.rows])
            part_CD, part_C = class_sums(
                features_ND, configured_weights(values_NC, batch.places, self.config.prototypes)
            )
            sums_CD, mass_C = sums_CD + part_CD, mass_C + part_C
        return means_of_sums(sums_CD, mass_C), mass_C > 0

    def probability_pass(self) -> None:
        """Let the model, now the teacher, say p for every word of target train."""
        self.teacher_probabilities = self._probabilities(self.target_train).numpy()

    def _probabilities(self, data: Features) -> Tensor:
        """Return class probabilities (N, C) of every word of a split, in its order."""
        padded, labels = self._logits(data), data.labels
        rows = [
            torch.softmax(torch.from_numpy(padded[i][labels[i] != PADDING_LABEL]), dim=-1)
            for i in range(len(labels))
        ]
        return torch.cat(rows)

    def evaluate(self, data: Features) -> dict[str, float]:
        """Score a split: entity F1 (seqeval) of tags by themselves and of valid sequences."""
        return score(decode(self._logits(data), data, self.tag_set), data)

    @torch.no_grad()
    def _logits(self, data: Features) -> npt.NDArray[np.float32]:
        """Return padded logits (S, T, C), gathered by repeated concatenation."""
        self.model.eval()
        gathered: npt.NDArray[np.float32] | None = None
        for first in range(0, len(data), self.batch):
            part = slice(first, first + self.batch)
            _, logits_BTC = self.model(data.input_ids[part], data.masks[part])
            values = logits_BTC.detach().cpu().numpy()
            gathered = values if gathered is None else np.append(gathered, values, axis=0)
        assert gathered is not None, "a split has sentences"
        return gathered

    def _forward(self, data: Features, indices: Any) -> tuple[Tensor, Tensor, PaddedBatch]:
        batch = PaddedBatch(data, indices)
        hidden_BTD, logits_BTC = self.model(batch.input_ids_BT, batch.mask_BT)
        valid_BT = batch.labels_BT != PADDING_LABEL
        return hidden_BTD[valid_BT], logits_BTC[valid_BT], batch

    def _shuffled(self, data: Features, generator: np.random.Generator) -> list[Any]:
        order = generator.permutation(len(data))
        return [order[i : i + self.batch] for i in range(0, len(order), self.batch)]

    def _update(self, loss: Tensor) -> float:
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.settings.max_gradient_norm)
        self.optimizer.step()
        self.schedule.step()
        self.updates += 1
        return loss.item()

    def run(self) -> dict[str, float]:
        """Train teacher and student, scored on source dev after each epoch; score target test."""
        result: dict[str, float] = {}
        for kind, epoch_of in (("teacher", self.teacher_epoch), ("student", self.student_epoch)):
            started = time.perf_counter()
            if kind == "student":
                self.probability_pass()
            self.start(kind)
            for epoch in range(self.settings.epochs):
                epoch_of(epoch)
                result["source_dev"] = self.evaluate(self.source_dev)["entity_f1"]
            result[f"{kind}_seconds"] = time.perf_counter() - started
            result[f"{kind}_updates"] = self.updates - sum(
                value for name, value in result.items() if name.endswith("_updates")
            )
        scores = self.evaluate(self.target_test)
        return result | {f"target_test_{name}": value for name, value in scores.items()}


def main(job: Path) -> None:
    """Run one point as a process: read the job, train, write ``<job>.result.json``."""
    values = json.loads(job.read_text(encoding="utf-8"))
    config = read_config(values["config"])
    runtime = RuntimeConfig.model_validate(values["runtime"])
    result = Rival(config, runtime).run()
    job.with_suffix(".result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
