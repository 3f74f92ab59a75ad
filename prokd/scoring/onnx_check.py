"""Whether ONNX files tag as the model that they were made of, and how much faster.

# B sentences, T subwords, C classes, W words
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import BatchEncoding

from prokd.encoder.files import encoder_settings, load_tokenizer
from prokd.encoder.layers import most_subwords
from prokd.encoder.onnx_files import INPUTS, ONNX, load_exported
from prokd.errors import UserError

BATCH = 8
"""Sentences that are tagged together, beside each by itself."""
ROUNDS = 3
"""Times that all sentences are tagged for the speed; the fastest counts."""

Logits = Callable[[dict[str, npt.NDArray[np.int64]]], npt.NDArray[np.float32]]
"""From `INPUTS`, (B, T), to logits, (B, T, C)."""


@dataclass(frozen=True)
class OnnxCheck:
    """What came out of one file.

    Args:
        name: Of the file.
        num_bytes: Its size.
        words: Number of words that were tagged.
        equal: Number of those with the tag that the model gives, alone and in a batch.
        speedup: Time of the model over that of the file, one sentence at a time, on this machine.
    """

    name: str
    num_bytes: int
    words: int
    equal: int
    speedup: float

    @property
    def line(self) -> str:
        """What a person is told."""
        share = f"{self.equal} of {self.words} words ({100 * self.equal / self.words:.2f} %)"
        return (
            f"{self.name}: {self.num_bytes / 1e6:.1f} MB, the model's tag on {share}, "
            f"{self.speedup:.1f} times as fast as torch, one sentence at a time on this machine"
        )


def check_onnx(
    folder: Path, files: Sequence[Path], sentences: Sequence[Sequence[str]]
) -> list[OnnxCheck]:
    """Tag sentences with a model and with its ONNX files, each by itself and in padded batches.

    Args:
        folder: An exported folder.
        files: Its ONNX files.
        sentences: Words of each; there must be one at least. They are cut at the encoder's window.

    Raises:
        UserError: The file with full weights gives another tag anywhere.
    """
    single, together = _batches(folder, sentences, 1), _batches(folder, sentences, BATCH)
    model = _torch_logits(folder)
    expected = np.stack([_tags(model, single), _tags(model, together)])
    words, seconds = expected.shape[1], _seconds(model, single)
    checks = []
    for path in files:
        own = _onnx_logits(path)
        found = np.stack([_tags(own, single), _tags(own, together)])
        equal = int((found == expected).all(axis=0).sum())
        size, speedup = path.stat().st_size, seconds / _seconds(own, single)
        checks.append(OnnxCheck(path.name, size, words, equal, speedup))
        if path.name == ONNX and equal < words:
            raise UserError(
                f"{path.name} must give the model's tags, but gives others on "
                f"{words - equal} of {words} words: this encoder cannot be written "
                f"as ONNX here."
            )
    return checks


def _batches(folder: Path, sentences: Sequence[Sequence[str]], size: int) -> list[BatchEncoding]:
    """Return sentences as subwords, some at a time."""
    tokenizer: Any = load_tokenizer(str(folder))
    longest = most_subwords(encoder_settings(str(folder)), tokenizer)
    return [
        tokenizer(
            [list(words) for words in sentences[start : start + size]],
            is_split_into_words=True,
            truncation=True,
            max_length=longest,
            padding=True,
            return_tensors="np",
        )
        for start in range(0, len(sentences), size)
    ]


def _torch_logits(folder: Path) -> Logits:
    model = load_exported(folder)

    def logits(given: dict[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            found = model(**{name: torch.from_numpy(value) for name, value in given.items()})
        return np.asarray(found.logits.numpy())

    return logits


def _onnx_logits(path: Path) -> Logits:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda given: np.asarray(session.run(["logits"], given)[0])


def _given(batch: BatchEncoding) -> dict[str, npt.NDArray[np.int64]]:
    return {name: np.asarray(batch[name], dtype=np.int64) for name in INPUTS}


def _tags(logits: Logits, batches: Sequence[BatchEncoding]) -> npt.NDArray[np.int64]:
    """Return the likeliest class of the first subword of each word, (W,)."""
    found: list[int] = []
    for batch in batches:
        classes_BT = logits(_given(batch)).argmax(axis=-1)
        for row, classes_T in enumerate(classes_BT):
            words = batch.word_ids(row)
            first = {word: at for at, word in reversed(list(enumerate(words))) if word is not None}
            found += [int(classes_T[at]) for _, at in sorted(first.items())]
    return np.array(found, dtype=np.int64)


def _seconds(logits: Logits, batches: Sequence[BatchEncoding]) -> float:
    """Return the least time that all batches take."""
    given = [_given(batch) for batch in batches]
    logits(given[0])  # the first call sets up what later ones have
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for batch in given:
            logits(batch)
        rounds.append(time.perf_counter() - started)
    return min(rounds)
