"""``prokd predict``: tags for raw text, columns or JSON lines, in files of any size."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from prokd.cli.model_commands import Folder
from prokd.cli.options import Device, Model, Place, Valid
from prokd.common.files import write_atomically
from prokd.common.import_path import lean_imports
from prokd.common.places import check_writable
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
    language: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--lang", help="Language whose rules split words; else the model's target."),
    ] = None,
    split: Annotated[
        bool, typer.Option(help="Split raw text into words; else blanks separate them.")
    ] = True,
    output: Annotated[str, typer.Option("--format", help="conll or json.")] = "conll",
    to: Annotated[
        Place,
        typer.Option(resolve_path=True, help="File, whole or none; else standard output."),
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
    if to is not None:
        if to.is_dir():
            raise UserError(f"--to must be a file, but {to} is a folder.")
        check_writable(to.parent, "the folder of --to")
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
    with _progress(size, is_shown=file is not None and not quiet) as tell:
        found = (part.text for part in map(tell, tag_chunks(job, chunks, workers=workers)))
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
            sys.stdout.write(part)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads it has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Lines:
    """Progress in a line now and then."""

    def __init__(self, size: int | None) -> None:
        self.size, self.begun = size, time.monotonic()
        self.told, self.sentences, self.words = self.begun, 0, 0

    def __call__(self, part: Tagged) -> Tagged:
        self.sentences += part.sentences
        self.words += part.words
        now = time.monotonic()
        if now - self.told >= LINE_EVERY:
            self.told = now
            typer.echo(self.line(part, now - self.begun), err=True)
        return part

    def line(self, part: Tagged, seconds: float) -> str:
        """Return what is done and, where the file has a size, what is left."""
        rate = self.words / max(seconds, 1e-9)
        text = f"{self.sentences:,} sentences, {rate:,.0f} words a second"
        if not self.size or not part.end:
            return text
        share = part.end / self.size
        return f"{text}, {share:.0%}, about {seconds * (1 / share - 1):.0f} s left"


@contextmanager
def _progress(size: int | None, *, is_shown: bool) -> Iterator[Any]:
    """Yield what is told of each part that is tagged, and returns it."""
    lines = _Lines(size)
    if not is_shown:
        lines.told = float("inf")
        yield lines
        return
    if not sys.stderr.isatty():
        yield lines
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.percentage:3.0f}%"), TimeRemainingColumn())
    words = TextColumn("{task.description}")
    with Progress(*columns, words, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading the model", total=size)

        def tell(part: Tagged) -> Tagged:
            lines(part)
            rate = lines.words / max(time.monotonic() - lines.begun, 1e-9)
            shown = f"{lines.sentences:,} sentences, {rate:,.0f} words a second"
            bar.update(task, completed=part.end or 0, description=shown)
            return part

        lines.told = float("inf")
        yield tell


def _check_given(text: str | None, file: Path | None, form: str, output: str) -> None:
    if output not in ("conll", "json"):
        raise UserError(f"the format must be conll or json, but got {output!r}.")
    if (text is None) == (file is None):
        raise UserError("exactly one of --text and --file must be given.")
    if text is not None and form not in ("auto", "text"):
        raise UserError(f"--input {form} must go with --file, but got --text.")
