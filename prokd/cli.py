"""``prokd data | train-teacher | train-student | evaluate | predict``: one run, no search."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from prokd.config import (
    ExperimentConfig,
    RuntimeConfig,
    build_config,
    parse_override,
    with_overrides,
)
from prokd.effect import check_effect
from prokd.errors import CollapsedRun, UserError
from prokd.gc_command import gc

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Zero-resource cross-lingual NER with prototypical knowledge distillation.",
)

Preset = Annotated[str, typer.Option(help="paper, fast or mini (embedded, needs no network).")]
Reading = Annotated[str, typer.Option(help="stable (what works) or literal (as printed).")]
Language = Annotated[str, typer.Option("--lang", help="Target language.")]
Source = Annotated[str, typer.Option(help="Source language.")]
Dataset = Annotated[Optional[str], typer.Option(help="wikiann, conll or phrasebook.")]  # noqa: UP045
DataDirs = Annotated[
    list[Path], typer.Option("--data-dir", help="Folder DIR/<lang>/{train,dev,test}; repeatable.")
]
Model = Annotated[Optional[str], typer.Option(help="Encoder: hub name or folder.")]  # noqa: UP045
Settings = Annotated[list[str], typer.Option("--set", help="path=value; repeatable.")]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]
Runs = Annotated[Path, typer.Option("--runs-dir", help="Folder of all runs.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Place = Optional[Path]  # noqa: UP045


def experiment(
    *,
    preset: str,
    reading: str,
    language: str,
    source: str,
    dataset: str | None,
    model: str | None,
    seed: int,
    settings: list[str],
) -> ExperimentConfig:
    """Build the configuration that command-line options describe."""
    overrides: dict[str, Any] = {"target": language, "source": source, "seed": seed}
    if dataset is not None:
        overrides["data.dataset"] = dataset
    if model is not None:
        overrides["encoder.name"] = model
    overrides |= dict(parse_override(text) for text in settings)
    config = build_config(preset, reading, overrides)
    check_effect(config, [parse_override(text)[0] for text in settings])
    return config


def _train(kind: str, config: ExperimentConfig, runtime: RuntimeConfig) -> None:
    from prokd.training import StageRun, data_fingerprints

    fingerprints = data_fingerprints(config, runtime)
    with StageRun(kind, config, runtime, fingerprints=fingerprints) as run:  # type: ignore[arg-type]
        if run.done:
            typer.echo(f"{run.folder.path} is finished already; nothing is trained again.")
        result = run.run()
        scores, not_scored = run.report(), run.corpora.not_scored()
    name = f"dev/{config.source}/entity_f1"
    typer.echo(f"{name:32s} {result['objective']:.4f}   (what selects)")
    for name in _main_scores(scores):
        typer.echo(f"{name:32s} {scores[name]:.4f}   (report)")
    for code, reason in not_scored.items():
        typer.echo(f"{f'test/{code}':32s} not scored: {reason}")
    typer.echo(f"{kind}: {run.folder.path}")


def _main_scores(scores: dict[str, float]) -> list[str]:
    kept = ("entity_f1", "entity_f1_viterbi", "entity_f1_strict", "token_f1")
    return [name for name in scores if name.rsplit("/", 1)[-1] in kept]


@app.command("train-teacher")
def train_teacher(
    preset: Preset = "paper",
    reading: Reading = "stable",
    language: Language = "ar",
    source: Source = "en",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    model: Model = None,
    seed: Seed = 0,
    settings: Settings = [],  # noqa: B006
    runs_dir: Runs = Path("runs"),
    device: Device = "auto",
) -> None:
    """Train a teacher on the source, aligned with unlabelled target text (Eq. 1, 3-7)."""
    config = experiment(
        preset=preset,
        reading=reading,
        language=language,
        source=source,
        dataset=dataset,
        model=model,
        seed=seed,
        settings=settings,
    )
    runtime = RuntimeConfig(runs_dir=runs_dir, data_dirs=tuple(data_dirs), device=device)
    _train("teacher", config, runtime)


@app.command("train-student")
def train_student(
    preset: Preset = "paper",
    reading: Reading = "stable",
    language: Language = "ar",
    source: Source = "en",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    model: Model = None,
    seed: Seed = 0,
    settings: Settings = [],  # noqa: B006
    runs_dir: Runs = Path("runs"),
    device: Device = "auto",
    export: Annotated[Place, typer.Option(help="Also write a Hugging Face folder.")] = None,
) -> None:
    """Train a student on unlabelled target text (Eq. 2, 4, 5, 8-13); its teacher first."""
    config = experiment(
        preset=preset,
        reading=reading,
        language=language,
        source=source,
        dataset=dataset,
        model=model,
        seed=seed,
        settings=settings,
    )
    runtime = RuntimeConfig(runs_dir=runs_dir, data_dirs=tuple(data_dirs), device=device)
    if export is not None:
        from prokd.export_folder import check_destination

        check_destination(export)  # not after all the training
    _train("teacher", config, runtime)
    _train("student", config, runtime)
    if export is not None:
        from prokd import training

        with training.StageRun("student", config, runtime) as run:
            typer.echo(f"export: {training.export(run.folder, export, runtime)}")


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="A finished run.")],
    language: Annotated[str, typer.Option("--lang", help="Language to score on.")],
    split: Annotated[str, typer.Option(help="dev or test.")] = "test",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    device: Device = "auto",
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score a finished run on any labelled split: entity level, strict, by type, token level."""
    from prokd import artifact
    from prokd.corpora import Corpora
    from prokd.runs import read_json

    artifact.describe(folder)
    config = ExperimentConfig.model_validate(read_json(folder / "config.json"))
    overrides: dict[str, Any] = {"target": language}
    if dataset is not None:
        overrides["data.dataset"] = dataset
    config = with_overrides(config, overrides)
    runtime = RuntimeConfig(data_dirs=tuple(data_dirs), device=device)
    model = artifact.load(folder, config.encoder, runtime)
    scores = Corpora(config, runtime).scores(model, language, split)
    if json_output:
        typer.echo(json.dumps(scores, indent=2))
        return
    typer.echo("\n".join(f"{name:40s} {value:.4f}" for name, value in scores.items()))


