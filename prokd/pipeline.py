"""An exported model as a pipeline of transformers, for tools that want the object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers


def load_pipeline(folder: Path) -> Any:
    """Load a folder that `prokd.training.export` wrote, on the CPU.

    Returns:
        A ``token-classification`` pipeline: text to a list of tagged subwords.
    """
    return transformers.pipeline(
        "token-classification", model=str(folder), tokenizer=str(folder), device="cpu"
    )
