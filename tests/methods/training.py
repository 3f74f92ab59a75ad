"""What tests of methods train, and what they compare of it."""

from __future__ import annotations

import numpy as np
import torch

from prokd.config import with_overrides
from prokd.encoder import artifact
from prokd.methods import graph_of, without_components
from prokd.runs.identity import signature, stage_identity
from prokd.training.run import StageRun

CORPORA = (
    "source_train",
    "source_dev",
    "target_train",
    "translated_train",
    "paired_train",
    "encoder",
)
FINGERPRINTS = {name: name for name in CORPORA}


def trained(config, runtime, *names):
    """Train stages of an experiment, all unless some are named; return their runs by name."""
    runs = {}
    for name in names or graph_of(config).names:
        with StageRun(name, config, runtime) as run:
            run.run()
            runs[name] = run
    return runs


def resumed(config, runtime):
    """Train the same, each stage closed and opened again after its first epoch."""
    runs = {}
    for name in graph_of(config).names:
        with StageRun(name, config, runtime) as first:
            first.step()
        with StageRun(name, config, runtime) as second:
            second.run()
            runs[name] = second
    return runs


def weights(run):
    """Return what a run has trained, by name."""
    return artifact.load_file(run.folder.path / "weights.safetensors")


def same(first, second):
    """Tell whether runs have the same weights, bit for bit."""
    one, two = weights(first), weights(second)
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def names_of(config):
    """Return the name of each stage's run, whatever the data is."""
    return {
        stage: signature(stage_identity(config, stage, FINGERPRINTS))
        for stage in graph_of(config).names
    }


def name_of(config, stage):
    """Return the name of one stage's run, likewise."""
    return names_of(config)[stage]


def without(config, *components):
    """Return an experiment less some parts of its method."""
    return with_overrides(config, without_components(components, method=config.method))


def resumed_as_whole(config, runtime):
    """Train an experiment twice, the second time resumed; hold that both are the same.

    What another experiment has trained in either way is not trained again.

    Returns:
        Its runs by name; all that they tell is finite.
    """
    whole = trained(config, runtime)
    apart = runtime.runs_dir.with_name("resumed")
    again = resumed(config, runtime.model_copy(update={"runs_dir": apart}))
    for name, run in whole.items():
        assert all(np.isfinite(list(row.values())).all() for row in run.history), name
        assert same(again[name], run), name
    return whole
