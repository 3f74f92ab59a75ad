"""Whether both recipes come to the same F1: same data, method and updates, several seeds."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Sequence

from benchmarks.rival import Rival
from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.table import Line, mean_and_deviation
from prokd.config import ExperimentConfig
from prokd.training.run import StageRun

STAGES = ("teacher", "student")
MEASURES = ("entity_f1", "entity_f1_viterbi")


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the lines of target-test F1, by single tags and by valid sequences."""
    shutil.rmtree(setting.runtime("quality").runs_dir, ignore_errors=True)
    pairs = [
        (ours(setting, sizes, seed, "quality"), _theirs(setting, sizes, seed))
        for seed in range(sizes.seeds)
    ]
    return lines_of("quality", [mine for mine, _ in pairs], [other for _, other in pairs])


def lines_of(
    part: str, found: Sequence[dict[str, float]], others: Sequence[dict[str, float]]
) -> list[Line]:
    """Return the lines of a part, from what each seed came to on both sides."""
    lines = []
    for name in (*MEASURES, "updates"):
        mine, other = [x[name] for x in found], [x[name] for x in others]
        if name == "updates":
            texts = (f"{mine[0]:.0f}", f"{other[0]:.0f}", "")
            lines.append(Line(part, "updates of a run", *texts, "", len(found), mine[0]))
            continue
        difference = statistics.fmean(mine) - statistics.fmean(other)
        text = f"{difference:+.4f}"
        target = "within the spread over seeds"
        texts = (mean_and_deviation(mine), mean_and_deviation(other), text)
        what = f"target test {name}"
        lines.append(Line(part, what, *texts, target, len(found), difference))
    return lines


def config_of(setting: Setting, sizes: Sizes, seed: int) -> ExperimentConfig:
    """Return the experiment of a seed."""
    epochs = {"teacher.epochs": sizes.epochs, "student.epochs": sizes.epochs}
    return setting.config(sizes.sentences, sizes.evaluated, seed=seed, **epochs)


def ours(setting: Setting, sizes: Sizes, seed: int, part: str) -> dict[str, float]:
    """Train both stages of ours; return F1 on target test and the number of updates."""
    config, runtime = config_of(setting, sizes, seed), setting.runtime(part)
    updates = 0
    for stage in STAGES:
        with StageRun(stage, config, runtime) as run:
            run.run()
            updates += run.stage.optimization.schedule.last_epoch  # type: ignore[union-attr]
            scores = run.report() if stage == "student" else {}
    found = {name: scores[f"test/{config.target}/{name}"] for name in MEASURES}
    return found | {"updates": float(updates)}


def _theirs(setting: Setting, sizes: Sizes, seed: int) -> dict[str, float]:
    rival = Rival(config_of(setting, sizes, seed), setting.runtime("quality"))
    result = rival.run()
    found = {name: result[f"target_test_{name}"] for name in MEASURES}
    return found | {"updates": float(rival.updates)}
