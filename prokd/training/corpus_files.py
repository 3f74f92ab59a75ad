"""Splits as they are read, once in a process, and what a report writes of one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from prokd.common.files import write_atomically
from prokd.data import Corpus, load_corpus


@lru_cache(maxsize=16)
def read_split(
    dataset: str,
    language: str,
    split: str,
    data_dirs: tuple[Path, ...],
    labelled: bool,
    limit: int | None,
    separator: str | None,
    tag_column: int | None,
) -> Corpus:
    """Read a split as `prokd.data.load_corpus` does, but once in a process."""
    return load_corpus(
        dataset,
        language,
        split,
        data_dirs=data_dirs,
        labelled=labelled,
        limit=limit,
        separator=separator,
        tag_column=tag_column,
    )


def write_counts(path: Path, counts: npt.NDArray[np.int64]) -> None:
    """Write the counts of each sentence, int64, (N, 3), as `metrics.sentence_counts` returns."""

    def save(part: Path) -> None:
        with part.open("wb") as file:  # by its name alone NumPy would add another suffix
            np.savez_compressed(file, counts=counts)

    write_atomically(path, save)
