"""Every hyperparameter of an experiment: type, range, default, symbol in the paper.

Configurations are frozen values. They name *what* is computed (`ExperimentConfig`, which gives a
run its identity) and, apart from it, *where* (`RuntimeConfig`). The paper's symbols: lambda is
``prototypes.update_rate``, tau1 ``teacher.alignment.temperature``, tau2
``student.prototype_temperature``, beta ``student.fusion_weight``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prokd.common.places import default_cache


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


AutocastType = Literal["fp32", "bf16", "fp16"]
Precision = Literal["auto"] | AutocastType


class DataConfig(_Frozen):
    """Which sentences are read, and how long they may be."""

    dataset: Literal["wikiann", "conll", "phrasebook"] = Field(
        "wikiann", description="name of the corpus; local folders keep the name they stand for"
    )
    max_length: int = Field(128, ge=8, le=512, description="subwords per sentence, specials in")
    source_train_limit: int | None = Field(None, ge=1, description="first N sentences, None = all")
    target_train_limit: int | None = Field(None, ge=1, description="first N sentences, None = all")
    evaluation_limit: int | None = Field(None, ge=1, description="first N dev/test sentences")


class EncoderConfig(_Frozen):
    """The multilingual encoder under the classifier."""

    name: str = Field("bert-base-multilingual-cased", description="hub name or local folder")
    frozen_layers: int = Field(3, ge=0, description="bottom layers that are not trained")
    freeze_embeddings: bool = Field(True, description="whether the embeddings are not trained")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout before the classifier")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="autocast type; auto = bf16 on a GPU that has it, fp32 elsewhere, settled "
        "before a run is named; bf16 also acts on a CPU, fp16 on a GPU alone",
    )


class OptimizationConfig(_Frozen):
    """How one stage is optimised."""

    epochs: int = Field(10, ge=1, description="E_max")
    learning_rate: float = Field(5e-5, gt=0)
    head_learning_rate_factor: float = Field(
        1.0, gt=0, description="learning rate of the classifier over that of the encoder"
    )
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: float = Field(0.0, ge=0, description="not on biases and normalisations")
    warmup_fraction: float = Field(0.1, ge=0, lt=1, description="share of steps with rising rate")
    max_gradient_norm: float = Field(1.0, gt=0, description="clipping threshold, L2 norm")
    batch_sentences: int = Field(128, ge=1, description="most sentences in a batch")
    batch_tokens: int = Field(16384, ge=16, description="most subwords in a batch, padding in")
    batch_pool: int = Field(
        50,
        ge=1,
        description="batches' worth of shuffled sentences that are sorted by length together: "
        "less padding, but batches of one length; 1 = sentences of any length in a batch",
    )
    micro_batch_tokens: int | None = Field(
        None,
        ge=16,
        description="most subwords of one forward pass; a larger batch goes in parts, whose "
        "activations are computed again for the gradient: the same update (dropout draws "
        "otherwise), less memory, more time; None = the batch in one piece. A run that does not "
        "fit into memory goes on as the one with half of it",
    )
    loss_reduction: Literal["tokens", "sentences"] = Field(
        "tokens", description="Eq. 1, 2 and 11 divided by the number of tokens or of sentences"
    )


class PrototypeConfig(_Frozen):
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


class AlignmentConfig(_Frozen):
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


LANGUAGE = r"^[A-Za-z0-9]{2,}([_-][A-Za-z0-9]+)*$"
"""A language's code, such as zh or zh-min-nan: it names folders and cannot lead out of them."""


class ExperimentConfig(_Frozen):
    """One teacher and its student: all that their numbers depend on."""

    source: str = Field("en", pattern=LANGUAGE, description="language with labels")
    target: str = Field("ar", pattern=LANGUAGE, description="language without labels")
    seed: int = Field(0, ge=0, lt=2**31)
    data: DataConfig = DataConfig()
    encoder: EncoderConfig = EncoderConfig()
    prototypes: PrototypeConfig = PrototypeConfig()
    teacher: TeacherConfig = TeacherConfig()
    student: StudentConfig = StudentConfig()


class RuntimeConfig(_Frozen):
    """Where an experiment runs and where its files lie; never part of a run's identity."""

    data_dirs: tuple[Path, ...] = Field((), description="local corpora, first match wins")
    runs_dir: Path = Field(Path("runs"), description="one folder per stage run")
    cache_dir: Path = Field(default_factory=default_cache, description="tokenised corpora (Arrow)")
    separator: str | None = Field(
        None, min_length=1, description="between the columns of local files, None = detected"
    )
    tag_column: int | None = Field(
        None,
        description="column of the tags in local files, from 0, negative from the right; "
        "None = detected",
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    threads: int | None = Field(None, ge=1, description="CPU threads of torch, None = its default")
    frozen_cache: Literal["auto", "on", "off"] = Field(
        "auto",
        description="keep the output of the encoder's frozen part in cache_dir: always, never, or "
        "where a layer is frozen and the files stay below frozen_cache_bytes",
    )
    frozen_cache_bytes: int = Field(
        16 * 2**30, ge=0, description="most bytes of all such files together (frozen_cache = auto)"
    )
