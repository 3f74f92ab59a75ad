"""Docstrings as Markdown: examples become code, the legend of shapes a line and no heading."""

from __future__ import annotations

import re
from typing import Any

import griffe

BLOCK = re.compile(r"(?m)^( *)>>> .*(?:\n(?! *$).*)*")
EQUATION = re.compile(r"(?m)^Eq\. .*(?:\n(?! *$).*)*")
LEGEND = re.compile(r"(?m)^# ")


class Docstrings(griffe.Extension):
    """Puts a fence round each example, and ends the lines of an equation where they end."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring is not None:
            text = LEGEND.sub("Shapes: ", obj.docstring.value)
            text = EQUATION.sub(lambda found: found[0].replace("\n", "  \n"), text)
            obj.docstring.value = BLOCK.sub(_fenced, text)


def _fenced(found: re.Match[str]) -> str:
    indent = found[1]
    return f"{indent}```pycon\n{found[0]}\n{indent}```"
