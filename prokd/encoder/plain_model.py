"""The plain Hugging Face token classifier of an encoder: what a trained model is exported to.

It must be the encoder and a linear layer upon it and nothing else, for its tags to be ours.
"""

from __future__ import annotations

import inspect
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForTokenClassification
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
)

from prokd.errors import UserError

POOLER = "pooler."
"""Prefix of weights upon the first subword alone: no tag of a word depends on them."""
PERMUTED = "xlnet"
"""The one family that sees both sides of a word without having learnt from masked words."""


def check_family(settings: Any, name: str) -> None:
    """Make sure that an encoder sees both sides of a word and has a plain token classifier.

    Raises:
        UserError: It is of a family that cannot be trained here.
    """
    kind = settings.model_type
    if kind not in MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES:
        reason = "has no token classifier in transformers"
    elif settings.is_encoder_decoder or kind in ("t5", "mt5", "umt5"):
        reason = "is an encoder with a decoder"
    elif getattr(settings, "is_decoder", False) or (
        kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES and kind != PERMUTED
    ):
        reason = "is no text encoder that sees both sides of a word"
    elif not isinstance(getattr(settings, "hidden_size", None), int):
        reason = "does not say how wide its features are (hidden_size)"
    else:
        return
    raise UserError(
        f"the encoder must be a text encoder such as BERT or XLM-R, but {name!r} is of type "
        f"{kind!r}, which {reason}."
    )


def options_without_pooler(settings: Any) -> dict[str, Any]:
    """Return the arguments that make the model of a configuration without a pooler."""
    made = cast(Any, AutoModel)._model_mapping[type(settings)]
    if isinstance(made, tuple):  # a family with models of two forms, which have no pooler
        return {}
    takes = inspect.signature(made).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in takes else {}


def empty_encoder(settings: Any) -> nn.Module:
    """Return the encoder of a configuration without any memory for weights."""
    with torch.device("meta"):
        encoder: nn.Module = AutoModel.from_config(  # type: ignore[no-untyped-call]
            settings, **options_without_pooler(settings)
        )
    return encoder


def plain_model(settings: Any) -> nn.Module:
    """Return the token classifier of a configuration, with random weights.

    Raises:
        UserError: Its family has none that is an encoder and a linear layer alone.
    """
    plain: nn.Module = AutoModelForTokenClassification.from_config(  # type: ignore[no-untyped-call]
        settings
    )
    check_plain(plain)
    return plain


def check_plain(plain: nn.Module) -> None:
    """Make sure that a token classifier is an encoder and a linear layer and nothing else.

    Raises:
        UserError: It has other weights, or none that are called ``classifier``.
    """
    kind = type(plain).__name__
    if not isinstance(getattr(plain, "classifier", None), nn.Linear):
        raise UserError(f"a token classifier must end in a linear layer, but a {kind} does not.")
    others = [
        name
        for name, part in plain.named_children()
        if part is not body_of(plain) and name != "classifier" and list(part.parameters())
    ]
    if others:
        raise UserError(
            f"a token classifier must have nothing between encoder and linear layer, but a "
            f"{kind} has {others[0]!r}."
        )


def body_of(plain: nn.Module) -> nn.Module:
    """Return the encoder within a token classifier."""
    body: nn.Module = getattr(plain, str(plain.base_model_prefix))
    return body


def check_takes(plain: nn.Module, encoder: nn.Module) -> None:
    """Make sure that a token classifier can take the weights of an encoder.

    Raises:
        UserError: It is made of other parts.
    """
    forward = inspect.signature(type(encoder).forward).parameters
    wrong = sorted(_shapes(encoder).items() ^ _shapes(body_of(plain)).items())
    if wrong:
        raise UserError(
            f"a {type(plain).__name__} must be made of the same parts as a "
            f"{type(encoder).__name__}, but they differ in {wrong[0][0]}."
        )
    if not {"input_ids", "attention_mask"} <= set(forward):
        raise UserError(f"the encoder must heed padding, but a {type(encoder).__name__} does not.")


def put_into(plain: nn.Module, encoder: nn.Module, classifier: nn.Module) -> None:
    """Give a token classifier the weights of a trained encoder and of the layer upon it."""
    check_takes(plain, encoder)
    body_of(plain).load_state_dict(
        {n: v for n, v in encoder.state_dict().items() if not n.startswith(POOLER)}, strict=False
    )
    cast(nn.Module, plain.classifier).load_state_dict(classifier.state_dict())


def _shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    state: dict[str, Tensor] = model.state_dict()
    return {n: tuple(v.shape) for n, v in state.items() if not n.startswith(POOLER)}
