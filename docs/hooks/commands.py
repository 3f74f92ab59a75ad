"""Pages of all commands and their options, read off the Typer apps when the site is built."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.main import get_command

from ablations.run import app as ablations_app
from prokd.cli.added_commands import added, load
from prokd.cli.app import app as prokd_app
from search.run import app as search_app

PROGRAMS = {
    "prokd": ("prokd", prokd_app),
    "search": ("python search/run.py", search_app),
    "ablations": ("python ablations/run.py", ablations_app),
}
"""By the name of the page: what is typed, and what it starts."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each program."""
    for page, (name, app) in PROGRAMS.items():
        text = "\n".join(_page(name, app))
        files.append(File.generated(config, f"commands/{page}.md", content=text))
    return files


def _page(name: str, app: typer.Typer) -> Iterator[str]:
    command: Any = get_command(app)
    yield f"# `{name}`\n"
    if not hasattr(command, "commands"):
        yield from _description(name, command)
        return
    yield inspect.cleandoc(command.help) + "\n"
    context = command.make_context(name, [], resilient_parsing=True)
    for each in command.list_commands(context):
        own = command.commands.get(each)
        yield f"## `{name} {each}`\n"
        yield from _description(f"{name} {each}", own or load(added()[each]))


def _description(name: str, command: Any) -> Iterator[str]:
    """Yield what ``--help`` shows of one command."""
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield f"{inspect.cleandoc(command.help)}\n\n```text\n{usage}\n```\n"
    for kind in ("argument", "option"):
        given = [each for each in command.get_params(context) if each.param_type_name == kind]
        records = [record for each in given if (record := each.get_help_record(context))]
        if records:
            yield f"| {kind} | what it is |\n|---|---|"
            yield from (f"| `{form}` | {_cell(text)} |" for form, text in records)
            yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
