"""``prokd serve``: a model behind HTTP, with a page to try it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prokd.cli.model_commands import Folder
from prokd.cli.options import Device, Model, WordLanguage
from prokd.cli.serving.settings import ServingSettings
from prokd.common.import_path import lean_imports
from prokd.common.places import check_model
from prokd.config import RuntimeConfig

DEFAULT = ServingSettings()


def _setting(name: str) -> Any:
    """Return the option of a setting: description and range are those of `ServingSettings`."""
    field = ServingSettings.model_fields[name]
    ends = {
        key: getattr(end, key)
        for end in field.metadata
        for key in ("ge", "le")
        if hasattr(end, key)
    }
    return typer.Option(min=ends["ge"], max=ends["le"], help=f"{field.description}.")


def serve(
    folder: Folder,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 127.0.0.1 = this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = a free one.")] = 8000,
    language: WordLanguage = None,
    model: Model = None,
    device: Device = "auto",
    batch_sentences: Annotated[int, _setting("batch_sentences")] = DEFAULT.batch_sentences,
    batch_characters: Annotated[int, _setting("batch_characters")] = DEFAULT.batch_characters,
    batch_milliseconds: Annotated[
        int, _setting("batch_milliseconds")
    ] = DEFAULT.batch_milliseconds,
    max_characters: Annotated[int, _setting("max_characters")] = DEFAULT.max_characters,
    max_texts: Annotated[int, _setting("max_texts")] = DEFAULT.max_texts,
    max_bytes: Annotated[int, _setting("max_bytes")] = DEFAULT.max_bytes,
    max_waiting: Annotated[int, _setting("max_waiting")] = DEFAULT.max_waiting,
) -> None:
    """Serve a run or an export: JSON at /tag, a page at /, /health and /metrics.

    Ctrl-C ends it when running requests have their answer.
    """
    check_model(folder)
    settings = ServingSettings(
        batch_sentences=batch_sentences,
        batch_characters=batch_characters,
        batch_milliseconds=batch_milliseconds,
        max_characters=max_characters,
        max_texts=max_texts,
        max_bytes=max_bytes,
        max_waiting=max_waiting,
    )
    with lean_imports():
        from prokd.cli.serving.app import serving_app
        from prokd.cli.serving.server import address_of, bound_socket, is_local, run
        from prokd.data.words import check_language
        from prokd.scoring.tagging import Tagger

    if language is not None:
        check_language(language)
    with bound_socket(host, port) as taken:
        tagger = Tagger(folder, RuntimeConfig(device=device), model)
        app = serving_app(tagger, Path(folder).resolve().name, settings, language)
        types = ", ".join(tagger.tag_set.entity_types)
        typer.echo(f"{folder} ({types}): {address_of(taken)} (Ctrl-C ends it)")
        if not is_local(taken):
            typer.echo(f"anybody who reaches this machine by the network can use it ({host}).")
        run(app, taken)
    typer.echo("ended.")
