"""What is wrong with an encoder is one sentence before anything trains; what passes, exports."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForTokenClassification,
    AutoTokenizer,
)
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.config import EncoderConfig, ExperimentConfig, RuntimeConfig, with_overrides
from prokd.data.labels import TagSet
from prokd.encoder import artifact
from prokd.encoder.check import check_encoder
from prokd.encoder.classifier import build_classifier
from prokd.encoder.files import load_tokenizer
from prokd.encoder.plain_model import plain_model, put_into
from prokd.errors import UserError
from prokd.scoring.tagging import Tagger
from prokd.training.corpora import Corpora

PLAIN_LAYERS = (
    *("bert", "roberta", "xlm-roberta", "camembert", "distilbert", "mpnet", "deberta"),
    *(
        "deberta-v2",
        "electra",
        "data2vec-text",
        "rembert",
        "xlm-roberta-xl",
        "xlm",
        "megatron-bert",
    ),
    *("roformer", "ernie", "nomic_bert", "eurobert", "xlnet"),
)
SHARED = "albert"
REFUSED = {
    "t5": "encoder with a decoder",
    "bart": "has no token classifier|with a decoder",
    "gpt2": "no text encoder that sees both sides",
    "llama": "no text encoder that sees both sides",
    "vit": "has no token classifier",
    "modernbert": "nothing between encoder and linear layer",
}
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
    "type_vocab_size": 2,
    "pad_token_id": 0,
}
OWN_SIZES: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "xlm": {"emb_dim": 32, "n_layers": 2, "n_heads": 2, "n_langs": 1, "pad_index": 0},
    "albert": {"embedding_size": 16},
    "electra": {"embedding_size": 16},
    "rembert": {"input_embedding_size": 16, "output_embedding_size": 16},
    "deberta": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64},
    "eurobert": {"num_key_value_heads": 2, "head_dim": 16},
    "t5": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2},
    "bart": {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2},
}
SENTENCES = [["anna", "woont", "in", "paris", "."], ["nile", "bank"]]


def write_family(tokens_of: Path, folder: Path, kind: str) -> EncoderConfig:
    """Save a tiny random model of a family, with the tokenizer of another folder."""
    tokenizer = AutoTokenizer.from_pretrained(tokens_of)
    own = OWN_SIZES.get(kind, {})
    common = {} if "d_model" in own or "dim" in own or "n_embd" in own else SIZES
    sizes = {**common, "max_position_embeddings": 66, "vocab_size": len(tokenizer), **own}
    if kind == "xlnet":  # it has no limit and refuses to be given one
        del sizes["max_position_embeddings"]
    torch.manual_seed(0)
    settings = AutoConfig.for_model(kind, **sizes)
    AutoModel.from_config(settings).save_pretrained(folder)  # type: ignore[no-untyped-call]
    # As its own class, AutoTokenizer would read the files by the rules of the model's family.
    settings = json.loads((tokens_of / "tokenizer_config.json").read_text())
    tokenizer.save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return EncoderConfig(name=str(folder), frozen_layers=0, dropout=0.0)


@pytest.mark.parametrize("kind", [*PLAIN_LAYERS, SHARED])
def test_a_family_that_passes_is_exported(kind: str, tiny_encoder: Path, tmp_path: Path) -> None:
    config = write_family(tiny_encoder, tmp_path / "encoder", kind)
    if kind in PLAIN_LAYERS:
        config = config.model_copy(update={"frozen_layers": 1})
    check_encoder(config, 32)
    tags = TagSet(("LOC", "ORG", "PER"))
    model = build_classifier(config, len(tags), max_length=32, seed=0).eval()
    assert any(value.requires_grad for value in model.encoder.parameters())
    assert not any("pooler" in name for name in model.trained_state())
    settings = AutoConfig.from_pretrained(
        config.name, id2label=dict(enumerate(tags.names)), num_labels=len(tags)
    )
    plain: Any = plain_model(settings).eval()
    put_into(plain, model.encoder, model.classifier)
    plain.save_pretrained(tmp_path / "export")
    load_tokenizer(config.name).save_pretrained(tmp_path / "export")
    again = AutoModelForTokenClassification.from_pretrained(tmp_path / "export").eval()
    tokens = load_tokenizer(config.name)(
        SENTENCES, is_split_into_words=True, padding=True, return_tensors="pt"
    )
    given = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
    with torch.inference_mode():
        expected = model.classifier(model.encoder(**given).last_hidden_state)
        assert torch.equal(again(**given).logits, expected)
    tagger = Tagger(tmp_path / "export", RuntimeConfig(device="cpu"))
    alone = [tagger.probabilities([words]) for words in SENTENCES]
    together = tagger.probabilities(SENTENCES)
    assert torch.allclose(torch.cat(alone), together, atol=1e-5)
    first = expected[0, 1].softmax(-1)
    assert torch.allclose(together[0], first, atol=1e-5)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_family_that_cannot_work_is_refused(
    kind: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    settings = {} if kind == "vit" else OWN_SIZES.get(kind, SIZES)
    if kind == "modernbert":
        settings = {**SIZES, "vocab_size": 200}
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    AutoConfig.for_model(kind, **settings).save_pretrained(folder)
    with pytest.raises(UserError, match=REFUSED[kind]):
        check_encoder(EncoderConfig(name=str(folder), frozen_layers=0), 32)


def test_layers_that_share_weights_are_not_frozen(tiny_encoder: Path, tmp_path: Path) -> None:
    config = write_family(tiny_encoder, tmp_path / "encoder", SHARED)
    with pytest.raises(UserError, match=r"frozen_layers must be 0 .*albert.* but got 1"):
        check_encoder(config.model_copy(update={"frozen_layers": 1}), 32)


def test_a_frozen_layer_is_frozen_in_all_its_parts(tiny_encoder: Path, tmp_path: Path) -> None:
    config = write_family(tiny_encoder, tmp_path / "encoder", "xlm")
    config = config.model_copy(update={"frozen_layers": 1})
    model = build_classifier(config, 7, max_length=32, seed=0)
    trained = model.trained_state()
    assert not any(".0." in name for name in trained)
    assert any("ffns.1." in name for name in trained)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def point(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")


def as_bin(folder: Path, begin: int | None) -> None:
    weights = AutoModel.from_pretrained(folder, add_pooling_layer=False).state_dict()
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    torch.save(weights, path)
    path.write_bytes(path.read_bytes()[:begin])


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def without(path: Path, key: str) -> None:
    path.write_text(
        json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != key})
    )


def without_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


def specials_alone(folder: Path) -> None:
    """Let the tokenizer's own file know special tokens alone."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    specials = {entry["content"]: entry["id"] for entry in tokenizer["added_tokens"]}
    tokenizer["model"]["vocab"] = specials
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def add_tokens(folder: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["amsterdam", "rotterdam"])
    tokenizer.save_pretrained(folder)


