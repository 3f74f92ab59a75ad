"""An error of somebody's code in a line, with the place that it comes from."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence

LIBRARIES = ("numpy", "pydantic", "torch", "transformers")
"""Where an error is raised for a mistake of whoever called."""
_FRAME = re.compile(r'^\s*File "(.+)", line (\d+), in ', re.MULTILINE)


def in_a_line(error: BaseException) -> str:
    """Write class and text of an error, and the file and line that it comes from."""
    frames = [(one.filename, one.lineno or 0) for one in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__}: {' '.join(str(error).split())}{_last(frames)}"


def place_in(shown: str) -> str:
    """Return the file and line that a printed traceback leads to, if it tells.

    >>> place_in('File "/x/a.py", line 3, in f')
    ' (/x/a.py:3)'
    """
    return _last([(file, int(line)) for file, line in _FRAME.findall(shown)])


def _last(frames: Sequence[tuple[str, int]]) -> str:
    """Write the last frame that is in no library; the last of all if all are."""
    own = [f for f in frames if not any(f"/site-packages/{name}/" in f[0] for name in LIBRARIES)]
    chosen = (own or frames)[-1:]
    return "".join(f" ({file}:{line})" for file, line in chosen)
