"""A disk that is full, however the error that says so is wrapped."""

from __future__ import annotations

import errno
import os
import re

from safetensors import SafetensorError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NAMED = re.compile(r"\(os error (\d+)\)")


def full_disk(error: BaseException) -> str | None:
    """Return what the operating system says of a full disk, if that is behind an error.

    Safetensors raises an error of its own, whose text has the operating system's number.
    """
    cause: BaseException | None = error
    while cause is not None:
        if (number := _number(cause)) in _FULL:
            return os.strerror(number)
        cause = cause.__cause__ or cause.__context__
    return None


def _number(error: BaseException) -> int:
    if isinstance(error, SafetensorError) and (named := _NAMED.search(str(error))):
        return int(named[1])
    return (error.errno or 0) if isinstance(error, OSError) else 0
