"""Steps and passes in one process: teacher, student, probabilities, evaluation with decoding.

A step is an epoch's time over its number of updates, with all that an epoch does besides (batches,
prototypes, health checks, the score on a small dev split, ours also its checkpoint). The first
epoch, which has no alignment in it, is not counted. Times are processor seconds of one thread.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from time import process_time

import torch

from benchmarks.rival import Rival
from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.table import Line, interleaved, ratio_line
from prokd.encoder import artifact
from prokd.encoder.classifier import TokenClassifier
from prokd.scoring import evaluation
from prokd.scoring.evaluation import LabelledSplit
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun

DEV_SENTENCES = 32


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the lines of four ratios."""
    epochs = sizes.repeats + 1
    config = setting.config(
        sizes.sentences,
        min(DEV_SENTENCES, sizes.evaluated),
        **{"teacher.epochs": epochs, "student.epochs": epochs},
    )
    runtime = setting.runtime("steps")
    shutil.rmtree(runtime.runs_dir, ignore_errors=True)
    rival = Rival(config, runtime)
    lines = [_steps("teacher", rival, setting, config, runtime, sizes, "≥ 5x")]
    with StageRun("teacher", config, runtime) as run:
        model = artifact.load(run.folder.path, config.encoder, runtime)
    corpora = Corpora(config, runtime)
    pad, target = corpora.pad_token_id, corpora.target_train
    ours, theirs = interleaved(
        lambda turn: _nothing(evaluation.probabilities(model, target, pad)),
        lambda turn: rival.probability_pass(),
        sizes.repeats,
    )
    lines.append(ratio_line("steps", "teacher's probability pass", ours, theirs, target="≥ 5x"))
    lines.append(_steps("student", rival, setting, config, runtime, sizes, "≥ 5x"))
    return [*lines, *_evaluation(setting, sizes, model, rival)]


def _nothing(value: object) -> None:
    """Return None: the time counts, not the value."""


def _steps(
    stage: str, rival: Rival, setting: Setting, config, runtime, sizes: Sizes, target: str
) -> Line:
    """Return the ratio of a stage's steps."""
    rival.start(stage)
    epoch_of = rival.teacher_epoch if stage == "teacher" else rival.student_epoch

    def theirs(turn: int) -> None:
        torch.use_deterministic_algorithms(False)  # ours has chosen them for itself
        epoch_of(turn + 1)
        rival.evaluate(rival.source_dev)

    with StageRun(stage, config, runtime) as run:
        ours = our_steps(run)
        ours(0)
        epoch_of(0)
        before = rival.updates
        mine, other = interleaved(ours, theirs, sizes.repeats)
        per_epoch = (rival.updates - before) / sizes.repeats
    other = [seconds / per_epoch for seconds in other]
    return ratio_line("steps", f"{stage} step", mine, other, target=target)


def our_steps(run: StageRun) -> Callable[[int], float]:
    """Return what trains an epoch of ours and returns its processor seconds an update."""
    updates = {"before": 0}

    def ours(turn: int) -> float:
        started = process_time()
        run.step()
        seconds = process_time() - started
        if run.stage is not None and not run.done:
            updates["ours"] = _updates(run) - updates["before"]
            updates["before"] = _updates(run)
        return seconds / updates.get("ours", updates["before"])

    return ours


def _updates(run: StageRun) -> int:
    stage = run.stage
    assert stage is not None, "a run that trains has a stage"
    return int(stage.optimization.schedule.last_epoch)  # type: ignore[attr-defined]


def _evaluation(
    setting: Setting, sizes: Sizes, model: TokenClassifier, rival: Rival
) -> list[Line]:
    """Return the ratios of a full report with decoding on target test, in fp32 and in bf16."""
    config, runtime = setting.config(sizes.sentences, sizes.evaluated), setting.runtime("steps")
    corpora, padded = Corpora(config, runtime), Rival(config, runtime)
    padded.model, padded.batch = rival.model, rival.batch
    pad, corpus = corpora.pad_token_id, corpora.corpus(config.target, "test")
    split = LabelledSplit(corpus, corpora._encode(corpus))
    ours, theirs = interleaved(
        lambda turn: _nothing(split.full_report(model, pad)),
        lambda turn: _nothing(padded.evaluate(padded.target_test)),
        sizes.repeats,
    )
    what = "evaluation with decoding"
    plain = ratio_line("steps", what, ours, theirs, target="≥ 10x")
    tags = evaluation.predict(model, split.encoded, pad)
    model.precision = "bf16"
    equal = float((evaluation.predict(model, split.encoded, pad) == tags).mean())
    ours, theirs = interleaved(
        lambda turn: _nothing(split.full_report(model, pad)),
        lambda turn: _nothing(padded.evaluate(padded.target_test)),
        sizes.repeats,
    )
    what = f"the same, ours in bf16 ({100 * equal:.2f} % of tags equal)"
    return [plain, ratio_line("steps", what, ours, theirs)]
