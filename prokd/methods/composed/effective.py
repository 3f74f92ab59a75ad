"""Which method a composed experiment is, where it is one; and the settings of it that act.

A point of the space without the parts of others is ProKD; one with those of MSD alone, or of
UniTrans, or of ConCNER, is that method. It has that method's identity then, is built by it, and
whatever was trained of it before is not trained again.
"""

from __future__ import annotations

from typing import Any

from prokd.methods.composed.config import (
    ComposedConfig,
    as_concner,
    as_msd,
    as_prokd,
    as_unitrans,
    contrasts,
    is_layered,
    is_paired,
    learns_otherwise,
)
from prokd.methods.concner import effective as concner
from prokd.methods.msd import effective as msd
from prokd.methods.prokd import effective as prokd
from prokd.methods.unitrans import effective as unitrans


def teacher_like(config: ComposedConfig) -> str | None:
    """Return the method whose teacher this is; None = of none alone."""
    of_concner = is_paired(config) or contrasts(config)
    of_msd, aligns = config.teacher.heads_weight > 0, prokd.aligns(config)
    if not of_concner and not of_msd:
        return "prokd"
    if aligns or (of_concner and of_msd):
        return None
    return "msd" if of_msd else "concner"


def student_like(config: ComposedConfig) -> str | None:
    """Return the method whose student this is; None = of none alone."""
    of_msd = is_layered(config) or msd.draws_features(as_msd(config))
    if not of_msd and not learns_otherwise(config):
        return "prokd"
    if prokd.self_trains(config) or (of_msd and learns_otherwise(config)):
        return None
    return "msd" if of_msd else "unitrans"


def effective_teacher(config: ComposedConfig) -> dict[str, Any]:
    """Return the settings that a teacher's numbers depend on."""
    tree = prokd.effective_teacher(as_prokd(config))
    if config.teacher.heads_weight > 0:
        tree["teacher"]["heads_weight"] = config.teacher.heads_weight
        tree["heads"] = msd.effective_heads(config.heads)
    if is_paired(config) or contrasts(config):
        tree["teacher"]["contrast"] = concner.effective_contrast(
            as_concner(config).teacher.contrast
        )
    return tree


def effective_student(config: ComposedConfig) -> dict[str, Any]:
    """Return the settings that a student's numbers depend on, apart from its teachers'."""
    like = student_like(config)
    of_msd, of_unitrans = as_msd(config), as_unitrans(config)
    if like == "msd":
        return msd.effective_student(of_msd)
    if like == "unitrans":
        return unitrans.effective_student(of_unitrans)
    tree = prokd.effective_student(as_prokd(config))
    if like == "prokd":
        return tree
    for other in (msd.effective_student(of_msd), unitrans.effective_student(of_unitrans)):
        tree["student"] |= other["student"]
        tree |= {name: value for name, value in other.items() if name == "heads"}
    return tree
