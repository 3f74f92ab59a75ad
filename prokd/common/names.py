"""Names that people type: the nearest of those that there are; dotted paths of settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

CUTOFF = 0.6
"""Likeness, in [0, 1], from which on a name may be what was meant."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like a given one, whatever its case; None = none is like it.

    >>> nearest("papre", ["paper", "fast"]), nearest("Mini", ["mini"]), nearest("x", ["paper"])
    ('paper', 'mini', None)
    """
    by_case = {text.lower(): text for text in known}
    found = difflib.get_close_matches(str(name).lower(), by_case, n=1, cutoff=CUTOFF)
    return by_case[found[0]] if found else None


def ending(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence on a name that is not known.

    >>> ending("papre", ["paper", "fast"]), ending("x", ["paper"])
    ("but got 'papre'; did you mean paper?", "but got 'x'.")
    """
    meant = nearest(name, known)
    return f"but got {name!r}; did you mean {meant}?" if meant else f"but got {name!r}."


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted path.

    >>> flatten({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        flat |= flatten(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return flat
