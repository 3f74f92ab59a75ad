"""What the frozen part of an encoder makes of a corpus: computed once, mapped by every run.

Frozen weights give the same hidden states in every epoch of every run. They lie in one file for
each corpus beside its subwords, named by all that they depend on; processes that map it share
its pages. The file is moved into place when it is whole, so that several processes may want it at
once.

# B sentences, T subwords, D feature size
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock

from prokd.common.files import write_atomically
from prokd.config import RuntimeConfig
from prokd.data import EncodedCorpus, collate
from prokd.data.batches import evaluation_batches
from prokd.data.subwords import ranges
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.precision import autocast_type

FORMAT_VERSION = 1
"""Part of every file's name: a change of layout or meaning must raise it."""
SUFFIX = ".frozen.npy"
STORED = {torch.float32: np.float32, torch.float16: np.float16, torch.bfloat16: np.uint16}
"""NumPy has no bfloat16: its bits are kept as integers."""

logger = logging.getLogger(__name__)


def with_frozen_features(
    encoded: EncodedCorpus,
    model: TokenClassifier,
    *,
    encoder_fingerprint: str,
    pad_token_id: int,
    runtime: RuntimeConfig,
) -> EncodedCorpus:
    """Return the corpus with the hidden states of a model's frozen part, or as it was.

    On a CPU the bits are those that the model computes itself, whatever the batch; on a GPU they
    equal them up to the rounding of matrix products, which depends on a batch's shape there.

    Args:
        encoded: A corpus.
        model: Its frozen part, precision and device count.
        encoder_fingerprint: Hash of the base encoder.
        pad_token_id: Of the tokenizer.
        runtime: Whether and how much to keep (``frozen_cache``, ``frozen_cache_bytes``), where.
    """
    kind = autocast_type(model.precision, model.device) or torch.float32
    shape = (len(encoded.input_ids), model.num_features)
    size = shape[0] * shape[1] * kind.itemsize
    folder = Path(runtime.cache_dir)
    key = _key(model, encoder_fingerprint, kind)
    path = folder / f"{encoded.fingerprint}-{key}{SUFFIX}"
    if not _wanted(model, runtime, path, size):
        return encoded
    stored = _open(path, shape, STORED[kind])
    if stored is None:
        try:
            with FileLock(path.with_suffix(".lock")):
                if _open(path, shape, STORED[kind]) is None:
                    write_atomically(
                        path, lambda part: _compute(part, encoded, model, pad_token_id, kind)
                    )
        except OSError as error:  # no room, no right: slower, not wrong
            logger.warning("%s is not kept: %s", path, error)
            return encoded
        stored = _open(path, shape, STORED[kind])
    return encoded if stored is None else replace(encoded, frozen_features=stored)


def _key(model: TokenClassifier, encoder_fingerprint: str, kind: torch.dtype) -> str:
    parts = [
        FORMAT_VERSION,
        encoder_fingerprint,
        model.num_frozen,
        str(kind),
        model.device.type,
        torch.__version__,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _wanted(model: TokenClassifier, runtime: RuntimeConfig, path: Path, size: int) -> bool:
    """Return whether a file is to be used; ``auto`` needs a frozen layer and room for it."""
    if not model.has_bottom or runtime.frozen_cache == "off":
        return False
    if runtime.frozen_cache == "on" or path.exists():
        return True
    others = path.parent.glob(f"*{SUFFIX}")
    kept = sum(file.stat().st_size for file in others)
    return model.num_frozen > 0 and kept + size <= runtime.frozen_cache_bytes


def _open(path: Path, shape: tuple[int, int], kind: Any) -> npt.NDArray[Any] | None:
    try:
        stored: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        return None
    except (ValueError, OSError, EOFError) as error:
        logger.warning("%s: damaged cache file is built anew (%s)", path, error)
        return None
    return stored if stored.shape == shape and stored.dtype == kind else None


@torch.no_grad()
def _compute(
    path: Path,
    encoded: EncodedCorpus,
    model: TokenClassifier,
    pad_token_id: int,
    kind: torch.dtype,
) -> None:
    shape = (len(encoded.input_ids), model.num_features)
    stored = np.lib.format.open_memmap(path, mode="w+", dtype=STORED[kind], shape=shape)
    if hasattr(os, "posix_fallocate"):  # a full disk is an error now, not a signal later
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    lengths = np.diff(encoded.offsets)
    for indices in evaluation_batches(encoded, model.device):
        batch = model.with_bottom(collate(encoded, indices, pad_token_id).to(model.device))
        assert batch.bottom_BTD is not None, "asked for models with a frozen part alone"
        rows = batch.bottom_BTD[batch.attention_mask_BT.bool()].cpu()
        bits = rows.view(torch.uint16) if kind is torch.bfloat16 else rows
        stored[ranges(encoded.offsets[indices], lengths[indices])] = bits.numpy()
    stored.flush()
    logger.info("frozen features of %d sentences: %s", len(encoded), path.name)
