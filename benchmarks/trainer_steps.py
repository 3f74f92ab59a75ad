"""Steps and passes beside the strong rival: teacher, student, probabilities, evaluation.

As `benchmarks.steps`: a step is an epoch's time over its updates, with all that an epoch does
besides; processor seconds of one thread; the first epoch is not counted. The rival's `Trainer`
keeps the time of its loop: ours trains an epoch whenever one of the rival's is about to begin.
"""

from __future__ import annotations

import shutil
from time import process_time
from typing import Any

import torch
from transformers import TrainerCallback
from transformers.utils import logging

from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.steps import DEV_SENTENCES, our_steps
from benchmarks.table import Line, interleaved, ratio_line
from benchmarks.trainer_data import Data
from benchmarks.trainer_student import StudentTrainer
from benchmarks.trainer_teacher import TeacherTrainer
from prokd.encoder import artifact
from prokd.scoring import evaluation
from prokd.scoring.evaluation import LabelledSplit
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun


class Turns(TrainerCallback):
    """Trains an epoch of ours before each of the rival's, and takes the time of both.

    Args:
        run: Of ours, with as many epochs.
    """

    def __init__(self, run: StageRun) -> None:
        """Take no time yet."""
        self.ours_of, self.started = our_steps(run), None
        self.ours: list[float] = []
        self.theirs: list[float] = []

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """End the rival's last epoch, train one of ours, begin the rival's next."""
        self._end(state)
        self.ours.append(self.ours_of(len(self.ours)))
        torch.use_deterministic_algorithms(False)  # ours has chosen them for itself
        self.before, self.started = state.global_step, process_time()

    def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """End the rival's last epoch."""
        self._end(state)

    def _end(self, state: Any) -> None:
        if self.started is not None:
            seconds = process_time() - self.started
            self.theirs.append(seconds / (state.global_step - self.before))

    def line(self, stage: str) -> Line:
        """Return the ratio of a stage's steps, without the first epoch."""
        what = f"{stage} step"
        return ratio_line("trainer_steps", what, self.ours[1:], self.theirs[1:], target="≥ 1.5x")


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the lines of four ratios."""
    logging.set_verbosity_error()
    torch.set_num_threads(setting.threads)
    epochs = sizes.repeats + 1
    config = setting.config(
        sizes.sentences,
        DEV_SENTENCES,
        **{"teacher.epochs": epochs, "student.epochs": epochs},
    )
    runtime, folder = setting.runtime("trainer_steps"), setting.folder / "trainer_steps"
    shutil.rmtree(runtime.runs_dir, ignore_errors=True)
    corpora = Corpora(config, runtime)
    data = Data.read(config, corpora)
    with StageRun("teacher", config, runtime) as run:
        turns = Turns(run)
        teacher = TeacherTrainer(config, data, folder, callbacks=[turns])
        teacher.train()
        lines = [turns.line("teacher")]
        model = artifact.load(run.folder.path, config.encoder, runtime)
    pad, target = corpora.pad_token_id, corpora.target_train
    ours, theirs = interleaved(
        lambda turn: _nothing(evaluation.probabilities(model, target, pad)),
        lambda turn: _nothing(teacher.probabilities(data.target_train)),
        sizes.repeats,
    )
    lines.append(ratio_line("trainer_steps", "teacher's probability pass", ours, theirs))
    with StageRun("student", config, runtime) as run:
        turns = Turns(run)
        student = StudentTrainer(config, data, folder, teacher, callbacks=[turns])
        student.train()
        lines.append(turns.line("student"))
    return [*lines, _evaluation(setting, sizes, model, student)]


def _evaluation(setting: Setting, sizes: Sizes, model: Any, student: StudentTrainer) -> Line:
    """Return the ratio of a full report with decoding on target test."""
    config, runtime = setting.config(sizes.sentences, sizes.evaluated), setting.runtime("steps")
    corpora = Corpora(config, runtime)
    test, pad = Data.read(config, corpora).target_test, corpora.pad_token_id
    corpus = corpora.corpus(config.target, "test")
    split = LabelledSplit(corpus, corpora._encode(corpus))
    ours, theirs = interleaved(
        lambda turn: _nothing(split.full_report(model, pad)),
        lambda turn: _nothing(student.scores(test)),
        sizes.repeats,
    )
    return ratio_line("trainer_steps", "evaluation with decoding", ours, theirs, target="≥ 3x")


def _nothing(value: object) -> None:
    """Return None: the time counts, not the value."""
