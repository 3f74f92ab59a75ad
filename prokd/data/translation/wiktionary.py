"""Dictionaries from the English Wiktionary: ``word {pos} (gloss) :: target {gender}, ...``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from prokd.errors import UserError

_BEHIND_HEAD = re.compile(r"\s[{(/]|\sSEE:|$")
_SEE = re.compile(r"\bSEE: (?P<word>.+?)\s*$")
_MARKS = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|(?<!\S)/[^,;]*?/(?=\s*(?:[,;{\[(]|$))")
_BETWEEN = re.compile(r"[,;،]")


def read_wiktionary(lines: Sequence[tuple[int, str]], path: Path) -> list[tuple[str, str]]:
    """Return (source, target) in the order of the lines, a pair once a line that has it.

    Behind ``::`` stand targets between commas, with gender in ``{}``, remarks in ``[]`` and ``()``
    and a romanisation in ``//``, which are dropped. ``SEE: word ::`` takes the targets of another
    word. Lines that begin with ``#`` are comments; a line without targets (dumps have broken ones)
    gives nothing.

    Args:
        lines: Number and text of each line that is not blank.
        path: For messages.

    Raises:
        UserError: A line is no comment and has no ``::``.
    """
    rows: list[tuple[str, list[str], str | None]] = []
    targets_of: dict[str, list[str]] = {}
    for number, line in lines:
        if line.startswith("#"):
            continue
        left, mark, right = line.partition("::")
        if not mark:
            shown = repr(line if len(line) <= 60 else line[:57] + "...")
            raise UserError(
                f"{path}:{number}: a line must be `word {{pos}} (gloss) :: targets`, "
                f"as the first is, but got {shown}."
            )
        word = _BEHIND_HEAD.split(left.rstrip(), maxsplit=1)[0].strip()
        see = _SEE.search(left) if not right.strip() else None
        targets = list(dict.fromkeys(_targets(right)))
        rows.append((word, targets, see["word"] if see else None))
        targets_of.setdefault(word, []).extend(targets)
    return [
        (word, target)
        for word, targets, see in rows
        for target in (targets if see is None else dict.fromkeys(targets_of.get(see, ())))
    ]


def _targets(text: str) -> list[str]:
    bare = [part.strip() for part in _BETWEEN.split(_MARKS.sub(" ", text))]
    return [part for part in bare if part]
