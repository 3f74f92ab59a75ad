"""What every command line of the project ends in: a result, or one sentence and a status."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer

from prokd.common.interruption import SENTENCE, end_at_once_on_signals
from prokd.common.text import check_text
from prokd.errors import CollapsedRun, UserError


def run_app(command: Callable[[], Any], *, interrupted: str = SENTENCE) -> None:
    """Run a command line; a user's mistake is one sentence on standard error and status 2.

    Args:
        command: Reads its own arguments.
        interrupted: What is said at Ctrl-C.
    """
    end_at_once_on_signals(sentence=interrupted)
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
