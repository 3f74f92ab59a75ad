"""The files of a pretrained encoder: where they lie, and which are loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

from prokd.data.mini import ENCODER_PATH
from prokd.data.subwords import forget_padding_and_truncation
from prokd.encoder.export_folder import CARD
from prokd.encoder.weights import check_not_pointer
from prokd.errors import UserError

SAFETENSORS, BIN = "model.safetensors", "pytorch_model.bin"
WEIGHT_FILES = (SAFETENSORS, f"{SAFETENSORS}.index.json", BIN, f"{BIN}.index.json")
"""Weights in the order in which transformers looks for them; it loads the first that is there."""
ADAPTER = "adapter_config.json"
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_model.bin")
TEXT_FILES = ("*.json", "*.txt", "*.model")
THREE_WAYS_OUT = (
    "use the embedded default (--preset mini), local files (--model PATH --data-dir DIR), "
    "or a filled Hugging Face cache"
)


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


@lru_cache(maxsize=8)
def encoder_settings(name: str) -> Any:
    """Return the configuration of an encoder, as transformers reads it.

    Raises:
        UserError: config.json is no JSON object, names no known model type, or holds a value
            that its type does not take.
    """
    path = encoder_folder(name) / "config.json"
    check_not_pointer(path)
    kind = _read(path).get("model_type")
    if kind is None:  # transformers would guess it from the name of the folder
        raise UserError(f"{path} must name the type of its model (model_type), but does not.")
    if kind not in CONFIG_MAPPING:
        raise UserError(
            f"{path} must name a model type that the installed transformers knows, but got "
            f"{kind!r}."
        )
    try:
        return AutoConfig.from_pretrained(path.parent)
    except Exception as error:  # every family checks its numbers in its own way
        raise UserError(f"{path} cannot be used: {_one_line(error)}") from None


@lru_cache(maxsize=8)
def load_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """Load the fast tokenizer of an encoder.

    Raises:
        UserError: It has none, its files are missing or not whole, or it knows no subwords.
    """
    folder = encoder_folder(name)
    encoder_settings(name)
    for path in (path for pattern in TEXT_FILES for path in folder.glob(pattern)):
        check_not_pointer(path)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # a tokenizer's parser lets many kinds of errors through
        raise UserError(f"no tokenizer can be loaded from {folder}: {_one_line(error)}") from None
    if not tokenizer.is_fast:
        raise UserError(f"the tokenizer of {name!r} must be a fast one (tokenizer.json).")
    _check_knows_words(tokenizer, folder)
    fast: PreTrainedTokenizerFast = tokenizer
    forget_padding_and_truncation(fast)
    return fast


def _check_knows_words(tokenizer: Any, folder: Path) -> None:
    """Refuse a tokenizer of special tokens alone, which transformers makes out of no files."""
    files = sorted({"tokenizer.json", *tokenizer.vocab_files_names.values()})
    if not any((folder / file).is_file() for file in files):
        raise UserError(
            f"an encoder folder must hold the files of its tokenizer ({' or '.join(files)}), "
            f"but {folder} does not."
        )
    if not set(tokenizer.get_vocab()) - set(map(str, tokenizer.all_special_tokens)):
        raise UserError(
            f"the tokenizer in {folder} must know subwords, but knows special tokens alone."
        )


def _one_line(error: Exception) -> str:
    """Return the beginning of an error's message."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    while len(lines) > 1 and lines[0].endswith(":"):  # what follows says it
        lines[:2] = [f"{lines[0]} {lines[1]}".strip()]
    return next(iter(lines), type(error).__name__)


def weight_files(folder: Path) -> list[Path]:
    """Return the files that the weights in a folder are loaded from: one, or index and shards.

    Raises:
        UserError: There are no weights, or a shard that the index names is missing.
    """
    chosen = _chosen_weights(folder)
    if chosen is None:
        raise UserError(
            f"an encoder folder must hold weights ({', '.join(WEIGHT_FILES)}), "
            f"but {folder} does not."
        )
    files = [chosen, *_shards(folder, chosen)]
    for file in files:
        if not (folder / file).is_file():
            namer = "config.json" if file == chosen else chosen
            raise UserError(
                f"an encoder folder must hold the weights that its {namer} names, "
                f"but {file} is missing from {folder}."
            )
    return [folder / file for file in files]


def adapter_files(folder: Path) -> list[Path]:
    """Return the files of an adapter upon the weights in a folder; none if there is none."""
    if not (folder / ADAPTER).is_file():
        return []
    weights = [folder / file for file in ADAPTER_FILES if (folder / file).is_file()]
    return [folder / ADAPTER, *weights[:1]]


def _chosen_weights(folder: Path) -> str | None:
    """Return the name of the file that transformers begins with; None if there is none."""
    named = _read(folder / "config.json").get("transformers_weights")
    if named is not None:
        return str(named)
    return next((file for file in WEIGHT_FILES if (folder / file).is_file()), None)


def _shards(folder: Path, chosen: str) -> list[str]:
    """Return the names of the files that an index names; none if there is no such index."""
    if not chosen.endswith(".index.json") or not (folder / chosen).is_file():
        return []
    places = _read(folder / chosen).get("weight_map")
    if not isinstance(places, dict):
        raise UserError(f"{folder / chosen} must say which file holds which weight (weight_map).")
    return sorted(set(map(str, places.values())))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} must be a JSON file, but cannot be read: {error}.") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold a JSON object, but holds {type(content).__name__}.")
    return content


def _hub_snapshot(name: str) -> Path:
    from huggingface_hub.errors import HFValidationError

    try:
        folder = _cached(name)
        return folder if folder is not None and not _missing(folder) else _fetched(name)
    except HFValidationError as error:
        raise UserError(f"{name!r} is neither a folder nor a name on the hub: {error}") from None
    except UserError:
        raise
    except Exception as error:  # the hub's client lets many kinds of network errors through
        raise UserError(
            f"the encoder {name!r} cannot be fetched from the Hugging Face hub "
            f"({type(error).__name__}): {THREE_WAYS_OUT}."
        ) from None


def _cached(name: str) -> Path | None:
    """Return the folder of a model in the cache, whoever filled it; None if there is none."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    return Path(config).parent if isinstance(config, str) else None


def _fetched(name: str) -> Path:
    """Fetch the text files of a model and its weights, in one format alone."""
    folder = _download(name, [SAFETENSORS])  # an index of shards is a text file
    if _chosen_weights(folder) in (None, f"{BIN}.index.json"):
        folder = _download(name, [BIN])
    missing = _missing(folder)
    return _download(name, missing) if missing else folder


def _download(name: str, files: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, allow_patterns=[*TEXT_FILES, CARD, *files]))


def _missing(folder: Path) -> list[str]:
    """Return the names of files that would be loaded, but are not in a folder."""
    chosen = _chosen_weights(folder)
    if chosen is None:
        return list(WEIGHT_FILES[::2])
    wanted = [chosen, *_shards(folder, chosen)]
    missing = [file for file in wanted if not (folder / file).is_file()]
    if (folder / ADAPTER).is_file() and len(adapter_files(folder)) < 2:
        missing += ADAPTER_FILES
    return missing
