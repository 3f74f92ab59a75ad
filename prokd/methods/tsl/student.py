"""The student of one teacher, or of one for each source language."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from prokd.methods.tsl.config import TSLConfig
from prokd.methods.tsl.similarity import fit_similarity, teacher_weights, weighted_probabilities
from prokd.scoring.evaluation import probabilities
from prokd.stages.context import Context
from prokd.stages.distillation import (
    DistillationStage,
    build_distillation,
    normalised,
    start_of,
)


def build_student(context: Context) -> DistillationStage:
    """Build a student; of several teachers it learns their weighted mean."""
    config: TSLConfig = context.config
    if not config.more_sources:
        return build_distillation(context)
    names = ["teacher", *(f"teacher_{language}" for language in config.more_sources)]
    known = [normalised(context.outputs(name, probabilities)) for name in names]
    model = context.model(start_of(config))
    target_train = context.target_train(model)
    weights_SK = _weights(context, config, len(target_train))
    sentence_of = np.repeat(np.arange(len(target_train)), np.diff(target_train.word_offsets))
    mean_NC = weighted_probabilities(known, weights_SK[torch.from_numpy(sentence_of)])
    return DistillationStage(
        model=model,
        config=config,
        target_train=target_train,
        source_dev=context.source_dev(model),
        teacher_probabilities=mean_NC.numpy(),
        pad_token_id=context.pad_token_id,
        name=context.name,
    )


def _weights(context: Context, config: TSLConfig, num_sentences: int) -> Tensor:
    """Return the weight of each teacher for each target sentence, (S, K)."""
    settings = config.similarity
    if settings.weights == "uniform":
        num_sources = len(config.sources)
        return torch.full((num_sentences, num_sources), 1 / num_sources)
    *sources, target = context.sentence_vectors([*config.sources, config.target])
    similarity = fit_similarity(
        sources,
        rank=settings.rank,
        orthogonality=settings.orthogonality,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        batch_sentences=settings.batch_sentences,
        seed=config.seed,
    )
    return teacher_weights(similarity, target, by_sentence=settings.level == "sentence")
