"""What makes a run: the signature of everything that its numbers depend on, and of nothing else.

A stage run is named by the hash of the canonical JSON of its effective settings, of the text and
the weights that it reads, and of the runs that it needs. Settings that cannot act are left out,
and so is the method's name: runs that would compute the same numbers share one folder and are
trained once, whatever experiments they belong to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from prokd.config import ExperimentConfig, with_overrides
from prokd.methods import graph_of

SIGNATURE_LENGTH = 12
# Raised whenever a change of the code changes the numbers of an unchanged configuration.
NUMERICS_VERSION = 5
NONE: Mapping[str, int] = MappingProxyType({})


def canonical_json(value: Any) -> str:
    """Serialise to JSON with sorted keys and no spaces: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def signature(value: Any) -> str:
    """Return the first 12 hex digits of the SHA-256 of the canonical JSON.

    >>> signature({"a": 1, "b": 2}) == signature({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:SIGNATURE_LENGTH]


Parts = Mapping[str, int]
"""``micro_batch_tokens`` of the stages that did not fit into memory as they were asked for.

Stages may share a section of settings: one that did not fit says nothing of another.
"""


def in_parts(config: ExperimentConfig, stage: str, parts: Parts) -> ExperimentConfig:
    """Return an experiment with what a stage goes on with, as it was asked for elsewhere."""
    graph = graph_of(config)
    section = graph.stage(stage).section
    changes = {
        f"{graph.stage(name).section}.micro_batch_tokens": tokens
        for name, tokens in parts.items()
        if name == stage or graph.stage(name).section != section
    }
    return with_overrides(config, changes) if changes else config


def stage_identity(
    config: ExperimentConfig, stage: str, data: Mapping[str, str], parts: Parts = NONE
) -> dict[str, Any]:
    """Return all that the numbers of a stage depend on.

    Args:
        config: The experiment; its precision is known (`config.precision.with_precision`).
        stage: Name of one of its method's stages.
        data: Fingerprints of all that its stages read, see `Corpora.fingerprints`.
        parts: Of the stages that have to go on with less memory.
    """
    assert config.encoder.precision != "auto", "what auto stands for is settled by the device"
    spec = graph_of(config).stage(stage)
    seen = spec.view(in_parts(config, stage, parts))
    return {
        "kind": spec.kind,
        "numerics": NUMERICS_VERSION,
        "fingerprints": {name: data[spec.corpus(name, config)] for name in spec.reads(seen)},
        "needs": [stage_signature(config, name, data, parts) for name in spec.needs],
        **spec.effective(seen),
    }


def stage_signature(
    config: ExperimentConfig, stage: str, data: Mapping[str, str], parts: Parts = NONE
) -> str:
    """Return the name of the run of a stage that an experiment needs."""
    return signature(stage_identity(config, stage, data, parts))
