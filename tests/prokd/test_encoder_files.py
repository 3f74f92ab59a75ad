"""What an encoder's fingerprint covers, and which of its files are fetched."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
from transformers import AutoTokenizer, BertModel, BertTokenizer

from prokd.config import EncoderConfig
from prokd.encoder.classifier import build_classifier
from prokd.encoder.files import weight_files
from prokd.encoder.fingerprint import encoder_fingerprint
from prokd.errors import UserError
from tests import preloaded
from tests.prokd.data.hub_server import serve

SHARD, INDEX = "model-00002-of-00003.safetensors", "model.safetensors.index.json"
NAME = "somebody/sharded"


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT in three shards with BERT's own tokenizer."""
    whole, folder = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("sharded")
    tiny.write_encoder(whole)
    model = BertModel.from_pretrained(whole, add_pooling_layer=False)
    model.save_pretrained(folder, max_shard_size="60KB")
    vocabulary = AutoTokenizer.from_pretrained(whole).get_vocab()
    BertTokenizer(vocab=vocabulary, model_max_length=64).save_pretrained(folder)
    return folder


@pytest.fixture
def changed(sharded: Path, tmp_path: Path) -> Callable[..., str]:
    """Return the fingerprint of a copy after a change."""

    def fingerprint(change: Callable[[Path], object]) -> str:
        copy = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(sharded, copy)
        change(copy)
        return encoder_fingerprint(str(copy))

    return fingerprint


def flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def add_token(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["amsterdam"])
    tokenizer.save_pretrained(folder)


def cut_by_calls(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer(["a b"], truncation=True, max_length=8, padding="max_length")
    tokenizer.save_pretrained(folder)


def adapt(folder: Path, weights: bytes) -> None:
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(weights)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a shard": lambda folder: flip_last_byte(folder / SHARD),
    "the index": lambda folder: edit(folder / INDEX, metadata={"total_size": 1}),
    "the configuration": lambda folder: edit(folder / "config.json", hidden_act="relu"),
    "lower case": lambda folder: edit(folder / "tokenizer_config.json", do_lower_case=False),
    "an added token": add_token,
    "the role of a token": lambda folder: edit(
        folder / "tokenizer_config.json", pad_token="[MASK]"
    ),
    "the longest sentence": lambda folder: edit(
        folder / "tokenizer_config.json", model_max_length=32
    ),
    "other weights that come first": lambda folder: shutil.copy(
        folder / SHARD, folder / "model.safetensors"
    ),
    "an adapter": lambda folder: adapt(folder, b"0"),
}


def without_vocabulary_of_its_own(folder: Path) -> None:
    """Leave what a tokenizer can also be made from: the vocabulary, without tokenizer.json."""
    table = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "vocab.txt").write_text("\n".join(sorted(table, key=table.__getitem__)) + "\n")
    (folder / "tokenizer.json").unlink()


SAME: dict[str, Callable[[Path], object]] = {
    "nothing": lambda folder: None,
    "a text for readers": lambda folder: (folder / "README.md").write_text("changed"),
    "weights that are not loaded": lambda folder: (folder / "pytorch_model.bin").touch(),
    "an unnamed shard": lambda folder: (folder / "model-00009-of-00009.safetensors").touch(),
    "a vocabulary that is not read": lambda folder: (folder / "vocab.txt").write_text("a\n"),
    "the tokenizer from other files": without_vocabulary_of_its_own,
    "what a call left behind": cut_by_calls,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_loaded_changes_the_fingerprint(
    name: str, sharded: Path, changed: Callable[..., str]
) -> None:
    assert changed(CHANGES[name]) != encoder_fingerprint(str(sharded))


@pytest.mark.parametrize("name", SAME)
def test_what_is_not_loaded_changes_nothing(
    name: str, sharded: Path, changed: Callable[..., str]
) -> None:
    assert changed(SAME[name]) == encoder_fingerprint(str(sharded))


def test_the_weights_of_an_adapter_count(changed: Callable[..., str]) -> None:
    prints = {changed(lambda folder, byte=byte: adapt(folder, byte)) for byte in (b"0", b"1")}
    assert len(prints) == 2


def test_old_weights_count_too(tiny_encoder: Path, tmp_path: Path) -> None:
    prints = set()
    for number in range(2):
        folder = tmp_path / str(number)
        shutil.copytree(tiny_encoder, folder)
        (folder / "model.safetensors").rename(folder / "part-1.bin")
        index = {"metadata": {}, "weight_map": {"a": "part-1.bin"}}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        if number:
            flip_last_byte(folder / "part-1.bin")
        assert [path.name for path in weight_files(folder)][1:] == ["part-1.bin"]
        prints.add(encoder_fingerprint(str(folder)))
    assert len(prints) == 2


def test_shards_are_loaded(sharded: Path) -> None:
    build_classifier(EncoderConfig(name=str(sharded)), 7, max_length=32, seed=0)
    names = [path.name for path in weight_files(sharded)]
    assert names == [INDEX, *(f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3))]


