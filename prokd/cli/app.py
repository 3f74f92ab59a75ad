"""``prokd data | dictionary | translate | train-... | evaluate | errors | ...``: no search."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from prokd.cli.added_commands import ExtensibleGroup
from prokd.cli.data_command import data
from prokd.cli.dictionary_command import dictionary
from prokd.cli.errors_command import errors
from prokd.cli.estimate_command import estimate
from prokd.cli.export_command import export
from prokd.cli.features_command import features
from prokd.cli.gc_command import gc
from prokd.cli.model_commands import evaluate
from prokd.cli.options import (
    Cache,
    DataDirs,
    Dataset,
    Device,
    Dictionaries,
    Language,
    MethodName,
    Model,
    Place,
    Preset,
    Reading,
    Runs,
    Seed,
    Separator,
    Settings,
    Source,
    TagColumn,
    experiment,
    runtime_of,
)
from prokd.cli.predict_command import predict
from prokd.cli.publish_command import publish
from prokd.cli.running import run_app
from prokd.cli.serve_command import serve
from prokd.cli.tag_command import tag
from prokd.cli.text_command import text
from prokd.cli.translate_command import translate
from prokd.common.interruption import ending_at_once, sentence_of
from prokd.common.places import check_writable
from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.methods import DEFAULT, graph_of, idle_dictionaries
from prokd.runs.estimates import estimate_in_words

app = typer.Typer(
    cls=ExtensibleGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Zero-resource cross-lingual NER with prototypical knowledge distillation.",
)


def _train_with_needs(stage: str, config: ExperimentConfig, runtime: RuntimeConfig) -> None:
    from prokd.training.run import data_fingerprints

    if (idle := idle_dictionaries([config], runtime)) is not None:
        typer.echo(idle)
    fingerprints = data_fingerprints(config, runtime)  # of what all stages read
    for name in [*graph_of(config).before(stage), stage]:
        _train(name, config, runtime, fingerprints)


def _train(
    name: str, config: ExperimentConfig, runtime: RuntimeConfig, fingerprints: dict[str, str]
) -> None:
    from prokd.training.run import StageRun

    with StageRun(name, config, runtime, fingerprints=fingerprints) as run:
        if run.done:
            typer.echo(f"{run.folder.path} is finished already; nothing is trained again.")
        with ending_at_once(run.flush):  # what is told of an epoch is on disk at the next start
            result = run.run()
        scores, not_scored = run.report(), run.corpora.not_scored()
    typer.echo(f"{run.objective:32s} {result['objective']:.4f}   (what selects)")
    for measure in _main_scores(scores):
        typer.echo(f"{measure:32s} {scores[measure]:.4f}   (report)")
    for code, reason in not_scored.items():
        typer.echo(f"{f'test/{code}':32s} not scored: {reason}")
        if (estimate := estimate_in_words(scores, code)) is not None:
            typer.echo(f"{'':32s} {estimate}")
    typer.echo(f"{name}: {run.folder.path}")


def _tell_what_is_read(config: ExperimentConfig) -> None:
    """Say at once what goes into a training: the libraries alone take seconds to load."""
    typer.echo(
        f"reading {config.data.dataset}: {config.source} (labelled train and dev), "
        f"{config.target} (train without labels); encoder {config.encoder.name}"
    )


def _main_scores(scores: dict[str, float]) -> list[str]:
    kept = ("entity_f1", "entity_f1_viterbi", "entity_f1_strict", "token_f1")
    return [name for name in scores if name.rsplit("/", 1)[-1] in kept]


@app.command("train-teacher")
def train_teacher(
    method: MethodName = DEFAULT,
    preset: Preset = "paper",
    reading: Reading = None,
    language: Language = "ar",
    source: Source = "en",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    dictionaries: Dictionaries = [],  # noqa: B006
    separator: Separator = None,
    tag_column: TagColumn = None,
    model: Model = None,
    seed: Seed = 0,
    settings: Settings = [],  # noqa: B006
    runs_dir: Runs = Path("runs"),
    cache_dir: Cache = None,
    device: Device = "auto",
) -> None:
    """Train a teacher on the source, aligned with unlabelled target text (Eq. 1, 3-7)."""
    config = experiment(
        method=method,
        preset=preset,
        reading=reading,
        language=language,
        source=source,
        dataset=dataset,
        model=model,
        seed=seed,
        settings=settings,
    )
    check_writable(runs_dir, "--runs-dir")
    read = cache_dir, data_dirs, dictionaries, separator, tag_column
    runtime = runtime_of(runs_dir, *read, device)
    _tell_what_is_read(config)
    _train_with_needs("teacher", config, runtime)


@app.command("train-student")
def train_student(
    method: MethodName = DEFAULT,
    preset: Preset = "paper",
    reading: Reading = None,
    language: Language = "ar",
    source: Source = "en",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    dictionaries: Dictionaries = [],  # noqa: B006
    separator: Separator = None,
    tag_column: TagColumn = None,
    model: Model = None,
    seed: Seed = 0,
    settings: Settings = [],  # noqa: B006
    runs_dir: Runs = Path("runs"),
    cache_dir: Cache = None,
    device: Device = "auto",
    export_to: Annotated[
        Place,
        typer.Option("--export", resolve_path=True, help="Also write a Hugging Face folder."),
    ] = None,
) -> None:
    """Train a method's result, ProKD's student (Eq. 2, 4, 5, 8-13), and first what it needs."""
    config = experiment(
        method=method,
        preset=preset,
        reading=reading,
        language=language,
        source=source,
        dataset=dataset,
        model=model,
        seed=seed,
        settings=settings,
    )
    check_writable(runs_dir, "--runs-dir")
    read = cache_dir, data_dirs, dictionaries, separator, tag_column
    runtime = runtime_of(runs_dir, *read, device)
    _tell_what_is_read(config)
    if export_to is not None:
        from prokd.encoder.export_folder import check_destination

        check_destination(export_to)  # not after all the training
    result = graph_of(config).result
    _train_with_needs(result, config, runtime)
    if export_to is not None:
        from prokd.training import exports
        from prokd.training.run import StageRun

        with StageRun(result, config, runtime) as run:
            place = exports.export(run.folder, export_to, runtime, config=run.config)
        typer.echo(f"export: {place}")


app.command()(export)
app.command()(publish)
app.command()(evaluate)
app.command()(errors)
app.command()(estimate)
app.command()(features)
app.command()(predict)
app.command()(tag)
app.command()(serve)
app.command()(data)
app.command()(text)
app.command()(dictionary)
app.command()(translate)
app.command()(gc)


def run_commands() -> None:
    """Run the ``prokd`` command; `prokd.__main__` loads this file and answers Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for name in ("httpx2", "httpcore2", "datasets", "filelock", "fsspec", "urllib3", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells each glyph of a PDF
    run_app(app, interrupted=sentence_of(sys.argv[1:]))
