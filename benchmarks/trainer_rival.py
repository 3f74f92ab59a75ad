"""The strong rival: the same method as a good engineer would write it on transformers' `Trainer`.

The losses, prototypes and schedules are this project's pure functions, in the stable or the soft
reading; data, encoder, hyperparameters and the number of updates are the same. What is not ours:

B1. Batches of sentences of similar length (`train_sampling_strategy="group_by_length"`), padded to
    their longest one by transformers' collator; splits that are only looked at are sorted.
B2. AdamW in one pass (`adamw_torch_fused`), nothing read with ``.item()``, no loop over tokens.
B3. Teachers' probabilities are predicted once, by `Trainer.predict`.
B4. Scores are seqeval's, Viterbi goes over all sentences at once.

One difference is left, as in `benchmarks.rival`: its frozen layers keep their dropout.

# B sentences, T subwords (padding included), N valid tokens (flattened), C classes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import SequentialSampler
from transformers import (
    DataCollatorForTokenClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from benchmarks.trainer_data import PADDING_LABEL, Data, Split, decode
from prokd.config import ExperimentConfig, OptimizationConfig
from prokd.methods.prokd.weights import configured_weights
from prokd.terms.prototypes import (
    PrototypeBank,
    class_sums,
    means_of_sums,
)
from prokd.terms.sequences import Places

EVALUATION_SENTENCES = 16
"""Of a batch that is only looked at; on one thread 16 and 32 were faster than 8 and 64."""


@dataclass(frozen=True)
class Words:
    """The valid tokens of a batch: features (N, D), logits (N, C), labels (N,), rows (N,)."""

    features_ND: Tensor
    logits_NC: Tensor
    labels_N: Tensor
    rows_N: Tensor
    places: Places

    def probabilities(self) -> Tensor:
        """Return those of the classes, (N, C)."""
        return torch.softmax(self.logits_NC, dim=-1)


def words_of(model: nn.Module, inputs: dict[str, Tensor]) -> Words:
    """Look at a collated batch."""
    hidden_BTD, logits_BTC = model(inputs["input_ids"], inputs["attention_mask"])
    valid_BT = inputs["labels"] != PADDING_LABEL
    places = Places.of_lengths(valid_BT.sum(dim=1).tolist())
    rows_N = inputs["first_row"][places.sentence_N] + places.position_N
    labels_N = inputs["labels"][valid_BT]
    return Words(hidden_BTD[valid_BT], logits_BTC[valid_BT], labels_N, rows_N, places)


class EpochBegin(TrainerCallback):
    """Lets a trainer prepare an epoch."""

    def __init__(self, trainer: TaggerTrainer) -> None:
        """Keep the trainer, which a callback is not given."""
        self.trainer = trainer

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Tell the number of the epoch."""
        self.trainer.begin_epoch(round(state.epoch or 0))


class TaggerTrainer(Trainer):
    """What both stages share.

    Args:
        config: The experiment.
        settings: How the stage is optimised.
        data: All splits; source dev is scored after each epoch.
        train: The split to learn from.
        model: To be trained.
        folder: For what `Trainer` may want to write.
        callbacks: Of whoever watches; they come before the trainer's own.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        settings: OptimizationConfig,
        data: Data,
        train: Split,
        model: nn.Module,
        folder: Path,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        """Hand everything to `Trainer`."""
        arguments = TrainingArguments(
            output_dir=str(folder),
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch_sentences,
            per_device_eval_batch_size=EVALUATION_SENTENCES,
            train_sampling_strategy="group_by_length",
            optim="adamw_torch_fused",
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            warmup_steps=settings.warmup_fraction,
            max_grad_norm=settings.max_gradient_norm,
            eval_strategy="epoch",
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            label_names=["labels"],
            dataloader_pin_memory=False,
            use_cpu=True,
            seed=config.seed,
        )
        super().__init__(
            model=model,
            args=arguments,
            data_collator=DataCollatorForTokenClassification(data.tokenizer),
            train_dataset=train.dataset,
            eval_dataset=data.source_dev.dataset,
            processing_class=data.tokenizer,
            compute_metrics=self._dev_scores,
            callbacks=list(callbacks),
        )
        self.add_callback(EpochBegin(self))
        self.config, self.data, self.num_classes = config, data, len(data.tag_set)

    def begin_epoch(self, epoch: int) -> None:
        """Prepare an epoch."""

    def _dev_scores(self, prediction: Any) -> dict[str, float]:
        chosen = prediction.label_ids != PADDING_LABEL
        tags_N = prediction.predictions[chosen].argmax(axis=-1)
        return self.data.source_dev.scores(tags_N, None, self.data.tag_set)

    def _get_eval_sampler(self, eval_dataset: Any) -> SequentialSampler:
        """Take sentences as they are, sorted by length: predictions keep the order of a split."""
        return SequentialSampler(eval_dataset)

    def prediction_step(
        self, model: nn.Module, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[None, Tensor, Tensor]:
        """Return logits (B, T, C) and labels (B, T); no loss is asked for."""
        with torch.no_grad():
            return None, model(inputs["input_ids"], inputs["attention_mask"])[1], inputs["labels"]

    def predict(self, test_dataset: Any, **rest: Any) -> Any:
        """Predict without the scores of source dev, which `Trainer` would take of any split."""
        scores, self.compute_metrics = self.compute_metrics, None
        try:
            return super().predict(test_dataset, **rest)
        finally:
            self.compute_metrics = scores

    def probabilities(self, split: Split) -> Tensor:
        """Return class probabilities of every word of a split, (N, C), in its order."""
        found = self.predict(split.dataset)
        logits_NC = found.predictions[found.label_ids != PADDING_LABEL]
        return torch.softmax(torch.from_numpy(logits_NC), dim=-1)

    def scores(self, split: Split) -> dict[str, float]:
        """Score a split: entity F1 of tags by themselves and of valid sequences."""
        found = self.predict(split.dataset)
        return split.scores(*decode(found.predictions, found.label_ids), self.data.tag_set)

    @torch.no_grad()
    def corpus_prototypes(
        self, split: Split, weights: Callable[[Words], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return prototypes (C, D) over a split and their mass (C,), in eval mode."""
        size = (self.num_classes, self.model.classifier.in_features)
        sums_CD, mass_C = torch.zeros(size), torch.zeros(size[0])
        self.model.eval()
        for inputs in self.get_test_dataloader(split.dataset):
            words = words_of(self.model, inputs)
            part_CD, part_C = class_sums(words.features_ND, weights(words))
            sums_CD, mass_C = sums_CD + part_CD, mass_C + part_C
        return means_of_sums(sums_CD, mass_C), mass_C

    def weights(self, probabilities_NC: Tensor, places: Places) -> Tensor:
        """Return the weights of Eq. (4), (N, C)."""
        return configured_weights(probabilities_NC, places, self.config.prototypes)

    def averaged(self, bank: PrototypeBank, new_CD: Tensor, mass_C: Tensor) -> Tensor:
        """Return Eq. (5) of a bank and new prototypes."""
        prototypes = self.config.prototypes
        return bank.averaged(
            new_CD,
            mass_C,
            update_rate=prototypes.update_rate,
            weighs=prototypes.update_rate_weighs,
        )
