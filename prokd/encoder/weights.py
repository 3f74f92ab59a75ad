"""Whether the weight files of an encoder are whole, without loading them."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

from prokd.errors import UserError

POINTER = b"version https://git-lfs"
"""How a file begins that git-lfs left in the place of the real one."""
PICKLE = b"\x80"
LENGTH_BYTES = 8
"""A safetensors file begins with the length of its header, little-endian."""
BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8}
BITS |= {"U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8}


def check_not_pointer(path: Path) -> None:
    """Make sure that a file is the real one and not empty.

    Raises:
        UserError: It is empty, or what git-lfs leaves in the place of a file not fetched.
    """
    with path.open("rb") as stream:
        begin = stream.read(len(POINTER))
    if begin == POINTER:
        raise UserError(
            f"{path} must be the file itself, but is a git-lfs pointer to it "
            f"(git lfs pull fetches the file)."
        )
    if not begin:
        raise UserError(f"{path} must hold something, but is empty.")


def check_weight_file(path: Path) -> None:
    """Make sure that a file of weights, or an index of such files, is whole.

    Raises:
        UserError: It is empty, a git-lfs pointer, cut short, or no such file at all.
    """
    check_not_pointer(path)
    if path.suffix == ".safetensors":
        weight_shapes(path)
    elif path.suffix == ".bin":
        _check_pickle(path)


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all weights in a safetensors file, by name, from its header.

    Raises:
        UserError: The file is not whole.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
        if LENGTH_BYTES + length > size:
            raise _cut_short(path)
        try:
            header: dict[str, Any] = json.loads(stream.read(length))
            entries = {name: e for name, e in header.items() if name != "__metadata__"}
            shapes = {name: tuple(map(int, e["shape"])) for name, e in entries.items()}
            end = max((int(e["data_offsets"][1]) for e in entries.values()), default=0)
            wrong = [name for name, e in entries.items() if not _fits(e, shapes[name])]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise UserError(f"{path} must be a safetensors file, but its header is not.") from None
    if LENGTH_BYTES + length + end > size:
        raise _cut_short(path)
    if wrong or LENGTH_BYTES + length + end < size:
        raise UserError(f"{path} must be as long as its header says, but is not.")
    return shapes


def _fits(entry: dict[str, Any], shape: tuple[int, ...]) -> bool:
    """Return whether a weight takes as many bytes as its shape and type say."""
    bits = BITS.get(entry["dtype"])
    first, last = map(int, entry["data_offsets"])
    return bits is None or (last - first) * 8 == math.prod(shape) * bits


def _check_pickle(path: Path) -> None:
    with path.open("rb") as stream:
        begin = stream.read(4)
    if begin[:1] == PICKLE:  # the format before PyTorch 1.6 says nothing of its length
        return
    # The list of a zip archive stands at its end, so that one cut short has none.
    if begin[:2] == b"PK" and not zipfile.is_zipfile(path):
        raise _cut_short(path)
    if begin[:2] != b"PK":
        raise UserError(f"{path} must be weights that PyTorch saved, but is something else.")


def _cut_short(path: Path) -> UserError:
    return UserError(
        f"{path} must be whole, but is cut short at {path.stat().st_size} bytes (copy or fetch "
        f"it again)."
    )