WEIGHTS, CONFIG = "model.safetensors", "config.json"
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut weights": (lambda f: cut(f / WEIGHTS), rf"{WEIGHTS} must be whole, but is cut short"),
    "empty weights": (lambda f: (f / WEIGHTS).write_bytes(b""), rf"{WEIGHTS} .* is empty"),
    "pointer": (lambda f: point(f / WEIGHTS), rf"{WEIGHTS} .* is a git-lfs pointer"),
    "other weights": (
        lambda f: (f / WEIGHTS).write_bytes(b"\x10" + bytes(99)),
        rf"{WEIGHTS} must be a safetensors file",
    ),
    "cut old weights": (lambda f: as_bin(f, -100), r"pytorch_model.bin .* is cut short"),
    "no old weights": (
        lambda f: (f / WEIGHTS).rename(f / "pytorch_model.bin").write_text("<html>"),
        r"pytorch_model.bin must be weights that PyTorch saved",
    ),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), r"must hold weights"),
    "wider": (lambda f: edit(f / CONFIG, hidden_size=64), rf"{WEIGHTS} must fit its config.json"),
    "no JSON": (lambda f: (f / CONFIG).write_text("{"), rf"{CONFIG} must be a JSON file"),
    "no object": (lambda f: (f / CONFIG).write_text("[]"), rf"{CONFIG} must hold a JSON object"),
    "empty": (lambda f: (f / CONFIG).write_text(""), rf"{CONFIG} must hold something"),
    "no type": (lambda f: without(f / CONFIG, "model_type"), rf"{CONFIG} must name the type"),
    "new type": (lambda f: edit(f / CONFIG, model_type="bert9"), r"knows, but got 'bert9'"),
    "bad value": (lambda f: edit(f / CONFIG, hidden_size="many"), rf"{CONFIG} cannot be used"),
    "bad heads": (lambda f: edit(f / CONFIG, num_attention_heads=5), r"must describe an encoder"),
    "no tokenizer": (without_tokenizer, r"must hold the files of its tokenizer"),
    "specials": (specials_alone, r"knows special tokens alone"),
    "pointer to tokenizer": (lambda f: point(f / "tokenizer.json"), r"tokenizer.json .* pointer"),
    "bad tokenizer": (
        lambda f: (f / "tokenizer.json").write_text("{}"),
        r"no tokenizer can be loaded from",
    ),
    "more tokens": (add_tokens, r"must know no more subwords than the encoder's \d+"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_sentence_before_training(
    name: str,
    tiny_encoder: Path,
    tiny_config: ExperimentConfig,
    tiny_runtime: RuntimeConfig,
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    change, message = FAULTS[name]
    change(folder)
    config = with_overrides(tiny_config, {"encoder.name": str(folder)})
    with pytest.raises(UserError, match=message) as caught:
        Corpora(config, tiny_runtime).check()
    assert "\n" not in str(caught.value)
    assert not tiny_runtime.runs_dir.exists()


@pytest.mark.parametrize("name", ["cut weights", "pointer", "other weights", "cut old weights"])
def test_a_fault_is_one_sentence_in_loading(name: str, tiny_encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    change, message = FAULTS[name]
    change(folder)
    with pytest.raises(UserError, match=message):
        build_classifier(EncoderConfig(name=str(folder)), 7, max_length=32, seed=0)


def test_whole_old_weights_pass(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    as_bin(folder, None)
    config = EncoderConfig(name=str(folder))
    check_encoder(config, 32)
    build_classifier(config, 7, max_length=32, seed=0)


def test_weights_that_lack_a_layer_are_not_made_up(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    edit(folder / CONFIG, num_hidden_layers=4)
    with pytest.raises(UserError, match=r"must be those of a BertModel, but 16 are missing"):
        build_classifier(EncoderConfig(name=str(folder)), 7, max_length=32, seed=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder.frozen_layers": 4}, r"at most the 3 layers .* but got 4"),
        ({"data.max_length": 67}, r"at most the 66 positions"),
        ({"data.max_length": 65}, r"must be from 3 to 64 for the tokenizer"),
    ],
)
def test_settings_beyond_the_encoder(
    settings: dict[str, object],
    message: str,
    tiny_config: ExperimentConfig,
    tiny_runtime: RuntimeConfig,
) -> None:
    with pytest.raises(UserError, match=message):
        Corpora(with_overrides(tiny_config, settings), tiny_runtime).check()


def test_an_unknown_script_is_a_warning(
    tiny_config: ExperimentConfig,
    tiny_runtime: RuntimeConfig,
    tiny_data: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        Corpora(tiny_config, tiny_runtime).check()
    assert "unknown" not in caplog.text
    data = shutil.copytree(tiny_data, tmp_path / "other")
    path = data / "xx" / "train.txt"
    path.write_text(path.read_text().replace("woont", "живёт").replace(".", "—"))
    runtime = tiny_runtime.model_copy(update={"data_dirs": (data,)})
    with caplog.at_level(logging.WARNING):
        Corpora(tiny_config, runtime).check()
    assert "of the subwords of xx train are unknown to the tokenizer of" in caplog.text
    assert "en train" not in caplog.text


def test_an_encoder_alone_is_no_tagger(tiny_encoder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["predict", str(tiny_encoder), "--text", "anna woont ."])
    assert isinstance(done.exception, UserError)
    assert "must be a trained tagger, but is an encoder" in str(done.exception)
    assert artifact.STAGE_FILE not in str(done.exception)
