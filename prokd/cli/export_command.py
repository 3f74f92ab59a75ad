"""``prokd export``: a finished run, or a copy of an export, as a folder for others to use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prokd.cli.options import Place, Runs
from prokd.common.import_path import lean_imports
from prokd.errors import UserError

Given = Annotated[
    str, typer.Argument(help="A run, its name or signature; or an export, which is copied.")
]


def export(
    run: Given,
    folder: Annotated[Path, typer.Argument(resolve_path=True, help="A new folder.")],
    onnx: Annotated[bool, typer.Option("--onnx", help="Also write model.onnx.")] = False,
    quantised: Annotated[
        bool,
        typer.Option("--quantised", help="Also write model_quantized.onnx, of eight bits."),
    ] = False,
    file: Annotated[
        Place,
        typer.Option(
            help="Sentences that the ONNX files are checked on, as `predict` reads them; else "
            "embedded ones."
        ),
    ] = None,
    runs_dir: Runs = Path("runs"),
) -> None:
    """Write a finished run as a plain Hugging Face folder with a model card, and as ONNX.

    ONNX files are checked before they are put in place: model.onnx must give the model's tags;
    of model_quantized.onnx the share is told, and of both how fast they are here.
    """
    if file is not None and not (onnx or quantised):
        raise UserError(
            "--file must go with --onnx or --quantised, whose files are checked on it."
        )
    with lean_imports():
        from prokd.encoder.export_folder import MANIFEST, check_destination, check_export
        from prokd.encoder.onnx_files import check_installed
        from prokd.runs.known import run_in
        from prokd.training.exports import copy_export
        from prokd.training.exports import export as write_export
        from prokd.training.model_data import find_model, target_of
        from prokd.training.onnx_export import OnnxExport, sentences_to_check

    check_destination(folder)
    source = find_model(run, runs_dir)
    if folder.resolve().is_relative_to(source.resolve()) and folder.resolve() != source.resolve():
        raise UserError(f"an export must go to a folder of its own, but {folder} is in {source}.")
    wanted = None
    if onnx or quantised:
        check_installed()
        wanted = OnnxExport(sentences_to_check(file, target_of(source)), quantised=quantised)
    if (source / MANIFEST).is_file():
        check_export(source)
        copy_export(source, folder, beside=wanted)
    else:
        write_export(run_in(source), folder, beside=wanted)
    for check in wanted.checks if wanted else ():
        typer.echo(check.line)
    typer.echo(f"export: {folder}")
