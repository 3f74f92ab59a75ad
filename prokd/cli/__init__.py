"""The command line ``prokd``."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "main":  # scripts of earlier installations begin here
        from prokd.__main__ import main

        return main
    raise AttributeError(name)
