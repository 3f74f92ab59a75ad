"""The teacher: a tagger with classifiers on many layers, trained on labelled source text."""

from __future__ import annotations

import torch
from torch import Tensor

from prokd.data import Batch
from prokd.methods.msd.heads import all_logits, heads_of, told_weights, with_heads
from prokd.methods.msd.objective import mixture
from prokd.stages.context import Context
from prokd.stages.tagger import TaggerStage, parts_of_tagger


class LayeredTeacherStage(TaggerStage):
    """Trains the classifiers of all layers together: L_tea = CE_L + alpha sum_m lambda_m CE_m."""

    def loss_of(self, batch: Batch, num_sentences: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of all layers, and what is told of a batch."""
        found = all_logits(self.model, batch)
        last = self._tagging_loss(found.logits_NC, batch, num_sentences)
        layers_A = torch.stack(
            [self._tagging_loss(logits_NC, batch, num_sentences) for logits_NC in found.logits_ANC]
        )
        weights_A = heads_of(self.model).layer_weights()
        loss = mixture(last, layers_A, weights_A, heads_weight=self.settings.heads_weight)
        return loss, {"tagging_loss": last} | told_weights(self.model)


def build_teacher(context: Context) -> TaggerStage:
    """Build a teacher; without heads (alpha = 0) it is the plain one of other methods."""
    model = context.model()
    if context.config.teacher.heads_weight == 0:
        return TaggerStage(**parts_of_tagger(context, model))
    return LayeredTeacherStage(**parts_of_tagger(context, with_heads(model, context.config)))
