"""The memory of one run: how much it took at most, what to do when it runs out, giving it back."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from prokd.config import OptimizationConfig
from prokd.errors import UserError
from prokd.method import StageSpec
from prokd.stages.stage import Stage

_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def release_memory() -> None:
    """Collect what nothing refers to any more; return its memory to the system and to GPUs."""
    gc.collect()
    return_free_memory()


def return_free_memory() -> None:
    """Return to the system and to GPUs what is free already."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    # glibc keeps what is free between blocks in use; other systems have no such function.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def limit_gpu_memory(share: float) -> None:
    """Let this process have no more of a GPU's memory than its share of the GPU.

    Where several trials share a GPU, none takes what another needs later. What CUDA itself needs
    for each process comes on top. Without a GPU, or with a whole one, nothing is limited.

    Args:
        share: Of one GPU, > 0; from 1 on it is the whole.
    """
    if share < 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)


class PeakMemory:
    """The most memory that was in use since this was made.

    On a GPU: what PyTorch had allocated there. On a CPU: the resident memory of the whole process,
    with its libraries and the pages of mapped files that it touched; where the system cannot
    start a new count, since the process began.
    """

    def __init__(self, device: torch.device) -> None:
        """Start a new count."""
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        try:
            _RESET.write_text("5")
        except OSError:
            return

    def megabytes(self) -> float:
        """Return the peak so far, in units of 2**20 bytes."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        try:
            lines = _STATUS.read_text().splitlines()
        except OSError:
            unit = 2**20 if sys.platform == "darwin" else 2**10
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
        return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10


def ran_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or the machine, has no memory left."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, its kind if it says nothing.

    >>> first_line(MemoryError()), first_line(MemoryError("no room"))
    ('MemoryError', 'no room')
    """
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def clear_about_memory(what: str, device: torch.device) -> Iterator[None]:
    """Turn an error of memory within the block into a sentence.

    Args:
        what: What is done meanwhile, e.g. "scoring the student".
        device: Whose memory it takes.

    Raises:
        UserError: Memory ran out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        told = first_line(error)
    else:
        return
    release_memory()  # behind the block: the error holds what was in memory
    raise UserError(
        f"{what} must fit into the memory of {device}, but did not ({told}): run fewer trials on "
        "one device, or lower data.max_length."
    )


def epoch_within_memory(stage: Stage) -> dict[str, float] | None:
    """Train one epoch and return its metrics; None if memory ran out meanwhile."""
    try:
        return stage.run_epoch()
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
    return None  # after the block: the error holds what was in memory


def smaller_parts(
    spec: StageSpec, config: OptimizationConfig, *, max_length: int, device: torch.device
) -> int:
    """Return half the subwords that go through a model at once, for another try.

    Args:
        spec: The stage, for the message.
        config: Its settings.
        max_length: Most subwords of a sentence, which is not split.
        device: Whose memory ran out.

    Raises:
        UserError: One sentence at once is too much already.
    """
    largest = min(config.batch_sentences * max_length, max(config.batch_tokens, max_length))
    now = min(config.micro_batch_tokens or largest, largest)
    if now <= max_length:
        raise UserError(
            f"the {spec.name} does not fit into the memory of {device} with one sentence at a "
            f"time: lower data.max_length ({max_length}) or {spec.section}.batch_sentences "
            f"({config.batch_sentences}), or run fewer trials on one device."
        )
    return max(now // 2, max_length)
