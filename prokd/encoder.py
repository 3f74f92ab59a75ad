"""A multilingual encoder with a linear classifier on top.

# B sentences, T subwords, N valid tokens (flattened), D feature size, C classes
"""

from __future__ import annotations

import hashlib
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from prokd.config import EncoderConfig
from prokd.data import Batch
from prokd.errors import UserError
from prokd.mini import ENCODER_PATH

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
THREE_WAYS_OUT = (
    "use the embedded default (--preset mini), local files (--model PATH --data-dir DIR), "
    "or a filled Hugging Face cache"
)
logger = logging.getLogger(__name__)
# Many workers share one terminal: no bar for every encoder that is loaded.
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


@lru_cache(maxsize=8)
def encoder_folder(name: str) -> Path:
    """Return the local folder of an encoder: ``mini``, a folder, or a model of the hub.

    Raises:
        UserError: The folder lacks a file, or the hub does not answer; says the ways out.
    """
    if name == "mini":
        return ENCODER_PATH
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UserError(f"an encoder folder must hold config.json, but {folder} does not.")
        return folder.resolve()
    if name.startswith((".", "/", "~")):
        raise UserError(f"the encoder folder {name} does not exist.")
    return _hub_snapshot(name)


def _hub_snapshot(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    patterns = ["*.json", "*.txt", "*.model", "model.safetensors"]
    try:
        try:
            folder = Path(snapshot_download(name, allow_patterns=patterns, local_files_only=True))
        except (OSError, ValueError):
            folder = Path(snapshot_download(name, allow_patterns=patterns))
        if not any((folder / file).exists() for file in WEIGHT_FILES):
            folder = Path(snapshot_download(name, allow_patterns=[*patterns, WEIGHT_FILES[1]]))
    except HFValidationError as error:
        raise UserError(f"{name!r} is neither a folder nor a name on the hub: {error}") from None
    except Exception as error:  # the hub's client lets many kinds of network errors through
        raise UserError(
            f"the encoder {name!r} cannot be fetched from the Hugging Face hub "
            f"({type(error).__name__}): {THREE_WAYS_OUT}."
        ) from None
    return folder


@lru_cache(maxsize=8)
def encoder_fingerprint(name: str) -> str:
    """Return a hash of an encoder's configuration, weights and tokenizer, 16 hex digits."""
    folder = encoder_folder(name)
    digest = hashlib.blake2b(digest_size=8)
    names = (
        "config.json",
        "tokenizer.json",
        "vocab.txt",
        "sentencepiece.bpe.model",
        *WEIGHT_FILES,
    )
    for file in names:
        path = folder / file
        if path.is_file():
            digest.update(file.encode())
            with path.open("rb") as stream:
                while chunk := stream.read(1 << 24):
                    digest.update(chunk)
            if file == WEIGHT_FILES[0]:
                break
    return digest.hexdigest()


@lru_cache(maxsize=8)
def load_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """Load the fast tokenizer of an encoder; UserError if it has none."""
    folder = encoder_folder(name)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        first_line = str(error).splitlines()[0]
        raise UserError(f"no tokenizer can be loaded from {folder}: {first_line}") from None
    if not tokenizer.is_fast:
        raise UserError(f"the tokenizer of {name!r} must be a fast one (tokenizer.json).")
    fast: PreTrainedTokenizerFast = tokenizer
    return fast


class TokenClassifier(nn.Module):
    """An encoder, dropout and a linear layer over the first subword of each word."""

    def __init__(self, encoder: nn.Module, num_classes: int, *, dropout: float) -> None:
        """Put a new classifier (normal, std 0.02; zero bias) on an encoder."""
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.num_features: int = encoder.config.hidden_size  # type: ignore[union-attr,assignment]
        self.classifier = nn.Linear(self.num_features, num_classes)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)

    @property
    def num_classes(self) -> int:
        """C."""
        return self.classifier.out_features

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.classifier.weight.device

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return features (N, D), before dropout, and logits (N, C) of the valid tokens."""
        hidden_BTD = self.encoder(
            input_ids=batch.input_ids_BT, attention_mask=batch.attention_mask_BT
        ).last_hidden_state
        features_ND = hidden_BTD.flatten(0, 1)[batch.token_index_N]
        return features_ND, self.classifier(self.dropout(features_ND))

    def trained_state(self) -> dict[str, Tensor]:
        """Return the weights that training may change, by name; frozen ones are the base's."""
        return {
            name: value.detach() for name, value in self.named_parameters() if value.requires_grad
        }


def build_classifier(
    config: EncoderConfig, num_classes: int, *, max_length: int, seed: int
) -> TokenClassifier:
    """Load an encoder, freeze its lower part and put a seeded new classifier on it.

    Args:
        config: The encoder and what of it is frozen.
        num_classes: C.
        max_length: Longest sentence in subwords.
        seed: Of the classifier's first weights.

    Raises:
        UserError: The encoder cannot be loaded, has fewer layers than are to be frozen, or fewer
            positions than a sentence may have subwords.
    """
    folder = encoder_folder(config.name)
    try:
        settings = AutoConfig.from_pretrained(folder)
        extra: dict[str, Any] = {}
        if settings.model_type in ("bert", "roberta", "xlm-roberta", "camembert"):
            extra["add_pooling_layer"] = False
        encoder = AutoModel.from_pretrained(folder, dtype=torch.float32, **extra)
    except (OSError, ValueError, KeyError) as error:
        first_line = str(error).splitlines()[0]
        raise UserError(f"no encoder can be loaded from {folder}: {first_line}") from None
    positions = usable_positions(settings)
    if positions is not None and max_length > positions:
        raise UserError(
            f"data.max_length must be at most the {positions} positions of {config.name!r}, "
            f"but got {max_length}."
        )
    freeze(encoder, layers=config.frozen_layers, embeddings=config.freeze_embeddings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TokenClassifier(encoder, num_classes, dropout=config.dropout)


def usable_positions(settings: Any) -> int | None:
    """Return how many subwords an encoder takes; None where its configuration does not say.

    Encoders of the RoBERTa family count positions from after the padding index.
    """
    positions: int | None = getattr(settings, "max_position_embeddings", None)
    if positions is not None and settings.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= (settings.pad_token_id or 0) + 1
    return positions


def freeze(encoder: nn.Module, *, layers: int, embeddings: bool) -> None:
    """Stop the training of an encoder's embeddings and bottom layers.

    Raises:
        UserError: More layers than there are, or an encoder whose layers cannot be found.
    """
    if embeddings:
        for part in (getattr(encoder, "embeddings", None), _input_embeddings(encoder)):
            if part is not None:
                part.requires_grad_(False)
    if layers == 0:
        return
    stack = encoder_layers(encoder)
    if layers > len(stack):
        raise UserError(
            f"encoder.frozen_layers must be at most the {len(stack)} layers of the encoder, "
            f"but got {layers}."
        )
    for layer in stack[:layers]:
        layer.requires_grad_(False)


def encoder_layers(encoder: nn.Module) -> nn.ModuleList:
    """Return the stack of layers, from the bottom: the longest list of modules of one kind."""
    lists = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        raise UserError(f"the layers of a {type(encoder).__name__} cannot be found.")
    return max(lists, key=len)


def _input_embeddings(encoder: nn.Module) -> nn.Module | None:
    getter = getattr(encoder, "get_input_embeddings", None)
    return getter() if getter is not None else None
