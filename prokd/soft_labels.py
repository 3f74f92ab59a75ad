"""The teacher's probabilities over target text: computed once per teacher and corpus."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prokd import artifact, evaluation
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.errors import UserError
from prokd.runs import RunFolder, write_atomically

if TYPE_CHECKING:
    from prokd.corpora import Corpora

logger = logging.getLogger(__name__)


def teacher_probabilities(
    teacher: RunFolder, config: ExperimentConfig, runtime: RuntimeConfig, corpora: Corpora
) -> npt.NDArray[np.float16]:
    """Return p of Eq. (2), (4) and (10) for all kept words of target train.

    The teacher runs once, in eval mode; its float16 probabilities (error below 5e-4) lie beside
    its weights and are memory-mapped from then on.

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
    path = teacher.path / f"probabilities-{encoded.fingerprint}.npy"
    if not path.exists():
        with teacher.lock():
            if not path.exists():
                model = artifact.load(teacher.path, config.encoder, runtime)
                seen = corpora.prepared(model, encoded)
                values = evaluation.probabilities(model, seen, corpora.pad_token_id)
                compact = values.numpy().astype(np.float16)
                write_atomically(path, lambda part: _save(part, compact))
                logger.info("%s: probabilities of %d words", teacher.path.name, len(compact))
    mapped: npt.NDArray[np.float16] = np.load(path, mmap_mode="r")
    return mapped


def _save(path: Any, values: npt.NDArray[np.float16]) -> None:
    with open(path, "wb") as stream:
        np.save(stream, values)
