"""What an epoch of teacher and student takes on this machine, measured on a few batches."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from prokd.config import ExperimentConfig, RuntimeConfig, with_overrides
from prokd.data import Corpus, EncodedCorpus, encode_corpus
from prokd.encoder.classifier import TokenClassifier, build_classifier
from prokd.encoder.device import device_of
from prokd.encoder.files import load_tokenizer
from prokd.encoder.precision import settled
from prokd.methods.prokd.student import StudentStage
from prokd.methods.prokd.teacher import TeacherStage
from prokd.runs.folder import Kind
from prokd.scoring.evaluation import LabelledSplit
from prokd.stages.seeding import seed_everything
from prokd.stages.stage import Stage
from prokd.training.corpora import Corpora

BATCHES = 3
"""Batches of each stage that are timed at most."""
FIRST, ENOUGH_SECONDS = 8, 2.0
"""Sentences of the first try; it is made again with more, until one has taken so long."""
ANY = {
    "teacher.epochs": 2,
    "student.epochs": 2,
    "teacher.collapse_fall": 0.0,  # so few steps are no training that could fall
    "student.collapse_agreement": 0.0,
}


def epoch_seconds(config: ExperimentConfig, runtime: RuntimeConfig) -> dict[Kind, float]:
    """Train a few batches of a teacher and of a student, and return seconds of a whole epoch.

    Nothing is written but to a temporary folder, and no label of the target is read. A student
    learns from a uniform teacher here, which takes as long as learning from a trained one.

    Args:
        config: The experiment; its precision must be one that this machine can do.
        runtime: Where the data lies, and the device and number of threads.

    Raises:
        UserError: Bad data, or an encoder that cannot be loaded.
        CollapsedRun: A loss is not finite even now.
    """
    threads = torch.get_num_threads()
    try:
        if runtime.threads is not None:
            torch.set_num_threads(runtime.threads)
        with tempfile.TemporaryDirectory() as folder:
            return _measured(config, runtime.model_copy(update={"cache_dir": Path(folder)}))
    finally:
        torch.set_num_threads(threads)


def _measured(config: ExperimentConfig, runtime: RuntimeConfig) -> dict[Kind, float]:
    device = device_of(runtime)
    aligns_later = config.teacher.alignment.start_epoch > 0
    begins = (
        {"teacher.alignment.start_epoch": 1} if aligns_later else {}
    )  # the epoch that is timed
    config = with_overrides(settled(config, device), {**ANY, **begins})
    corpora = Corpora(config, runtime)
    seed_everything(config.seed, 0)
    model = build_classifier(
        config.encoder, len(corpora.tag_set), max_length=config.data.max_length, seed=config.seed
    ).to(device)
    number = FIRST
    most = BATCHES * max(config.teacher.batch_sentences, config.student.batch_sentences)
    while True:
        started = time.monotonic()
        seconds = _of_sentences(number, model, config, corpora)
        if time.monotonic() - started >= ENOUGH_SECONDS or number >= most:
            return seconds
        number = min(most, 4 * number)


def _of_sentences(
    number: int, model: TokenClassifier, config: ExperimentConfig, corpora: Corpora
) -> dict[Kind, float]:
    """Return the seconds of whole epochs, from epochs of so many sentences."""
    pad = corpora.pad_token_id
    source, few_source = _first(corpora.corpus(config.source, "train"), number)
    target, few_target = _first(corpora.corpus(config.target, "train", labelled=False), number)
    dev, few_dev = _first(corpora.corpus(config.source, "dev"), number)

    def prepared(corpus: Corpus) -> EncodedCorpus:
        encoded = encode_corpus(
            corpus,
            load_tokenizer(config.encoder.name),
            corpora.tag_set,
            max_length=config.data.max_length,
            cache_dir=corpora.runtime.cache_dir,
        )
        return corpora.prepared(model, encoded)

    scored, target_train = LabelledSplit(few_dev, prepared(few_dev)), prepared(few_target)
    shape = (len(target_train.word_positions), len(corpora.tag_set))
    teacher = TeacherStage(
        model=model,
        config=config,
        source_train=prepared(few_source),
        source_dev=scored,
        target_train=target_train if config.teacher.alignment.weight > 0 else None,
        pad_token_id=pad,
    )
    training, scoring = _timed(teacher, scored, pad)
    seconds: dict[Kind, float] = {"teacher": training * source + scoring * dev}
    student = StudentStage(
        model=model,
        config=config,
        target_train=target_train,
        source_dev=scored,
        teacher_probabilities=np.full(shape, 1 / shape[1], dtype=np.float32),
        pad_token_id=pad,
    )
    training, scoring = _timed(student, scored, pad)
    return {**seconds, "student": training * target + scoring * dev}


def _timed(stage: Stage, dev: LabelledSplit, pad_token_id: int) -> tuple[float, float]:
    """Return the seconds of training, and of scoring on source dev, of a short epoch."""
    stage.run_epoch()  # what a first step alone takes is no part of an epoch
    started = time.monotonic()
    dev.quick_scores(stage.model, pad_token_id)
    scored = time.monotonic()
    stage.run_epoch()
    scoring = scored - started
    return max(0.0, time.monotonic() - scored - scoring), scoring


def _first(corpus: Corpus, number: int) -> tuple[float, Corpus]:
    """Return the first sentences, and how many times as many words there are in all."""
    tags = None if corpus.tags is None else corpus.tags[:number]
    few = replace(corpus, words=corpus.words[:number], tags=tags)
    words = [sum(map(len, part.words)) for part in (corpus, few)]
    return words[0] / max(1, words[1]), few
