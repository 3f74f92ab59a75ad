"""The command ``prokd``: Ctrl-C is answered before anything is loaded."""

from __future__ import annotations

import sys

from prokd.common.interruption import end_at_once_on_signals, sentence_of


def main() -> None:
    """Entry point of the ``prokd`` command."""
    end_at_once_on_signals(sentence=sentence_of(sys.argv[1:]))
    from prokd.common.import_path import libraries_first

    libraries_first("prokd")
    from prokd.cli.app import run_commands

    run_commands()
