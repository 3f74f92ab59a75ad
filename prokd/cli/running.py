"""What every command line of the project ends in: a result, or one sentence and a status."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import typer

from prokd.common.full_disk import full_disk
from prokd.common.interruption import SENTENCE, end_at_once_on_signals
from prokd.common.text import check_text
from prokd.errors import CollapsedRun, UserError


def run_app(command: Callable[[], Any], *, interrupted: str = SENTENCE) -> None:
    """Run a command line; a user's mistake is one sentence on standard error and status 2.

    So is a disk that is full.

    Args:
        command: Reads its own arguments.
        interrupted: What is said at Ctrl-C.
    """
    end_at_once_on_signals(sentence=interrupted)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="backslashreplace")  # what it cannot show becomes \u03c4
    try:
        for argument in sys.argv[1:]:  # Python keeps bytes that are no UTF-8 as lone surrogates
            check_text(argument, "an argument")
        command()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except CollapsedRun as error:
        typer.echo(f"failed: {error}", err=True)
        sys.exit(3)
    except Exception as error:
        if (reason := full_disk(error)) is None:
            raise
        name = getattr(error, "filename", None)
        where = f" of {name}" if name else ""
        typer.echo(
            f"error: the disk{where} must have space for what the command writes, but it is full "
            f"({reason}): no file of its own is left half-written; free some space and run it "
            f"again.",
            err=True,
        )
        sys.exit(2)
