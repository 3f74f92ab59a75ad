"""The command of an ablation: ``python ablations/run.py --spec table4 --lang ar``.

It runs what is missing, on the engine and in the run folders of the search, and writes the table
again from all that is there.
"""

from __future__ import annotations

import os
import sys

if __package__ in (None, ""):  # run as a script: the checkout need not be installed
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
if __name__ == "__main__":
    from prokd.common.interruption import end_at_once_on_signals

    end_at_once_on_signals()  # before all that takes its time
    from prokd.common.import_path import libraries_first

    libraries_first("prokd", "search", "ablations")

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from ablations.execute import (
    check_results,
    precision_at_rest,
    show_plan,
    train,
    with_best_points,
)
from ablations.plan import AblationPlan
from ablations.spec import load_spec
from prokd.cli.options import (
    Cache,
    DataDirs,
    Dictionaries,
    Output,
    Reading,
    Separator,
    TagColumn,
    runtime_of,
)
from prokd.cli.running import run_app
from prokd.common.places import check_output
from prokd.config import parse_overrides
from prokd.methods import default_reading, idle_texts
from search.configs import base_configs
from search.experiments import DataDescriptions
from search.options import Languages, Settings, Text, parse_seconds, parse_seeds
from search.results import Row
from search.texts import RawTexts, with_texts

