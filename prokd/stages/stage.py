"""The hinge between the method and whatever drives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from prokd.config import OptimizationConfig
from prokd.data import Batch, EncodedCorpus, collate, make_batches
from prokd.encoder.classifier import TokenClassifier

SOURCE_STREAM, TARGET_STREAM, STUDENT_STREAM, CONTRAST_STREAM = 0, 1, 2, 3
"""Which random numbers an epoch's batches are drawn with: those of a teacher's source and target
text, those of a student's target text; and the tokens that a contrast compares."""


class Stage(Protocol):
    """A training stage: it advances one epoch when asked and returns flat numbers.

    A script loops over it, a Ray trainable calls it once per step, a test calls it three times.
    """

    epoch: int
    num_epochs: int
    model: TokenClassifier

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch and return its metrics; CollapsedRun if the training broke down."""
        ...

    def criteria(self) -> dict[str, float]:
        """Return what the trained stage can be chosen by without labels, higher is better."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs to equal an uninterrupted one."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        ...


def epoch_generator(seed: int, epoch: int, stream: int) -> np.random.Generator:
    """Return the random numbers of one epoch and purpose, whatever was drawn before."""
    return np.random.default_rng([seed, epoch, stream])


def training_batches(
    encoded: EncodedCorpus,
    settings: OptimizationConfig,
    generator: np.random.Generator,
    sentences: npt.NDArray[np.int64] | None = None,
) -> list[npt.NDArray[np.int64]]:
    """Return the sentences of each batch of an epoch, as `data.make_batches` does.

    Args:
        encoded: The corpus.
        settings: The batches' limits.
        generator: Of their order.
        sentences: Indices of those that take part; None = all.
    """
    return make_batches(
        encoded,
        batch_sentences=settings.batch_sentences,
        batch_tokens=settings.batch_tokens,
        batch_pool=settings.batch_pool,
        generator=generator,
        sentences=sentences,
    )


def endless_indices(
    encoded: EncodedCorpus, settings: OptimizationConfig, generator: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the sentences of batches again and again, each round in an order of its own."""
    while True:
        yield from training_batches(encoded, settings, generator)


def endless_batches(
    encoded: EncodedCorpus,
    settings: OptimizationConfig,
    generator: np.random.Generator,
    pad_token_id: int,
    device: torch.device,
) -> Iterator[Batch]:
    """Yield the batches of `endless_indices`, on a device."""
    for indices in endless_indices(encoded, settings, generator):
        batch = collate(encoded, indices, pad_token_id)
        yield batch.to(device, non_blocking=True)
