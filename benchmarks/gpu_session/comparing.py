"""Whether two computations agree, as lines of the table."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.gpu_session.results import FAILS
from benchmarks.table import Line

FP32, GRADIENT, BF16 = 1e-4, 2e-3, 5e-2
"""Largest norm of a difference over the norm of what is right: between devices in fp32, of
gradients behind an update and a softmax or two, and in bf16 (eight bits) through all layers."""


def near(what: str, found: Tensor, right: Tensor, most: float) -> Line:
    """Return the line of a comparison within a tolerance; what is not a number fails."""
    found, right = found.double().cpu(), right.double().cpu()
    error = float((found - right).norm() / right.norm())
    return check(what, error <= most, f"{error:.1e}", f"at most {most:.0e}", error)


def equal(what: str, found: dict[str, Tensor], right: dict[str, Tensor]) -> Line:
    """Return the line of a comparison of weights to the bit."""
    same = found.keys() == right.keys() and all(torch.equal(found[n], right[n]) for n in right)
    largest = max(float((found[n] - right[n]).abs().max()) for n in right)
    return check(what, same, f"{largest:.1e}", "0", largest)


def check(what: str, holds: bool, found: str, most: str, value: float) -> Line:
    """Return the line of a check."""
    return Line("checks", what, found, most, "holds" if holds else FAILS, "", 1, value)
