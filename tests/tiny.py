"""A tiny real corpus and encoder, made in a second: what end-to-end tests train on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from prokd.config import RuntimeConfig

NAMES = {
    "PER": ["anna", "omar", "lena karim", "pablo", "jan smit"],
    "LOC": ["paris", "cairo", "new delhi", "berlin", "leiden"],
    "ORG": ["acme", "nile bank", "opel", "ajax", "red crescent"],
}
FRAMES = {
    "en": ["{PER} lives in {LOC} .", "{ORG} hired {PER} today .", "the {ORG} office in {LOC}"],
    "xx": ["{PER} woont in {LOC} .", "{ORG} nam {PER} aan .", "het {ORG} kantoor in {LOC}"],
}
SIZES = {"train": 96, "dev": 16, "test": 16}
FEW = {"data.source_train_limit": 32, "data.target_train_limit": 32}
"""Settings of what need not learn anything: four updates an epoch in place of twelve."""
FEWER = {"data.source_train_limit": 16, "data.target_train_limit": 16}
"""The same with two updates an epoch, which is enough for most."""
FAST = {"teacher.learning_rate": 3e-2, "student.learning_rate": 3e-2}
"""So few updates find some entities at this rate: for what must be told of them."""


def sentences(language: str, split: str) -> list[tuple[list[str], list[str]]]:
    """Return seeded sentences with IOB2 tags."""
    random = np.random.default_rng([sorted(FRAMES).index(language), sorted(SIZES).index(split)])
    result = []
    for _ in range(SIZES[split]):
        words: list[str] = []
        tags: list[str] = []
        for piece in str(random.choice(FRAMES[language])).split():
            kind = piece.strip("{}")
            parts = str(random.choice(NAMES[kind])).split() if kind in NAMES else [piece]
            words += parts
            tags += (
                [f"{'B' if index == 0 else 'I'}-{kind}" for index in range(len(parts))]
                if kind in NAMES
                else ["O"]
            )
        result.append((words, tags))
    return result


def write_corpus(folder: Path, languages: tuple[str, ...] = ("en", "xx")) -> Path:
    """Write <folder>/<language>/<split>.txt in two columns."""
    for language in languages:
        (folder / language).mkdir(parents=True, exist_ok=True)
        for split in SIZES:
            lines = [
                "".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True))
                for words, tags in sentences(language, split)
            ]
            (folder / language / f"{split}.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def scramble_labels(folder: Path, language: str, seed: int = 1) -> None:
    """Shuffle the tags of every split of a language among its words (IOB2 is kept valid)."""
    random = np.random.default_rng(seed)
    for split in SIZES:
        path = folder / language / f"{split}.txt"
        words = [line.split("\t")[0] if line else "" for line in path.read_text().split("\n")]
        tags = random.choice(["O", "B-PER", "B-LOC", "B-ORG"], size=len(words))
        lines = [f"{word}\t{tag}" if word else "" for word, tag in zip(words, tags, strict=True)]
        path.write_text("\n".join(lines), "utf-8")


def take_labels_away(folder: Path, language: str) -> Path:
    """Leave a language nothing but the words of its training sentences."""
    path = folder / language / "train.txt"
    words = [line.split("\t")[0] for line in path.read_text("utf-8").split("\n")]
    path.write_text("\n".join(words), "utf-8")
    for split in ("dev", "test"):
        (folder / language / f"{split}.txt").unlink()
    return folder


def write_encoder(folder: Path, *, kind: str = "bert", seed: int = 0) -> Path:
    """Write a random 3-layer encoder, 32 wide, with a WordPiece tokenizer of the tiny corpus."""
    words = {
        word
        for language in FRAMES
        for split in SIZES
        for s, _ in sentences(language, split)
        for word in s
    }
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = [*specials, *sorted(words - {"lena", "leiden"})]
    vocabulary += [piece for piece in letters + [f"##{c}" for c in letters] if piece not in words]
    table = {token: index for index, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(table, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    )
    size = {
        "vocab_size": len(vocabulary),
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 66,
        "pad_token_id": 0,
    }
    torch.manual_seed(seed)
    if kind == "roberta":
        model = RobertaModel(RobertaConfig(type_vocab_size=1, **size), add_pooling_layer=False)
    else:
        model = BertModel(BertConfig(**size), add_pooling_layer=False)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def runtime(folder: Path, data: Path) -> RuntimeConfig:
    """Return a runtime that reads a corpus and keeps all else in a folder."""
    return RuntimeConfig(
        data_dirs=(data,),
        runs_dir=folder / "runs",
        cache_dir=folder / "cache",
        device="cpu",
        threads=1,
    )


def copied(kept: RuntimeConfig, runs_dir: Path) -> RuntimeConfig:
    """Return a runtime with copies of the runs: for what changes those that others look at."""
    shutil.copytree(kept.runs_dir, runs_dir)
    return kept.model_copy(update={"runs_dir": runs_dir})


def settings(encoder: Path) -> dict[str, object]:
    """Return overrides for two quick epochs of teacher and student."""
    return {
        "target": "xx",
        "encoder.name": str(encoder),
        "encoder.frozen_layers": 1,
        "encoder.dropout": 0.0,
        "data.max_length": 32,
        "teacher.epochs": 2,
        "teacher.learning_rate": 1e-2,
        "teacher.batch_sentences": 8,
        "student.epochs": 2,
        "student.learning_rate": 1e-2,
        "student.batch_sentences": 8,
        "student.collapse_agreement": 0.0,
        "teacher.collapse_fall": 0.0,
    }
