"""What an error of MLflow says of its store, and how its address is shown."""

from __future__ import annotations

import errno
import re

import requests

AWAY = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "IO_ERROR"}
REFUSED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}
MISSING = "RESOURCE_DOES_NOT_EXIST"


def without_secrets(uri: str) -> str:
    """Return an address without user and password.

    >>> without_secrets("https://me:secret@host:5000/path")
    'https://host:5000/path'
    """
    return re.sub(r"(?<=://)[^/@]*@", "", uri)


def is_away(error: BaseException) -> bool:
    """Tell whether an error says that the store cannot be reached, or has no room, for now."""
    return why_away(error) is not None


def why_away(error: BaseException) -> str | None:
    """Return why the store takes nothing for now, as the end of a sentence; None = it does."""
    is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if is_full or "disk is full" in str(error):
        return "does not find room on its disk"
    code = getattr(error, "error_code", None)  # of MLflow's own errors
    if code is not None:
        is_so = code in AWAY
    else:
        is_so = isinstance(error, requests.RequestException) or (
            isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
        )
    return "does not answer" if is_so else None
