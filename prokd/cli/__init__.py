"""The command line ``prokd``."""

from prokd.cli.entry import main

__all__ = ["main"]
