"""The file of a study: what a driver that was ended in the middle of a line left at its end."""

from __future__ import annotations

import json
from pathlib import Path

from prokd.common.files import write_atomically
from prokd.errors import UserError


def mend(path: Path) -> None:
    """Leave out what a killed process or a lost power supply left at the end of a journal.

    The journal itself is not written to: a mended copy takes its place when it is whole. What is
    cut off stays beside it, under the name of the journal and ``.damaged``.

    Raises:
        UserError: A line before the end is damaged, which no interruption explains.
    """
    if not path.exists():
        return
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    kept = len(lines)
    while kept and not _is_whole(lines[kept - 1]):
        kept -= 1
    for number, line in enumerate(lines[:kept], start=1):
        if not _is_whole(line):
            raise UserError(
                f"{path}:{number}: each line of a study's journal must be a JSON object, but got "
                f"{line[:40]!r}; put a copy from before in its place, or remove the file to begin "
                f"the study anew (what is trained is reused)."
            )
    if kept < len(lines):
        rest = b"".join(lines[kept:])
        write_atomically(path.with_name(f"{path.name}.damaged"), lambda p: p.write_bytes(rest))
        write_atomically(path, lambda part: part.write_bytes(b"".join(lines[:kept])))


def _is_whole(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
