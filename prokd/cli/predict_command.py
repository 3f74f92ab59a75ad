"""``prokd predict``: tags for raw text, columns or JSON lines, in files of any size."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from prokd.cli.model_commands import Folder
from prokd.cli.options import Device, Model, Place, Valid, WordLanguage
from prokd.common.files import write_atomically
from prokd.common.import_path import lean_imports
from prokd.common.places import check_model, given_file
from prokd.common.streams import write_out
from prokd.errors import UserError

if TYPE_CHECKING:
    from prokd.scoring.tag_stream import Tagged

LINE_EVERY = 10.0
"""Seconds between two lines of progress, where no terminal shows a bar."""


def predict(
    folder: Folder,
    text: Annotated[Optional[str], typer.Option(help="Raw text to tag.")] = None,  # noqa: UP045
    file: Annotated[
        Place, typer.Option(help="A sentence per line, .gz or .xz too; - = standard input.")
    ] = None,
    form: Annotated[
        str,
        typer.Option("--input", help="text, conll or jsonl; auto: what the file looks like."),
    ] = "auto",
    language: WordLanguage = None,
    split: Annotated[
        bool, typer.Option(help="Split raw text into words; else blanks separate them.")
    ] = True,
    output: Annotated[str, typer.Option("--format", help="conll or json.")] = "conll",
    to: Annotated[
        Place,
        typer.Option(help="File, whole or none; else standard output."),
    ] = None,
    workers: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Processes that tag; else all cores, on a GPU one."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    valid: Valid = True,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Tag raw text or a file of sentences and write CoNLL columns or JSON lines.

    A file is read, tagged and written in parts, in its order. Tags are the same for any number of
    workers.
    """
    _check_given(text, file, form, output)
    check_model(folder)
    if to is not None:
        to = given_file(to, "--to")
    with lean_imports():
        from prokd.config import RuntimeConfig
        from prokd.data.input_chunks import Chunk, read_chunks
        from prokd.data.words import check_language
        from prokd.encoder.device import device_of
        from prokd.scoring.tag_stream import TaggingJob, cores, tag_chunks

        if language is not None:
            check_language(language)
    job = TaggingJob(str(folder), device, model, language, split, valid, output)
    if file is None:
        chunks: Iterable[Chunk] = [Chunk("--text", "text", 1, [text or ""], [], None)]
    else:
        chunks = read_chunks(file, form)
    if workers is None:
        on_cpu = device_of(RuntimeConfig(device=device)).type == "cpu"
        workers = cores() if on_cpu else 1
    size = file.stat().st_size if file is not None and file.is_file() else None
    tagged: Iterable[Tagged] = tag_chunks(job, chunks, workers=workers)
    if file is not None and not quiet:
        tagged = (_in_a_bar if sys.stderr.isatty() else _in_lines)(tagged, size)
    found = (part.text for part in tagged)
    if to is None:
        _print(found)
    else:
        write_atomically(to, lambda path: _write(path, found))


def _write(path: Path, parts: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as written:
        written.writelines(parts)


def _print(parts: Iterable[str]) -> None:
    try:
        for part in parts:
            write_out(part)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads it has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Progress:
    """What is done so far, in words."""

    def __init__(self) -> None:
        self.begun, self.sentences, self.words = time.monotonic(), 0, 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def add(self, part: Tagged) -> str:
        """Count a part; return what is done by now."""
        self.sentences += part.sentences
        self.words += part.words
        rate = self.words / max(self.seconds, 1e-9)
        return f"{self.sentences:,} sentences, {rate:,.0f} words a second"


def _in_lines(parts: Iterable[Tagged], size: int | None) -> Iterator[Tagged]:
    """Yield parts, and write a line now and then: what is done and, given a size, what is left."""
    done, told = _Progress(), 0.0
    for part in parts:
        line = done.add(part)
        if (seconds := done.seconds) - told >= LINE_EVERY:
            told = seconds
            share = (part.end or 0) / size if size else 0.0
            left = f", {share:.0%}, about {seconds * (1 / share - 1):.0f} s left" if share else ""
            typer.echo(f"{line}{left}", err=True)
        yield part


def _in_a_bar(parts: Iterable[Tagged], size: int | None) -> Iterator[Tagged]:
    """Yield parts, and draw a bar meanwhile."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.percentage:3.0f}%"), TimeRemainingColumn())
    words = TextColumn("{task.description}")
    done = _Progress()
    with Progress(*columns, words, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading the model", total=size)
        for part in parts:
            bar.update(task, completed=part.end or 0, description=done.add(part))
            yield part


def _check_given(text: str | None, file: Path | None, form: str, output: str) -> None:
    if output not in ("conll", "json"):
        raise UserError(f"the format must be conll or json, but got {output!r}.")
    if (text is None) == (file is None):
        raise UserError("exactly one of --text and --file must be given.")
    if text is not None and form not in ("auto", "text"):
        raise UserError(f"--input {form} must go with --file, but got --text.")
