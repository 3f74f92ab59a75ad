"""Arrays in an Arrow file that is memory-mapped.

It is written beside its name and moved there, so several processes may write it at once; it
carries a checksum, so a damaged file is known.
"""

from __future__ import annotations

import logging
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from prokd.common.files import write_atomically
from prokd.common.full_disk import full_disk
from prokd.errors import UserError

logger = logging.getLogger(__name__)

Arrays = dict[str, npt.NDArray[Any]]


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays as a file, whole or not at all, also where others write the same one.

    Raises:
        UserError: The folder cannot be written in.
    """
    # One row, one list a column: columns of different lengths in one file, each in one piece.
    columns = {
        name: pa.LargeListArray.from_arrays(
            pa.array([0, len(array)], type=pa.int64()), pa.array(array)
        )
        for name, array in arrays.items()
    }
    table = pa.table(columns).replace_schema_metadata({"checksum": _checksum(arrays)})

    def write(part: Path) -> None:
        with pa.ipc.new_file(str(part), table.schema) as writer:
            writer.write_table(table)

    try:
        write_atomically(path, write)
    except OSError as error:
        if full_disk(error) is not None:
            raise
        raise UserError(
            f"`cache_dir` must be a folder to write in, but got {path.parent} ({error.strerror})."
        ) from None


def open_arrays(path: Path) -> Arrays | None:
    """Return the arrays of a file, mapped into memory; None if it is not there or is damaged."""
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        table.validate(full=True)
        arrays = {
            name: table.column(name).chunk(0).values.to_numpy(zero_copy_only=True)
            for name in table.column_names
        }
        checksum = (table.schema.metadata or {}).get(b"checksum", b"").decode()
        damage = "" if checksum == _checksum(arrays) else "wrong checksum"
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError, IndexError, UnicodeDecodeError) as error:
        damage = str(error)
    if damage:
        logger.warning("%s: damaged cache file is built anew (%s)", path, damage)
        return None
    return arrays


def _checksum(arrays: Arrays) -> str:
    value = 0
    for name in sorted(arrays):
        value = zlib.crc32(
            np.ascontiguousarray(arrays[name]).data, zlib.crc32(name.encode(), value)
        )
    return f"{value:08x}"
