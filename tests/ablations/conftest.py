"""Run folders as training leaves them, without the training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ablations.plan import AblationPlan
from ablations.spec import load_spec
from prokd.encoder.artifact import write_weights
from prokd.methods import build_config
from prokd.runs.identity import stage_identity
from prokd.training.corpora import write_counts
from search.execution import Outcome
from search.results import row
from search.variants import experiments_of

DATA = {"source_train": "a", "source_dev": "b", "target_train": "c", "encoder": "d"}


class Finished:
    """Writes folders of runs of a spec and reads their rows.

    Args:
        runs_dir: Where to.
    """

    def __init__(self, runs_dir):
        self.runs_dir = runs_dir

    def experiments(self, plan):
        return [
            experiment
            for base in plan.bases
            for experiment in experiments_of(
                self.runs_dir,
                {name: plan.spec.config(base, name) for name in plan.spec.variants},
                plan.seeds,
                {name: {**DATA, "target_train": base.target} for name in plan.spec.variants},
            )
        ]

    def rows(self, plan, skill, unfinished=None):
        """Return rows whose entities are found with a chance of ``skill[variant]``.

        ``unfinished`` maps (variant, language, seed) to an outcome.
        """
        rows = []
        for experiment in self.experiments(plan):
            config = experiment.config
            place = (experiment.variant, config.target, config.seed)
            outcome = (unfinished or {}).get(place, Outcome("done"))
            if outcome.state == "done":
                self._finish(experiment, skill[experiment.variant])
            rows.append(row(experiment, outcome))
        return rows

    def _finish(self, experiment, skill):
        folder, target = experiment.result, experiment.config.target
        if folder.done:
            return
        sentences = np.random.default_rng(1)  # the same test corpus for all
        gold = sentences.integers(0, 3, size=200)
        luck = np.random.default_rng(experiment.config.seed)
        right = (luck.random((200, 3)) < skill).cumsum(axis=1)[:, -1].clip(max=gold)
        identity = stage_identity(experiment.config, experiment.result_stage, experiment.data)
        folder.write_identity(identity, experiment.config.model_dump())
        counts = np.stack([right, gold, gold], axis=1).astype(np.int64)
        f1 = 2 * counts[:, 0].sum() / counts[:, 1:].sum()
        write_counts(folder.counts(target), counts)
        metrics = {f"test/{target}/entity_f1": f1, f"test/{target}/token_f1": f1 / 2}
        metrics[f"test/{target}/entity_f1_viterbi"] = f1
        metrics["test/en/entity_f1"] = 0.9
        folder.write_report("x", metrics, {}, target=target)
        write_weights(folder.path, {"classifier.bias": torch.zeros(7)})
        criteria = {"source_dev": 0.8}
        folder.mark_done(
            {
                "objective": 0.8,
                "criteria": criteria,
                "epochs": 1,
                "seconds": 1.0,
                "metrics": {},
            }
        )


@pytest.fixture(scope="session")
def finished_in():
    return Finished


@pytest.fixture
def finished(tmp_path):
    return Finished(tmp_path / "runs")


@pytest.fixture(scope="session")
def make_plan():
    def make(spec="table4", languages=("ar", "hi"), seeds=(0, 1, 2), **settings):
        loaded = load_spec(spec)
        bases = [
            build_config(
                "paper",
                "stable",
                {"target": language, "encoder.precision": "fp32", **settings},
                method=loaded.method,
            )
            for language in languages
        ]
        return AblationPlan(loaded, tuple(bases), tuple(seeds))

    return make
