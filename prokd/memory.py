"""Giving memory back between two runs of one process."""

from __future__ import annotations

import gc

import torch


def release_memory() -> None:
    """Collect what nothing refers to any more and return cached GPU memory to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
