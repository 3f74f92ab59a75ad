"""The teacher's probabilities over target text: computed once per teacher and corpus."""

from __future__ import annotations

import hashlib
import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prokd.common.files import file_sha256, write_atomically
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.encoder import artifact
from prokd.errors import UserError
from prokd.runs.folder import RunFolder
from prokd.scoring import evaluation

if TYPE_CHECKING:
    from prokd.training.corpora import Corpora

logger = logging.getLogger(__name__)
HASH_DIGITS = 16
"""Hex digits of a file's SHA-256 in its name."""


def teacher_probabilities(
    teacher: RunFolder, config: ExperimentConfig, runtime: RuntimeConfig, corpora: Corpora
) -> npt.NDArray[np.float16]:
    """Return p of Eq. (2), (4) and (10) for all kept words of target train.

    The teacher runs once, in eval mode; its float16 probabilities (error below 5e-4) lie beside
    its weights, in a file whose name ends in its checksum, and are memory-mapped from then on.
    A damaged file is computed anew.

    Returns:
        float16, (num_kept_words, C), read-only.

    Raises:
        UserError: The teacher has not been trained.
    """
    if not teacher.done:
        raise UserError(
            f"a student needs its trained teacher, but {teacher.path} is not finished: "
            "run `prokd train-teacher` with the same settings first."
        )
    encoded = corpora.target_train
    start = f"probabilities-{encoded.fingerprint}-"
    if (known := _whole(teacher.path, start)) is None:
        with teacher.lock():
            if (known := _whole(teacher.path, start)) is None:
                known = _compute(teacher, start, config, runtime, corpora)
    mapped: npt.NDArray[np.float16] = np.load(known, mmap_mode="r")
    return mapped


def _whole(folder: Path, start: str) -> Path | None:
    """Return the file whose name begins so, if its bytes hash to what the name says."""
    for path in sorted(folder.glob(f"{start}*.npy")):
        if path.stem.removeprefix(start) == file_sha256(path)[:HASH_DIGITS]:
            return path
        logger.warning("%s is damaged (wrong checksum) and is computed anew", path)
        path.unlink(missing_ok=True)
    return None


def _compute(
    teacher: RunFolder,
    start: str,
    config: ExperimentConfig,
    runtime: RuntimeConfig,
    corpora: Corpora,
) -> Path:
    """Let the teacher look at target train once; its file is named by what it holds."""
    model = artifact.load(teacher.path, config.encoder, runtime)
    seen = corpora.prepared(model, corpora.target_train)
    values = evaluation.probabilities(model, seen, corpora.pad_token_id)
    content = io.BytesIO()
    np.save(content, values.numpy().astype(np.float16))
    digest = hashlib.sha256(content.getbuffer()).hexdigest()[:HASH_DIGITS]
    path = teacher.path / f"{start}{digest}.npy"
    write_atomically(path, lambda part: part.write_bytes(content.getbuffer()))
    logger.info("%s: probabilities of %d words", teacher.path.name, len(values))
    return path
