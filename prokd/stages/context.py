"""What a stage is built from; `prokd.training.context` gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from prokd.data import EncodedCorpus
from prokd.encoder.classifier import TokenClassifier
from prokd.method import TARGET_TRAIN
from prokd.scoring.evaluation import LabelledSplit

Output = Callable[[TokenClassifier, EncodedCorpus, int], Tensor]
"""From a model, a corpus and the padding's index to a row for each kept word, or sentence."""
Prepare = Callable[[TokenClassifier], object]
"""Puts modules beside a classifier, before weights are loaded."""


class Context(Protocol):
    """What the function that builds a stage is given.

    Attributes:
        config: The experiment's settings as the stage sees them.
        name: Of the stage.
        pad_token_id: Of the tokenizer.
    """

    config: Any
    name: str

    @property
    def pad_token_id(self) -> int:
        """Of the tokenizer."""
        ...

    def model(self, start: str | None = None) -> TokenClassifier:
        """Return a new classifier on the device.

        Args:
            start: The needed stage whose weights it gets; None = those of the encoder.
        """
        ...

    def corpus(self, name: str, model: TokenClassifier) -> EncodedCorpus:
        """Return what a stage learns from, prepared for a model's frozen part.

        Args:
            name: ``SOURCE_TRAIN``, ``TARGET_TRAIN``, ``TRANSLATED_TRAIN`` or ``PAIRED_TRAIN`` of
                `prokd.method`.
            model: Whose frozen part it is.
        """
        ...

    def source_train(self, model: TokenClassifier) -> EncodedCorpus:
        """Return the labelled source sentences, prepared likewise."""
        ...

    def source_dev(self, model: TokenClassifier) -> LabelledSplit:
        """Return the labelled source sentences to score on, prepared likewise."""
        ...

    def target_train(self, model: TokenClassifier) -> EncodedCorpus:
        """Return the target sentences without labels, prepared likewise."""
        ...

    def outputs(
        self,
        need: str,
        output: Output,
        *,
        corpus: str = TARGET_TRAIN,
        prepare: Prepare | None = None,
    ) -> npt.NDArray[np.float16]:
        """Return what a needed stage's model makes of a corpus; computed once, then mapped.

        Args:
            need: Name of the stage.
            output: Gives a row for each kept word, or sentence.
            corpus: Its name, as in `corpus`.
            prepare: Puts modules beside the model's classifier that the stage has trained.
        """
        ...

    def sentence_vectors(self, languages: Sequence[str]) -> Sequence[Tensor]:
        """Return what the encoder, as it was before any training, makes of training sentences.

        Returns:
            float32, (sentences, D), for each language: the mean of a sentence's subwords. That of
            the target is read without labels.
        """
        ...
