"""What a stage is built from: its settings, models, corpora, and what earlier stages have made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.config import ExperimentConfig
from prokd.data import EncodedCorpus
from prokd.encoder import artifact
from prokd.encoder.classifier import TokenClassifier, build_classifier
from prokd.errors import UserError
from prokd.method import SOURCE_DEV, SOURCE_TRAIN, TARGET_TRAIN, StageSpec
from prokd.runs.folder import RunFolder
from prokd.scoring.evaluation import LabelledSplit, mean_features
from prokd.stages.context import Output, Prepare
from prokd.stages.seeding import seed_everything
from prokd.stages.stage import Stage
from prokd.training.corpora import Corpora
from prokd.training.outputs import outputs


class StageContext:
    """The `stages.context.Context` of a stage of an experiment.

    Args:
        spec: The stage.
        config: The experiment's settings as the stage sees them.
        corpora: What the stage reads.
        device: Where it trains.
        needed: Folders of the finished stages that it needs, by name.
    """

    def __init__(
        self,
        spec: StageSpec,
        config: ExperimentConfig,
        corpora: Corpora,
        device: torch.device,
        needed: Mapping[str, RunFolder],
    ) -> None:
        """Take the parts; nothing is loaded yet."""
        self.config: Any = config
        self.name, self._read = spec.name, tuple(spec.reads(config))
        self.corpora, self.device, self.needed = corpora, device, needed

    @property
    def pad_token_id(self) -> int:
        """Of the tokenizer."""
        return self.corpora.pad_token_id

    def model(self, start: str | None = None) -> TokenClassifier:
        """Return a new classifier on the device, with the weights of a needed stage if wished.

        Raises:
            UserError: The encoder cannot be loaded, or the stage was trained on another one.
        """
        model = build_classifier(
            self.config.encoder,
            len(self.corpora.tag_set),
            max_length=self.config.data.max_length,
            seed=self.config.seed,
        ).to(self.device)
        if start is not None:
            artifact.load_into(model, self._needed(start).path, self.config.encoder)
        return model

    def corpus(self, name: str, model: TokenClassifier) -> EncodedCorpus:
        """Return what a stage learns from, prepared for a model's frozen part."""
        self._check_read(name)
        return self.corpora.prepared(model, self.corpora.training(name))

    def source_train(self, model: TokenClassifier) -> EncodedCorpus:
        """Return the labelled source sentences, prepared likewise."""
        return self.corpus(SOURCE_TRAIN, model)

    def source_dev(self, model: TokenClassifier) -> LabelledSplit:
        """Return the labelled source sentences to score on, prepared likewise."""
        self._check_read(SOURCE_DEV)
        return self.corpora.prepared_split(model, self.corpora.source_dev)

    def target_train(self, model: TokenClassifier) -> EncodedCorpus:
        """Return the target sentences without labels, prepared likewise."""
        return self.corpus(TARGET_TRAIN, model)

    def outputs(
        self,
        need: str,
        output: Output,
        *,
        corpus: str = TARGET_TRAIN,
        prepare: Prepare | None = None,
    ) -> npt.NDArray[np.float16]:
        """Return what a needed stage's model makes of a corpus, see `outputs.outputs`."""
        self._check_read(corpus)
        return outputs(self._needed(need), output, self.corpora, corpus=corpus, prepare=prepare)

    def _needed(self, name: str) -> RunFolder:
        """Return the run of a stage that this one needs; UserError unless it says so."""
        if name not in self.needed:
            raise UserError(
                f"the stage {self.name} must need what it builds on, but its needs "
                f"({', '.join(self.needed) or 'none'}) do not name {name}."
            )
        return self.needed[name]

    def _check_read(self, corpus: str) -> None:
        """Refuse a corpus that is no part of the run's identity."""
        if corpus not in self._read:
            raise UserError(
                f"the stage {self.name} must say what it reads, but its reads "
                f"({', '.join(self._read) or 'none'}) do not name {corpus}."
            )

    def sentence_vectors(self, languages: Sequence[str]) -> list[Tensor]:
        """Return the mean feature of each training sentence, by the encoder before any training.

        Returns:
            float32, (sentences, D), for each language, on the CPU.
        """
        model = self.model()
        corpora = [self.corpora.training_text(language) for language in languages]
        seen = [self.corpora.prepared(model, corpus) for corpus in corpora]
        return [mean_features(model, corpus, self.pad_token_id) for corpus in seen]


def new_stage(context: StageContext, spec: StageSpec) -> Stage:
    """Build a stage before its first epoch.

    Raises:
        UserError: The encoder cannot be loaded, or a stage that is needed is not trained.
    """
    seed_everything(context.config.seed, 0)
    stage: Stage | None = spec.function()(context)
    if stage is None:
        raise UserError(
            f"the stage {spec.name} must be built by {spec.build}, but that returns None."
        )
    return stage
