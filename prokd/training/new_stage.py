"""From an experiment's settings and corpora to a stage before its first epoch."""

from __future__ import annotations

import torch

from prokd.config import ExperimentConfig
from prokd.encoder import artifact
from prokd.encoder.classifier import TokenClassifier, build_classifier
from prokd.methods.prokd.student import StudentStage
from prokd.methods.prokd.teacher import TeacherStage
from prokd.runs.folder import RunFolder
from prokd.stages.seeding import seed_everything
from prokd.stages.stage import Stage
from prokd.training.corpora import Corpora
from prokd.training.soft_labels import teacher_probabilities


def new_stage(
    config: ExperimentConfig, corpora: Corpora, device: torch.device, teacher: RunFolder | None
) -> Stage:
    """Load an encoder and what the stage trains on.

    Args:
        config: The experiment.
        corpora: What it reads.
        device: Where it trains.
        teacher: The student's teacher; None = the stage is a teacher itself.

    Raises:
        UserError: The encoder cannot be loaded, or the teacher is not trained.
    """
    seed_everything(config.seed, 0)
    model = build_classifier(
        config.encoder,
        len(corpora.tag_set),
        max_length=config.data.max_length,
        seed=config.seed,
    ).to(device)
    if teacher is None:
        return _new_teacher(model, config, corpora)
    return _new_student(model, config, corpora, teacher)


def _new_teacher(
    model: TokenClassifier, config: ExperimentConfig, corpora: Corpora
) -> TeacherStage:
    uses_target = config.teacher.alignment.weight > 0
    return TeacherStage(
        model=model,
        config=config,
        source_train=corpora.prepared(model, corpora.source_train),
        source_dev=corpora.prepared_split(model, corpora.source_dev),
        target_train=corpora.prepared(model, corpora.target_train) if uses_target else None,
        pad_token_id=corpora.pad_token_id,
    )


def _new_student(
    model: TokenClassifier, config: ExperimentConfig, corpora: Corpora, teacher: RunFolder
) -> StudentStage:
    known = teacher_probabilities(teacher, config, corpora.runtime, corpora)
    if config.student.start == "teacher":
        artifact.load_into(model, teacher.path, config.encoder)
    return StudentStage(
        model=model,
        config=config,
        target_train=corpora.prepared(model, corpora.target_train),
        source_dev=corpora.prepared_split(model, corpora.source_dev),
        teacher_probabilities=known,
        pad_token_id=corpora.pad_token_id,
    )
