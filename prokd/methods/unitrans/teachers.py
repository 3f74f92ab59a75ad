"""The teachers of translated text: taggers from the encoder, and from the source's teacher."""

from __future__ import annotations

from prokd.method import TRANSLATED_TRAIN
from prokd.methods.unitrans.effective import TEACHER
from prokd.stages.context import Context
from prokd.stages.tagger import TaggerStage, parts_of_tagger


def build_translated(context: Context) -> TaggerStage:
    """Build M_trans: a tagger on new weights that learns from translated sentences."""
    model = context.model()
    return TaggerStage(**parts_of_tagger(context, model, corpus=TRANSLATED_TRAIN))


def build_finetuned(context: Context) -> TaggerStage:
    """Build M_ft: the source's teacher, trained further on translated sentences."""
    model = context.model(TEACHER)
    return TaggerStage(**parts_of_tagger(context, model, corpus=TRANSLATED_TRAIN))
