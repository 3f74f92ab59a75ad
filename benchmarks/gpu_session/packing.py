"""What is carried to a machine without a network: an encoder, text and wheels.

The encoder keeps its lowest layers, in float16, and of its vocabulary what the carried text
needs: the tokenizer must split every carried sentence as before, which is checked.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer

from benchmarks.gpu_session.machine import CARRIED

MOST_MIB = 64.0
LANGUAGES = ("en", "nl")
SPLITS = {"train": 4000, "dev": 1000, "test": 1000}
"""Sentences of each."""
WORDS = "embeddings.word_embeddings.weight"
PLATFORMS = ("2_28", "2_27", "2_17", "2014", "1")
"""Of manylinux, whose wheels are looked for."""


def pack(
    archive: Path,
    *,
    encoder: Path,
    data: Path,
    layers: int,
    room: int,
    python: str | None,
    most_mib: float = MOST_MIB,
) -> None:
    """Write the archive of the folders ``encoder``, ``data`` and ``wheels``.

    Args:
        archive: File to write, ``.tar.gz``.
        encoder: A Hugging Face folder with one file of safetensors.
        data: Folder with ``<language>/{train,dev,test}``.
        layers: Lowest layers of the encoder that are kept.
        room: Bytes that travel besides (the repository), which count as well.
        python: Version of the machine's Python, such as 3.12; None = no wheels.
        most_mib: Largest size of all together, in units of 2**20 bytes.

    Raises:
        SystemExit: Together it is too large.
        ValueError: The smaller tokenizer splits a sentence otherwise.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        sentences = [words for part in cut_texts(data, out / "data") for words in part]
        cut_encoder(encoder, out / "encoder", sentences, layers)
        (out / "wheels").mkdir()
        if python is not None:
            fetch_wheels(out / "wheels", python)
        with tarfile.open(archive, "w:gz", compresslevel=6) as file:
            file.add(out, arcname=".")
    size = archive.stat().st_size
    print(f"{archive}: {size / 2**20:.1f} MiB, and {room / 2**20:.1f} MiB of other files")
    if size + room > most_mib * 2**20:
        raise SystemExit(
            f"together they must be at most {most_mib:g} MiB (--most-mib): keep fewer than "
            f"{layers} layers."
        )


def cut_texts(data: Path, out: Path) -> Iterator[list[list[str]]]:
    """Copy the first sentences of each language and split; yield the words of each."""
    for language in LANGUAGES:
        for split, most in SPLITS.items():
            blocks = (data / language / split).read_text(encoding="utf-8").split("\n\n")[:most]
            (out / language).mkdir(parents=True, exist_ok=True)
            (out / language / split).write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
            yield [_words(block) for block in blocks]


def _words(block: str) -> list[str]:
    """Return the words of a sentence in WikiANN's form, ``language:word<TAB>tag`` a line."""
    return [line.split("\t")[0].split(":", 1)[1] for line in block.splitlines() if "\t" in line]


def cut_encoder(encoder: Path, out: Path, sentences: list[list[str]], layers: int) -> None:
    """Write the lowest layers and the part of the vocabulary that some sentences need."""
    out.mkdir(parents=True)
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    before = _ids(tokenizer, sentences)
    state = json.loads(tokenizer.to_str())
    special = {int(token["id"]) for token in state["added_tokens"]}
    kept = sorted({index for ids in before for index in ids} | special)
    smaller = _smaller(state, kept)
    after = _ids(Tokenizer.from_str(json.dumps(smaller)), sentences)
    if any(
        kept[new] != old for a, b in zip(after, before, strict=True) for new, old in _pairs(a, b)
    ):
        raise ValueError(f"the vocabulary of {encoder} cannot be cut: it splits words otherwise.")
    (out / "tokenizer.json").write_text(json.dumps(smaller, ensure_ascii=False), encoding="utf-8")
    shutil.copy(encoder / "tokenizer_config.json", out)
    config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))
    config |= {"num_hidden_layers": min(layers, config["num_hidden_layers"])}
    config |= {"vocab_size": len(kept)}
    config |= {
        name: kept.index(config[name])
        for name in ("pad_token_id", "bos_token_id", "eos_token_id")
        if config.get(name) in kept
    }
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    _cut_weights(encoder / "model.safetensors", out / "model.safetensors", kept, layers)


def _ids(tokenizer: Tokenizer, sentences: list[list[str]]) -> list[list[int]]:
    encodings = tokenizer.encode_batch(sentences, is_pretokenized=True)
    return [encoding.ids for encoding in encodings]


def _pairs(one: list[int], other: list[int]) -> Iterable[tuple[int, int]]:
    return zip(one, other, strict=len(one) == len(other)) if one else ()


def _smaller(state: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """Return a tokenizer's state with some of its pieces, numbered anew in their order."""
    new = {old: index for index, old in enumerate(kept)}
    model = dict(state["model"])
    if model["type"] not in ("Unigram", "WordPiece"):
        raise ValueError(f"only Unigram and WordPiece are cut, but got {model['type']}.")
    if model["type"] == "Unigram":
        # Special pieces may lie behind the vocabulary's end.
        model["vocab"] = [model["vocab"][old] for old in kept if old < len(model["vocab"])]
        model["unk_id"] = new[model["unk_id"]]
    else:
        model["vocab"] = {piece: new[old] for piece, old in model["vocab"].items() if old in new}
    added = [{**token, "id": new[int(token["id"])]} for token in state["added_tokens"]]
    text = json.dumps(state["post_processor"])
    processor = _renumbered(json.loads(text), new)
    return {**state, "model": model, "added_tokens": added, "post_processor": processor}


def _renumbered(part: Any, new: dict[int, int]) -> Any:
    """Return a post-processor whose ``ids``, and pairs of a token and its index, are the new."""
    if isinstance(part, list):
        if len(part) == 2 and isinstance(part[0], str) and isinstance(part[1], int):
            return [part[0], new[part[1]]]
        return [_renumbered(each, new) for each in part]
    if isinstance(part, dict):
        return {
            name: [new[index] for index in value] if name == "ids" else _renumbered(value, new)
            for name, value in part.items()
        }
    return part


def _cut_weights(file: Path, out: Path, kept: list[int], layers: int) -> None:
    weights = {}
    with safe_open(file, framework="pt") as stored:
        for name in stored.keys():  # noqa: SIM118 (it is no dictionary)
            plain = name.removeprefix("bert.")
            parts = plain.split(".")
            if parts[:2] == ["encoder", "layer"] and int(parts[2]) >= layers:
                continue
            value = stored.get_tensor(name)
            rows = value[torch.from_numpy(np.array(kept))] if plain == WORDS else value
            weights[plain] = rows.to(torch.float16).contiguous()
    save_file(weights, out, metadata={"format": "pt"})


def fetch_wheels(out: Path, python: str) -> None:
    """Download what the machine may lack, in the versions that are installed here."""
    wanted = [f"{name}=={version(name)}" for name in CARRIED]
    platforms = [flag for name in PLATFORMS for flag in ("--platform", _manylinux(name))]
    flags = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "-q"]
    command = [sys.executable, "-m", "pip", "download", *flags, "--python-version", python]
    subprocess.run([*command, *platforms, "-d", str(out), *wanted], check=True)


def _manylinux(name: str) -> str:
    return f"manylinux{name if name in ('1', '2014') else '_' + name}_x86_64"
