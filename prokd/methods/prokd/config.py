"""Every hyperparameter of ProKD: type, range, default, symbol in the paper.

The paper's symbols: lambda is ``prototypes.update_rate``, tau1 ``teacher.alignment.temperature``,
tau2 ``student.prototype_temperature``, beta ``student.fusion_weight``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from prokd.config import ExperimentConfig, Frozen, OptimizationConfig
from prokd.errors import UserError


class PrototypeConfig(Frozen):
    """Readings of Eq. 4 and 5 that teacher and student share."""

    update_rate: float = Field(0.001, gt=0, le=1, description="lambda in Eq. 5")
    update_rate_weighs: Literal["new", "old"] = Field(
        "new", description="what lambda multiplies in Eq. 5: the new value (printed) or the old"
    )
    update_rate_acts_on: Literal["both", "target"] = Field(
        "both", description="whether source prototypes are averaged too, or replaced each epoch"
    )
    weights: Literal["soft", "hard"] = Field(
        "soft",
        description="weights in Eq. 4: probabilities, or the one-hot of the likeliest class",
    )
    sharpness: float = Field(
        1.0,
        gt=0,
        description="power on soft weights before they are normalised again; 1 = printed",
    )
    confidence: float = Field(
        0.0, ge=0, lt=1, description="tokens below this highest probability weigh nothing in Eq. 4"
    )
    given_valid_tags: bool = Field(
        False,
        description="weights from the probability of each tag given that the tags of its sentence "
        "are valid IOB2, instead of the classifier's probability by itself",
    )


class AlignmentConfig(Frozen):
    """Class alignment of the teacher, Eq. 6 and 7."""

    weight: float = Field(1.0, ge=0, description="factor of L_CA in Eq. 7; 0 = w/o CA")
    temperature: float = Field(0.5, gt=0, description="tau1 in Eq. 6")
    summation: Literal["inside_log", "per_class"] = Field(
        "inside_log", description="sum over classes inside the logarithm, or mean of -log outside"
    )
    negatives: Literal["within", "across", "none"] = Field(
        "within",
        description="negatives of each language by itself, of the other language, or none: the "
        "two prototypes of a class attract, and nothing repels",
    )
    positive_in_denominator: bool = Field(False, description="InfoNCE form of the fraction")
    outside_class: bool = Field(True, description='whether "O" is one of the classes of Eq. 6')
    gradient: Literal["literal", "straight_through", "batch", "none"] = Field(
        "literal",
        description="gradient through the target prototype: that of the moving average (lambda "
        "times the batch's), the batch prototype's in full, Eq. 6 on the batch prototype itself, "
        "or none",
    )
    weight_gradient: bool = Field(
        True, description="whether gradient also flows through the probabilities of Eq. 4"
    )
    supported_classes_only: bool = Field(
        False, description="leave out classes without a likeliest token in the target batch"
    )
    class_weights: Literal["uniform", "share"] = Field(
        "uniform",
        description="how classes weigh in the mean (summation = per_class): alike, or by their "
        "share of the target batch",
    )
    source: Literal["corpus", "batch"] = Field(
        "corpus",
        description="source prototypes in Eq. 6: of the corpus, without gradient (printed), or of "
        "the source batch, with gradient",
    )
    least_entity_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="while the running share of entities in the target is below this part of what "
        "it was before the alignment began, the probabilities of Eq. 4 are corrected towards the "
        "class shares of then; 0 = never (printed)",
    )
    share_update_rate: float = Field(
        0.1, gt=0, le=1, description="weight of a batch in the running class shares"
    )
    start: Literal["corpus", "first_batch"] = Field(
        "corpus", description="first target prototypes: a pass over the corpus, or the first batch"
    )
    refresh: Literal["never", "epoch"] = Field(
        "never", description="recompute the target prototypes over the corpus at every epoch"
    )
    start_epoch: int = Field(0, ge=0, description="first epoch (zero-based) with alignment")

    @property
    def is_batchwise(self) -> bool:
        """Whether both sides of Eq. 6 are prototypes of batches, so that Eq. 5 has no part."""
        return self.gradient == "batch" and self.source == "batch"


class TeacherConfig(OptimizationConfig):
    """The teacher: tagging loss on the source, class alignment with the target."""

    alignment: AlignmentConfig = AlignmentConfig()
    collapse_fall: float = Field(
        0.5,
        ge=0,
        le=1,
        description="the run has collapsed when alignment leaves less than this share of the best "
        "source-dev token F1 of earlier epochs, or of the target tokens that were taken for parts "
        "of entities before it began; 0 switches the check off",
    )


class StudentConfig(OptimizationConfig):
    """The student: distillation and prototypical self-training on unlabelled target text."""

    learning_rate: float = Field(1e-5, gt=0)
    start: Literal["encoder", "teacher"] = Field(
        "encoder", description="first weights: the pretrained encoder, or the teacher's"
    )
    schedule: Literal["cumulative", "constant", "distillation"] = Field(
        "cumulative",
        description="alpha: Eq. 12, or a constant (w/o CL), or 1 throughout (w/o ST)",
    )
    constant_distillation_weight: float = Field(
        0.5, ge=0, le=1, description="alpha of the constant schedule"
    )
    first_epoch: Literal[0, 1] = Field(0, description="number of the first epoch in Eq. 12")
    prototype_temperature: float = Field(0.5, gt=0, description="tau2 in Eq. 8")
    fusion_weight: float = Field(0.8, ge=0, le=1, description="beta in Eq. 10; 1 = w/o PK")
    distance: Literal["raw", "scaled", "unit"] = Field(
        "raw", description="Eq. 8 on features, on features / sqrt(D), or on unit vectors"
    )
    distance_scale: float = Field(
        1.0, gt=0, description="length to which unit vectors are scaled (distance = unit)"
    )
    class_prior: bool = Field(
        False, description="add the log of the teacher's class distribution to Eq. 8's exponent"
    )
    prototype_start: Literal["teacher", "first_batch"] = Field(
        "teacher", description="first prototypes: teacher's p over the corpus, or first batch's q"
    )
    prototype_weights_from: Literal["student", "teacher"] = Field(
        "student", description="probabilities of Eq. 4 after the start: the student's q or p"
    )
    prototype_refresh: Literal["never", "epoch"] = Field(
        "never", description="recompute the prototypes over the corpus at every epoch"
    )
    pseudo_label_features: Literal["training", "evaluation"] = Field(
        "training",
        description="features in Eq. 4 and 8: those of the training step (dropout acts on them), "
        "or of a second forward pass without dropout",
    )
    pseudo_labels: Literal["independent", "valid"] = Field(
        "independent",
        description="hard labels of phi: the likeliest tag of each token, or the likeliest valid "
        "IOB2 tags of each sentence",
    )
    confidence: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="tokens whose highest phi is below this are left out of Eq. 11",
    )
    distillation_reduction: Literal["sum", "mean"] = Field(
        "sum", description="squared differences of Eq. 2 summed or averaged over the C classes"
    )
    collapse_agreement: float = Field(
        0.5,
        ge=0,
        le=1,
        description="the run has collapsed when pseudo-labels agree with the teacher on less than "
        'this share of all tokens, or keep less than this share of its "O" tokens or of its '
        "entity tokens what they were; 0 switches the check off",
    )


TOGETHER = (
    "teacher.epochs",
    "teacher.alignment.weight",
    "teacher.alignment.start_epoch",
    "teacher.alignment.least_entity_share",
)
"""Settings of which one can take the effect of another away, see `ProKDConfig`."""


class ProKDConfig(ExperimentConfig):
    """One teacher and its student: all that their numbers depend on.

    Raises:
        UserError: Alignment that would never begin; shares from before the alignment where there
            is no such time.
    """

    method: Literal["prokd"] = "prokd"
    prototypes: PrototypeConfig = PrototypeConfig()
    teacher: TeacherConfig = TeacherConfig()
    student: StudentConfig = StudentConfig()

    @model_validator(mode="after")
    def _acts_together(self) -> ProKDConfig:
        alignment, epochs = self.teacher.alignment, self.teacher.epochs
        if alignment.weight == 0:
            return self
        if alignment.start_epoch >= epochs:
            raise UserError(
                f"teacher.alignment.start_epoch must be below teacher.epochs, but got "
                f"{alignment.start_epoch} of {epochs}: the alignment would never begin (to go "
                f"without, set teacher.alignment.weight=0)."
            )
        if alignment.start_epoch == 0 and alignment.least_entity_share > 0:
            raise UserError(
                f"teacher.alignment.least_entity_share must be 0 where "
                f"teacher.alignment.start_epoch is 0, but got {alignment.least_entity_share:g}: "
                f"there is no share of entities from before the alignment to hold on to."
            )
        return self