if TYPE_CHECKING:
    from prokd.config.settings import AutocastType

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def ablation(
    languages: Languages = ["ar"],  # noqa: B006
    spec_name: Annotated[
        str,
        typer.Option(
            "--spec",
            help="table4, components, methods, msd, unitrans, concner, advpicker, colada, or a "
            "YAML file of your own.",
        ),
    ] = "table4",
    preset: Annotated[Text, typer.Option(help="paper, fast or mini (embedded, offline).")] = None,
    reading: Reading = None,
    source: Annotated[Text, typer.Option(help="Source language; en by default.")] = None,
    dataset: Annotated[Text, typer.Option(help="wikiann, conll or phrasebook.")] = None,
    data_dirs: DataDirs = [],  # noqa: B006
    texts: RawTexts = [],  # noqa: B006
    dictionaries: Dictionaries = [],  # noqa: B006
    separator: Separator = None,
    tag_column: TagColumn = None,
    model: Annotated[Text, typer.Option(help="Encoder: hub name or folder.")] = None,
    time_budget: Annotated[Text, typer.Option(help="Start nothing after 30m, 2h, 90 ...")] = None,
    seeds: Annotated[
        Text, typer.Option(help="Number of seeds, or a list such as 0,1,2; else the spec's.")
    ] = None,
    settings: Settings = [],  # noqa: B006
    from_best: Annotated[
        bool, typer.Option("--from-best", help="Start from the best point that a search found.")
    ] = False,
    address: Annotated[
        Text, typer.Option(help="Of a Ray cluster; local = a Ray of its own.")
    ] = None,
    gpus_per_trial: Annotated[Optional[float], typer.Option(min=0)] = None,  # noqa: UP045
    cpus_per_trial: Annotated[Optional[float], typer.Option(min=0.1)] = None,  # noqa: UP045
    max_failures: Annotated[int, typer.Option(min=0, help="Restarts of a lost run.")] = 2,
    output: Output = Path(),
    cache_dir: Cache = None,
    report: Annotated[
        bool,
        typer.Option(
            "--report/--no-report",
            envvar="PROKD_REPORT",
            help="Write the tables as reports/STEM.html.",
        ),
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, start nothing.")] = False,
) -> None:
    """Compare variants of the method; running it again continues, then writes the table anew."""
    begun = time.time()
    budget = None if time_budget is None else parse_seconds(time_budget)
    spec = load_spec(spec_name)
    preset = preset or spec.preset or "paper"
    reading = (
        reading
        or spec.reading
        or default_reading(
            spec.method,
            preset,
            {*spec.base, *parse_overrides(settings), *(["encoder.name"] if model else [])},
        )
    )
    bases, fixed = base_configs(
        method=spec.method,
        preset=preset,
        reading=reading,
        languages=languages,
        source=source or str(spec.base.get("source", "en")),
        dataset=dataset,
        model=model,
        settings=settings,
        beneath=spec.base,
    )
    given = {"source": source, "data.dataset": dataset, "encoder.name": model}
    fixed += [path for path, value in given.items() if value is not None]
    check_output(output)
    read = cache_dir, data_dirs, dictionaries, separator, tag_column
    runtime = runtime_of(output / "runs", *read)
    descriptions = DataDescriptions(with_texts(runtime, texts, languages))
    if not dry_run:
        typer.echo("reading the data ...")
    for base in bases:  # a mistake in the data shows before anything is started
        descriptions.training(base)
    notes = [f"preset {preset}, reading {reading}, changed: {' '.join(settings) or 'nothing'}"]
    if from_best:
        bases, more = with_best_points(bases, [*fixed, *spec.base], descriptions, output)
        notes += more
        for line in more:
            typer.echo(line)
    plan = AblationPlan(spec, tuple(bases), parse_seeds(seeds) if seeds else tuple(spec.seeds))
    for base in bases:
        missing = descriptions.not_scored(base)
        notes += [f"{code} test is not scored: {why}" for code, why in missing.items()]
    notes = list(dict.fromkeys(notes))
    if (idle := idle_texts(plan.configs().values(), descriptions.runtime)) is not None:
        typer.echo(idle)
    if dry_run:
        from search.measured import few_steps
        from search.precision import expected_precision

        known = replace(plan, precision=expected_precision(gpus_per_trial))
        configs, runtime = known.configs().values(), descriptions.runtime
        timed = few_steps(configs, runtime, address, cpus_per_trial, gpus_per_trial)
        show_plan(known, descriptions, timed)
        return
    from search.launch import opened
    from search.rest import known_precision, without_ray_first
    from search.workers.cluster import Resources

    def run(at_rest: AutocastType | None) -> list[Row]:
        with opened(
            descriptions.runtime,
            output,
            address=address,
            resources=Resources(cpus_per_trial, gpus_per_trial),
            max_failures=max_failures,
            deadline=None if budget is None else begun + budget,
            descriptions=descriptions,
            at_rest=at_rest,
        ) as engine:
            known = replace(plan, precision=engine.cluster.precision)
            lines = [*notes, f"settings: {known.signature}"]
            rows = train(engine, known, lambda rows: _write(known, rows, output, lines, report))
            for line in engine.closing_lines():
                typer.echo(line)
        return rows

    precision = known_precision(plan.configs().values(), address, gpus_per_trial)
    rows = without_ray_first(run, precision_at_rest(plan, descriptions, precision))
    check_results(rows)


def _write(
    plan: AblationPlan, rows: list[Row], output: Path, notes: Sequence[str], page: bool
) -> dict[str, Path]:
    """Write the reports and print the table; return what MLflow gets, by the artifacts' names."""
    from ablations.comparison import Scores
    from ablations.report import printed, report_stem, write_reports
    from search.report.origin import note_origin
    from search.report.page import artifacts
    from search.report.write import ABLATION, report_at_end

    scores = Scores(plan.spec, rows)
    folder = output / "reports"
    stem = report_stem(folder, plan.stem, plan.signature)
    files = write_reports(folder, stem, scores, plan.bases[0], notes)
    typer.echo("")
    typer.echo(printed(scores, plan.bases[0]))
    for note in notes:
        if " is not scored: " in note:
            typer.echo(note)
    for path in files:
        typer.echo(f"report: {path}")
    try:
        note_origin(files[0].with_suffix(".json"))
    except OSError as error:  # a full disk, say: the tables are there
        typer.echo(f"warning: the command and the versions are not noted: {error}")
    html = None
    if page and any(row.objective is not None for row in rows):
        html = report_at_end(ABLATION, stem, output, typer.echo)
    unfinished = [row for row in scores.unfinished() if row.outcome.state != "collapsed"]
    if unfinished:
        typer.echo(
            f"{len(unfinished)} of {len(rows)} runs are not finished: "
            "run the same command again and it goes on."
        )
    tables = {f"tables{path.name.removeprefix(stem)}": path for path in files}
    return tables | ({} if html is None else artifacts(html))


def main() -> None:
    """Run the command; a user's mistake is one sentence on standard error and status 2."""
    run_app(app)


if __name__ == "__main__":
    main()
