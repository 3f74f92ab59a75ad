"""Commands that other packages add to ``prokd``, by entry points of the group `GROUP`.

An entry point names a function with options as typer takes them, or a `typer.Typer`. None is
loaded before it is called: the list of all commands needs their names alone.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from prokd.errors import UserError

GROUP = "prokd.commands"


@cache
def added() -> dict[str, EntryPoint]:
    """Return the entry points of all installed packages by command."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def load(entry: EntryPoint) -> Any:
    """Return the command of an entry point.

    Raises:
        UserError: It cannot be loaded, or is no command.
    """
    try:
        found = entry.load()
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        if not callable(found):
            raise TypeError(f"{found!r} is no function")
        own = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        own.command(entry.name)(found)
        return typer.main.get_command(own)
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"the command {entry.name!r} of {_owner(entry)} ({entry.value}) cannot be loaded: "
            f"{type(error).__name__}: {reason}."
        ) from error


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "an installed package"


class ExtensibleGroup(TyperGroup):
    """The commands of ``prokd`` and the added ones, which never take the name of an own one."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        own = super().list_commands(ctx)
        return [*own, *sorted(name for name in added() if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; of an added one what the list of commands shows."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in added():
            return own
        entry = added()[cmd_name]
        return TyperCommand(
            cmd_name, help=f"Of {_owner(entry)}'s {entry.module}: `{cmd_name} --help` tells more."
        )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called, an added one loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in added() and name not in self.commands:
            command = load(added()[name])
        return name, command, rest
