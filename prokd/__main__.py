"""The ``prokd`` command, and ``python -m prokd``: Ctrl-C is answered before anything is loaded."""

from __future__ import annotations

import sys

from prokd.interruption import told_in_a_sentence


def main() -> None:
    """Entry point of the ``prokd`` command."""
    with told_in_a_sentence(sys.argv[1:]):
        from prokd.import_path import libraries_first

        libraries_first("prokd")
        from prokd.cli import run_commands

        run_commands()


if __name__ == "__main__":
    main()
