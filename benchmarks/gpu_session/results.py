"""What was measured so far: a line of JSON for each figure, and the table made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.table import Line, markdown

RECORDS, TABLE, LOG = "results.jsonl", "table.md", "log.txt"
FAILS = "FAILS"
"""Result of a check that does not hold."""
DRY = "**A dry run with tiny sizes: no number here means anything.**"


class Results:
    """The results in a folder; every figure is on disk as soon as it was measured.

    Args:
        folder: Made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder; what lies there stays."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def clear(self) -> None:
        """Begin anew."""
        for name in (RECORDS, TABLE, LOG):
            (self.folder / name).unlink(missing_ok=True)

    def add(self, kind: str, values: Mapping[str, Any]) -> None:
        """Append a record.

        Args:
            kind: ``machine``, ``line`` or ``part``.
            values: What can be written as JSON.
        """
        with (self.folder / RECORDS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **values}) + "\n")

    def add_line(self, line: Line) -> None:
        """Append a figure."""
        self.add("line", asdict(line))

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Return all records of a kind; a last line that was cut off is left out."""
        path = self.folder / RECORDS
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        found = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return [record for record in found if record.pop("kind") == kind]

    def lines(self) -> list[Line]:
        """Return the figures so far."""
        return [Line(**record) for record in self.records("line")]

    def write_table(self) -> Path:
        """Write all that is known as Markdown, ready for a page."""
        machine: dict[str, Any] = {}
        for record in self.records("machine"):
            machine |= record
        lines = self.lines()
        wrong = sum(line.result.startswith(FAILS) for line in lines)
        blocks = [str(machine.get("title", ""))]
        blocks += [DRY] if machine.get("dry") else []
        if wrong:
            blocks.append(
                f"**{wrong} of the checks failed: the figures may be of wrong numbers.**"
            )
        blocks += ["\n".join(markdown(lines)), "\n".join(self._ends())]
        path = self.folder / TABLE
        path.write_text("\n\n".join(filter(None, blocks)) + "\n", encoding="utf-8")
        return path

    def _ends(self) -> list[str]:
        """Return how each part ended, as rows of Markdown."""
        rows = ["| part | ended | seconds |", "|---|---|---|"]
        return rows + [
            f"| {part['name']} | {part['ended']} | {part['seconds']:.0f} |"
            for part in self.records("part")
        ]
