"""The weights of Eq. (4) as an experiment's settings ask for them."""

from __future__ import annotations

from torch import Tensor

from prokd.methods.prokd.config import PrototypeConfig
from prokd.terms.prototypes import class_weights
from prokd.terms.sequences import Places, valid_tag_probabilities


def configured_weights(
    probabilities_NC: Tensor, places: Places, settings: PrototypeConfig
) -> Tensor:
    """Return the weights of Eq. (4), (N, C), that an experiment's settings ask for.

    Args:
        probabilities_NC: float, (N, C), rows sum to 1.
        places: Of the N tokens, used by ``given_valid_tags``.
        settings: See `class_weights` and `sequences.valid_tag_probabilities`.
    """
    if settings.given_valid_tags:
        probabilities_NC = valid_tag_probabilities(probabilities_NC, places)
    return class_weights(
        probabilities_NC,
        weights=settings.weights,
        sharpness=settings.sharpness,
        confidence=settings.confidence,
    )
