"""Whether ours and the strong rival come to the same F1: same updates, several seeds."""

from __future__ import annotations

import shutil

from transformers.utils import logging

from benchmarks.quality import config_of, lines_of, ours
from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.table import Line
from benchmarks.trainer_data import Data
from benchmarks.trainer_student import train
from prokd.training.corpora import Corpora

PART = "trainer_quality"


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the lines of target-test F1, by single tags and by valid sequences."""
    logging.set_verbosity_error()
    shutil.rmtree(setting.runtime(PART).runs_dir, ignore_errors=True)
    pairs = [
        (ours(setting, sizes, seed, PART), _theirs(setting, sizes, seed))
        for seed in range(sizes.seeds)
    ]
    return lines_of(PART, [mine for mine, _ in pairs], [other for _, other in pairs])


def _theirs(setting: Setting, sizes: Sizes, seed: int) -> dict[str, float]:
    config, runtime = config_of(setting, sizes, seed), setting.runtime(PART)
    data = Data.read(config, Corpora(config, runtime))
    _, result = train(config, data, setting.folder / PART)
    updates = result["teacher_updates"] + result["student_updates"]
    return {name.removeprefix("target_test_"): value for name, value in result.items()} | {
        "updates": float(updates)
    }
