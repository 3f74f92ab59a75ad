"""``prokd publish``: an export on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def publish(
    folder: Annotated[Path, typer.Argument(help="An export.")],
    repository: Annotated[str, typer.Argument(help="Of the hub: ACCOUNT/NAME.")],
    private: Annotated[bool, typer.Option("--private", help="Nobody else may see it.")] = False,
    revision: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="A branch, made if it is not there; else the main one."),
    ] = None,
) -> None:
    """Put an export on the Hugging Face hub, in one commit.

    The token is that of HF_TOKEN or of `hf auth login`; HF_ENDPOINT names another hub. A
    repository that is there already must hold an older export, which is replaced, or nothing.
    """
    from prokd.encoder.hub_upload import publish as upload

    typer.echo(f"published: {upload(folder, repository, private=private, revision=revision)}")
