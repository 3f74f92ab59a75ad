"""Which method a composed experiment is, where it is one; and the settings of it that act.

A point of the space without the parts of others is ProKD; one with those of MSD alone, or of
UniTrans, or of ConCNER, is that method. It has that method's identity then, is built by it, and
whatever was trained of it before is not trained again.
"""

from __future__ import annotations

from typing import Any

from prokd.config.shared import narrowed
from prokd.methods.composed.config import ComposedConfig
from prokd.methods.concner import effective as concner
from prokd.methods.concner.config import ConCNERConfig
from prokd.methods.msd import effective as msd
from prokd.methods.msd.config import MSDConfig
from prokd.methods.prokd import effective as prokd
from prokd.methods.prokd.config import ProKDConfig
from prokd.methods.unitrans import effective as unitrans
from prokd.methods.unitrans.config import UniTransConfig
from prokd.stages.effective import translation_settings


def is_paired(config: ComposedConfig) -> bool:
    """Tell whether the teacher learns from sentences and their translations."""
    return config.teacher.corpora == "paired"


def contrasts(config: ComposedConfig) -> bool:
    """Tell whether features are contrasted."""
    contrast = config.teacher.contrast
    return contrast.labels > 0 or (is_paired(config) and contrast.sentences > 0)


def is_layered(config: ComposedConfig) -> bool:
    """Tell whether the student learns from classifiers of lower layers."""
    return config.student.heads_weight > 0 and config.teacher.heads_weight > 0


def learns_otherwise(config: ComposedConfig) -> bool:
    """Tell whether the student has another p than the teacher's, or learns from votes."""
    return config.student.voted_weight > 0 or config.student.main_teacher != "source"


def as_prokd(config: ComposedConfig) -> ProKDConfig:
    """Return what is ProKD's of an experiment."""
    return narrowed(config, ProKDConfig, {"method": "prokd"})


def as_msd(config: ComposedConfig) -> MSDConfig:
    """Return what is MSD's of an experiment."""
    weight = config.student.heads_weight if is_layered(config) else 0.0
    return narrowed(config, MSDConfig, {"method": "msd", "student": {"heads_weight": weight}})


def as_unitrans(config: ComposedConfig) -> UniTransConfig:
    """Return what is UniTrans' of an experiment."""
    mode = "words" if learns_otherwise(config) else "none"
    return narrowed(config, UniTransConfig, {"method": "unitrans", "translation": {"mode": mode}})


def as_concner(config: ComposedConfig) -> ConCNERConfig:
    """Return what is ConCNER's of an experiment."""
    changes: dict[str, Any] = {"method": "concner"}
    if not is_paired(config):
        changes["translation"] = {"mode": "none"}
        changes["teacher"] = {"contrast": {"sentences": 0.0}}
    return narrowed(config, ConCNERConfig, changes)


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
        tree["heads"] = config.heads.model_dump(mode="json")
    if is_paired(config) or contrasts(config):
        tree["teacher"]["contrast"] = concner.effective_contrast(
            as_concner(config).teacher.contrast
        )
    return tree | (translation_settings(config) if is_paired(config) else {})


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
