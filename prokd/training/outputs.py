"""What a finished stage makes of a corpus: computed once per run and corpus, then mapped."""

from __future__ import annotations

import hashlib
import io
import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from prokd.common.files import file_sha256, write_atomically
from prokd.encoder import artifact
from prokd.errors import UserError
from prokd.method import TARGET_TRAIN
from prokd.runs.folder import RunFolder
from prokd.stages.context import Output, Prepare
from prokd.training.corpora import Corpora

logger = logging.getLogger(__name__)
HASH_DIGITS = 16
"""Hex digits of a file's SHA-256 in its name."""


def outputs(
    folder: RunFolder,
    output: Output,
    corpora: Corpora,
    *,
    corpus: str = TARGET_TRAIN,
    prepare: Prepare | None = None,
) -> npt.NDArray[np.float16]:
    """Return what a finished stage's model makes of a corpus.

    The model runs once, in eval mode; float16 values (probabilities: error below 5e-4) lie beside
    its weights, in a file named by the function and by its own checksum, and are memory-mapped
    from then on. A damaged file is computed anew.

    Args:
        folder: Of the stage's run, e.g. a teacher.
        output: From model, corpus and padding index to a row for each kept word or sentence, e.g.
            `scoring.evaluation.probabilities`: p of Eq. (2), (4) and (10).
        corpora: Of the experiment that reads it.
        corpus: Which of them, by the name that `prokd.method` gives it.
        prepare: Puts modules beside the classifier that the stage has trained.

    Returns:
        float16, read-only.

    Raises:
        UserError: The stage has not been trained.
    """
    if not folder.done:
        raise UserError(
            f"a trained {folder.kind} is needed, but {folder.path} is not finished: run "
            "`prokd train-student` with the same settings, which trains it first (a teacher "
            "alone: `prokd train-teacher`)."
        )
    seen = corpora.training(corpus)
    start = f"{output.__name__}-{seen.fingerprint}-"
    if (known := _whole(folder.path, start)) is None:
        with folder.lock():
            if (known := _whole(folder.path, start)) is None:
                model = artifact.load(
                    folder.path, corpora.config.encoder, corpora.runtime, prepare=prepare
                )
                prepared = corpora.prepared(model, seen)
                known = _write(folder, start, output(model, prepared, corpora.pad_token_id))
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


def _write(folder: RunFolder, start: str, values: Tensor) -> Path:
    """Write rows into a file that is named by what it holds."""
    content = io.BytesIO()
    np.save(content, values.numpy().astype(np.float16))
    digest = hashlib.sha256(content.getbuffer()).hexdigest()[:HASH_DIGITS]
    path = folder.path / f"{start}{digest}.npy"
    write_atomically(path, lambda part: part.write_bytes(content.getbuffer()))
    logger.info("%s: %s%d rows", folder.path.name, start, len(values))
    return path
