"""An exported model as a pipeline of transformers, for tools that want the object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from prokd.data.labels import AGGREGATION


def load_pipeline(folder: Path) -> Any:
    """Load a folder that `prokd.training.exports.export` wrote, on the CPU.

    Only the first subword of a word is trained to carry its tag, so words are tagged by it; all
    other strategies of aggregation read subwords that mean nothing.

    Returns:
        A ``token-classification`` pipeline: text to a list of entities of whole words.
    """
    return transformers.pipeline(
        "token-classification",
        model=str(folder),
        tokenizer=str(folder),
        aggregation_strategy=AGGREGATION,
        device="cpu",
    )
