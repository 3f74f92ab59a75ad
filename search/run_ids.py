"""Which MLflow run belongs to what: ids kept in a JSON file beside it, by store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prokd.runs import read_json, write_json


class RunIds:
    """The memory of one MLflow store.

    Args:
        uri: Of the store; only its hash is written.
    """

    def __init__(self, uri: str) -> None:
        """Name the store."""
        self.store = hashlib.sha256(uri.encode()).hexdigest()[:12]

    def known(self, file: Path, key: str) -> dict[str, Any]:
        """Return what is remembered under a key of a file; empty if nothing is."""
        entry: dict[str, Any] = ((read_json(file) or {}).get(self.store) or {}).get(key) or {}
        return entry

    def remember(self, file: Path, key: str, values: Mapping[str, Any]) -> None:
        """Add values to what is remembered."""
        content = read_json(file) or {}
        content.setdefault(self.store, {}).setdefault(key, {}).update(values)
        write_json(file, content)

    def forget(self, file: Path, key: str) -> None:
        """Remember nothing under a key."""
        content = read_json(file) or {}
        if content.get(self.store, {}).pop(key, None) is not None:
            write_json(file, content)
