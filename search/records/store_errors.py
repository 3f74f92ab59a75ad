"""What an error of MLflow says of its store, and how addresses are shown in sentences."""

from __future__ import annotations

import re

import requests

from prokd.common.full_disk import full_disk

AWAY = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "IO_ERROR"}
REFUSED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}
CONTENDED = "IntegrityError", "Current state is deleted"
"""Of two drivers that make one run, one loses a row to the other, or its own run altogether."""
NO_ROOM = "does not find room on its disk"
LONGEST = 300
"""Characters of a reason that a person is shown."""

# A password may hold @ and /, so all up to the last @ of an address with a user and a colon goes.
_LOGIN = re.compile(r"(?<=://)(?:[^\s/:@]*:\S*@|[^\s/@]*@)")
_SECRET = re.compile(r"(?i)([\w.-]*(?:password|passwd|pwd|token|secret)[\w.-]*=)[^&\s;'\"]+")


def without_secrets(text: str) -> str:
    """Return a text, such as an address or a sentence with some, without users and passwords.

    Where a colon and an @ leave it open what is a password, more is taken away, never less.

    >>> without_secrets("no answer of https://me:p@ss/word@host:5000/path?token=abc today")
    'no answer of https://host:5000/path?token=... today'
    """
    return _SECRET.sub(r"\1...", _LOGIN.sub("", text))


def reason(error: BaseException) -> str:
    """Return what an error says as one line without secrets; its class if it says nothing."""
    line = " ".join(without_secrets(str(error)).split()) or type(error).__name__
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def is_away(error: BaseException) -> bool:
    """Tell whether an error says that the store cannot be reached, or has no room, for now."""
    return why_away(error) is not None


def why_away(error: BaseException) -> str | None:
    """Return why the store takes nothing for now, as the end of a sentence; None = it does."""
    if full_disk(error) or "disk is full" in str(error):  # the second is SQLite's
        return NO_ROOM
    code = getattr(error, "error_code", None)  # of MLflow's own errors
    if code is not None:
        is_so = code in AWAY
    else:
        is_so = isinstance(error, requests.RequestException) or (
            isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
        )
    return "does not answer" if is_so else None


def is_contended(error: BaseException) -> bool:
    """Tell whether another driver wrote or deleted the same just now; the next try sees that."""
    return any(sign in str(error) for sign in CONTENDED)


def why_unusable(error: BaseException, uri: str) -> str:
    """Return a sentence on a store that does not answer its first question as it should.

    Args:
        error: What came instead of the answer.
        uri: Address of the store.
    """
    shown = without_secrets(uri)
    what = f"must answer, but {shown} says: {reason(error)}"
    if is_away(error):
        what = (
            f"must answer, but {shown} does not; set MLFLOW_TRACKING_URI to one that "
            f"does, or unset it for one in --output."
        )
    elif getattr(error, "error_code", "") in REFUSED:
        what = (
            f"at {shown} wants to know who asks: set MLFLOW_TRACKING_USERNAME and "
            f"MLFLOW_TRACKING_PASSWORD."
        )
    return f"the MLflow store {what}"
