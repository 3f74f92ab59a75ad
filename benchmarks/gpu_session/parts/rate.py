"""What the chip can do at best: large matrix products, and moving memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.timing import middle, seconds_of
from benchmarks.table import Line

COPIED = 2**30
"""Numbers of two bytes in the copy on a GPU."""


def measure(session: Session) -> Iterator[Line]:
    """Yield the rates of products in bf16 and fp32, and of a copy."""
    size = session.amounts.product
    for name, kind in (("bf16", torch.bfloat16), ("fp32, no TF32", torch.float32)):
        rate = product_rate(session, kind)
        yield _line(f"product of {size} x {size} matrices, {name}", rate / 1e12, "TFLOP/s")
    values = torch.randn(COPIED if session.on_gpu else 2**16, device=session.device).to(
        torch.bfloat16
    )
    other = torch.empty_like(values)
    seconds = middle(seconds_of(lambda: other.copy_(values), session.device, 10))
    yield _line("copy on the device, read and written", 4 * len(values) / seconds / 1e9, "GB/s")


def product_rate(session: Session, kind: torch.dtype = torch.bfloat16) -> float:
    """Return the operations per second of a large product of random matrices."""
    size = session.amounts.product
    left, right = (torch.randn(size, size, device=session.device).to(kind) for _ in "lr")
    repeats = 10 if session.on_gpu else 2
    seconds = seconds_of(lambda: torch.matmul(left, right), session.device, repeats, warm=3)
    return float(2 * size**3 / middle(seconds))


def _line(what: str, value: float, unit: str) -> Line:
    return Line("rate", what, f"{value:.3g} {unit}", "", "", "", 10, value)