def test_a_missing_shard_is_one_sentence(sharded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(sharded, folder)
    (folder / SHARD).unlink()
    expected = f"that its {INDEX} names, but {SHARD} is missing from {folder}."
    with pytest.raises(UserError, match=re.escape(expected)):
        encoder_fingerprint(str(folder))
    for path in folder.glob("model*"):
        path.unlink()
    with pytest.raises(UserError, match=r"must hold weights \(model\.safetensors, "):
        weight_files(folder)


SCRIPT = """
import gc, sys
gc.disable()  # it starts quicker
from prokd.encoder.files import encoder_folder
from prokd.encoder.fingerprint import encoder_fingerprint
from prokd.errors import UserError
try:
    names = sorted(path.name for path in encoder_folder(sys.argv[1]).iterdir())
    print(encoder_fingerprint(sys.argv[1]), *names)
except UserError as error:
    print(f"error: {error}")
"""


def fetch(address: str, cache: Path, *, offline: bool = False) -> str:
    """Let a process of its own fetch the encoder; return what it prints."""
    places = {"HF_ENDPOINT": address, "HF_HOME": str(cache), "HF_HUB_OFFLINE": str(int(offline))}
    environment = os.environ | places | {"HF_HUB_DISABLE_XET": "1"}
    done = preloaded.run(["-c", SCRIPT, NAME], env=environment, libraries_only=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_hub_gives_the_shards_of_one_format(sharded: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in sharded.iterdir()}
    index = {"metadata": {}, "weight_map": {"a": "pytorch_model-00001-of-00001.bin"}}
    old = {
        "pytorch_model.bin.index.json": json.dumps(index).encode(),
        "pytorch_model-00001-of-00001.bin": b"0",
    }
    with serve({NAME: {"main": files | old}}) as (address, log):
        expected = encoder_fingerprint(str(sharded))
        found = fetch(address, tmp_path / "hub").split()
        assert found[0] == expected
        assert set(files) <= set(found)
        assert not [name for name in found if name.endswith(".bin")]
        requests = len(log)
        assert fetch(address, tmp_path / "hub").split() == found
        assert len(log) == requests  # what is whole in the cache is asked for no more
        assert fetch(address, tmp_path / "hub", offline=True).split() == found


def test_old_shards_and_one_that_the_hub_lacks(sharded: Path, tmp_path: Path) -> None:
    texts = {p.name: p.read_bytes() for p in sharded.iterdir() if "safetensors" not in p.name}
    shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    index = {"metadata": {}, "weight_map": dict(zip("ab", shards, strict=True))}
    texts["pytorch_model.bin.index.json"] = json.dumps(index).encode()
    whole = texts | {shard: shard.encode() for shard in shards}
    with serve({NAME: {"main": whole}}) as (address, _):
        assert set(shards) <= set(fetch(address, tmp_path / "whole").split())
    del whole[shards[1]]
    with serve({NAME: {"main": whole}}) as (address, _):
        said = fetch(address, tmp_path / "lacking")
    assert said.startswith("error: an encoder folder must hold the weights that its pytorch_model")
    assert f"but {shards[1]} is missing" in said