@app.command()
def predict(
    folder: Annotated[Path, typer.Argument(help="A finished run or an export.")],
    text: Annotated[Optional[str], typer.Option(help="Raw text to tag.")] = None,  # noqa: UP045
    file: Annotated[Place, typer.Option(help="A sentence per line; - = standard input.")] = None,
    split: Annotated[bool, typer.Option(help="Split words at punctuation.")] = True,
    output: Annotated[str, typer.Option("--format", help="conll or json.")] = "conll",
    valid: Annotated[
        bool,
        typer.Option(
            "--valid/--independent",
            help="The likeliest valid IOB2 tags of a sentence, or each word's likeliest tag.",
        ),
    ] = True,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Tag raw text or a file of sentences and print CoNLL columns or JSON lines."""
    if output not in ("conll", "json"):
        raise UserError(f"the format must be conll or json, but got {output!r}.")
    if (text is None) == (file is None):
        raise UserError("exactly one of --text and --file must be given.")
    lines = [text] if text is not None else _read_lines(file)
    from prokd.tagging import Tagger, as_conll, entities, split_words

    words = [split_words(line) if split else line.split() for line in lines if line.strip()]
    tagged = Tagger(folder, RuntimeConfig(device=device), model).tag(words, valid=valid)
    if output == "conll":
        typer.echo(as_conll(tagged), nl=False)
        return
    for item in tagged:
        row = {
            "words": item.words,
            "tags": item.tags,
            "scores": [round(score, 4) for score in item.scores],
            "entities": entities(item),
        }
        typer.echo(json.dumps(row, ensure_ascii=False))


def _read_lines(file: Path | None) -> list[str]:
    assert file is not None, "the caller has checked it"
    try:
        if str(file) == "-":
            return sys.stdin.read().split("\n")
        return file.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file} must be UTF-8, but byte {error.start} is not.") from None


@app.command()
def data(
    languages: Annotated[list[str], typer.Option("--lang", help="Language; repeatable.")],
    preset: Preset = "paper",
    dataset: Dataset = None,
    data_dirs: DataDirs = [],  # noqa: B006
    model: Model = None,
    settings: Settings = [],  # noqa: B006
    splits: Annotated[str, typer.Option(help="Comma-separated splits.")] = "train,dev,test",
) -> None:
    """Count sentences, entities and words cut; compare with the paper's Table 1."""
    config = experiment(
        preset=preset,
        reading="stable",
        language=languages[0],
        source="en",
        dataset=dataset,
        model=model,
        seed=0,
        settings=settings,
    )
    from prokd.data import data_report, format_report
    from prokd.encoder_files import load_tokenizer

    tokenizer = load_tokenizer(config.encoder.name) if model or preset == "mini" else None
    codes = [code for part in languages for code in part.split(",")]
    rows = data_report(
        config.data.dataset,
        codes,
        splits=splits.split(","),
        data_dirs=data_dirs,
        tokenizer=tokenizer,
        max_length=config.data.max_length,
    )
    typer.echo(format_report(rows))


app.command()(gc)


def run_app(command: Callable[[], Any]) -> None:
    """Run a command line; a user's mistake is one sentence on standard error and status 2."""
    try:
        command()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except CollapsedRun as error:
        typer.echo(f"failed: {error}", err=True)
        sys.exit(3)
    except KeyboardInterrupt:
        typer.echo("interrupted; running the same command again goes on from here.", err=True)
        sys.exit(130)


def main() -> None:
    """Entry point of the ``prokd`` command."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("httpx", "httpcore", "datasets", "filelock", "fsspec", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    run_app(app)


if __name__ == "__main__":
    main()
