"""The command of a search: ``python search/run.py --lang ar`` or ``python -m search.run``."""

from __future__ import annotations

import os
import sys

if __package__ in (None, ""):  # run as a script: the checkout need not be installed
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
if __name__ == "__main__":
    from prokd.common.interruption import end_at_once_on_signals

    end_at_once_on_signals()  # before all that takes its time
    from prokd.common.import_path import libraries_first

    libraries_first("prokd", "search")

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

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
from prokd.config import RuntimeConfig
from prokd.methods import DEFAULT, idle_dictionaries, idle_texts, refused_methods
from prokd.runs.folder import ORACLE, SOURCE_DEV
from search import space_files
from search.configs import check_criterion, how_many, searched
from search.fairness import favoured, inequalities
from search.methods import able, bases_of, chosen
from search.options import Languages, Methods, Settings, Text, parse_seconds, parse_seeds
from search.texts import RawTexts, with_texts

if TYPE_CHECKING:
    from prokd.config.settings import AutocastType
    from search.driver import SearchSummary
    from search.spec import SearchSpec

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def search(
    languages: Languages = ["ar"],  # noqa: B006
    methods: Methods = [DEFAULT],  # noqa: B006
    preset: Annotated[
        str, typer.Option(help="paper, fast or mini (embedded, offline).")
    ] = "paper",
    reading: Reading = None,
    source: Annotated[
        str, typer.Option(help="Source language; some methods take several.")
    ] = "en",
    dataset: Annotated[Text, typer.Option(help="wikiann, conll or phrasebook.")] = None,
    data_dirs: DataDirs = [],  # noqa: B006
    texts: RawTexts = [],  # noqa: B006
    dictionaries: Dictionaries = [],  # noqa: B006
    separator: Separator = None,
    tag_column: TagColumn = None,
    model: Annotated[Text, typer.Option(help="Encoder: hub name or folder.")] = None,
    trials: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Points in all, chosen by TPE; earlier starts count."),
    ] = None,
    space_name: Annotated[
        str,
        typer.Option(
            "--space", metavar="NAME|FILE", help="default, paper (its grid) or a YAML file."
        ),
    ] = space_files.DEFAULT,
    grid: Annotated[
        bool, typer.Option("--grid", help="Visit every point of a space of lists.")
    ] = False,
    time_budget: Annotated[Text, typer.Option(help="Start nothing after 30m, 2h, 90 ...")] = None,
    seeds: Annotated[str, typer.Option(help="Number of seeds, or a list such as 0,1,2.")] = "1",
    settings: Settings = [],  # noqa: B006
    select: Annotated[
        str,
        typer.Option(
            metavar="CRITERION",
            help=f"{SOURCE_DEV}, what the method has without labels, or {ORACLE} (sees labels).",
        ),
    ] = SOURCE_DEV,
    prune: Annotated[
        bool, typer.Option("--prune", help="Stop what falls behind on source dev.")
    ] = False,
    compare_criteria: Annotated[
        bool,
        typer.Option("--compare-criteria", help="Score all by the oracle when all is chosen."),
    ] = False,
    address: Annotated[
        Text, typer.Option(help="Of a Ray cluster; local = a Ray of its own.")
    ] = None,
    gpus_per_trial: Annotated[Optional[float], typer.Option(min=0)] = None,  # noqa: UP045
    cpus_per_trial: Annotated[Optional[float], typer.Option(min=0.1)] = None,  # noqa: UP045
    max_failures: Annotated[int, typer.Option(min=0, help="Restarts of a lost run.")] = 2,
    export_best: Annotated[int, typer.Option(min=0, help="Results to export.")] = 1,
    output: Output = Path(),
    cache_dir: Cache = None,
    cluster: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            resolve_path=True,
            help="Cluster file that `ray up` took: run on its head, watch from here.",
        ),
    ] = None,
    report: Annotated[
        bool,
        typer.Option(
            "--report/--no-report",
            envvar="PROKD_REPORT",
            help="Write reports/STUDY.html (from 2 trials on).",
        ),
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, start nothing.")] = False,
) -> None:
    """Search the settings of a method, or of several and which one; run again, it continues."""
    from search.experiments import DataDescriptions
    from search.spec import SearchSpec, plan_lines

    if cluster is not None:
        from prokd.common.interruption import raise_on_signals
        from search.remote.submission import submit, without_option

        raise_on_signals()  # the search is at the head: Ctrl-C is told to it
        raise typer.Exit(submit(cluster, without_option(sys.argv[1:]), say=typer.echo))
    begun = time.time()
    budget = None if time_budget is None else parse_seconds(time_budget)
    seed_list = parse_seeds(seeds)
    wanted = chosen(methods)
    _tell_refused(wanted.is_all)
    rows, fixed = bases_of(
        wanted.names,
        preset=preset,
        reading=reading,
        languages=languages,
        source=source,
        dataset=dataset,
        model=model,
        settings=settings,
    )
    read = cache_dir, data_dirs, dictionaries, separator, tag_column
    runtime = runtime_of(output / "runs", *read)
    specs, say = [], cache(typer.echo)  # one sentence for all targets
    for row in rows:
        kind = {"is_all": wanted.is_all, "by_source": select == SOURCE_DEV}
        bases = able(row, runtime, space_name, fixed, say=say, **kind)
        check_criterion(select, *bases, prune=prune)
        space = searched(space_name, bases, fixed)
        is_grid, number = how_many(space, name=space_name, preset=preset, trials=trials, grid=grid)
        specs.append(SearchSpec.of(bases, space, seed_list, is_grid, number, select, prune))
    check_output(output)
    runtime = with_texts(runtime, texts, languages)
    _tell_differences(specs, runtime)
    descriptions = DataDescriptions(runtime)
    if not dry_run:
        typer.echo("reading the data ...")
    # A mistake in the data shows before anything is started.
    for config in (config for spec in specs for config in spec.readers):
        descriptions.read(config, oracle=compare_criteria or select == ORACLE)
    if select == ORACLE:
        typer.echo("ORACLE: results are chosen by labels of target dev; this is not zero-resource")
    if dry_run:
        from search.measured import few_steps
        from search.precision import dry_run_line, expected_precision

        specs = [spec.settled(expected_precision(gpus_per_trial)) for spec in specs]
        typer.echo(dry_run_line([spec.base for spec in specs]))
        for spec in specs:
            timed = few_steps(spec.readers, runtime, address, cpus_per_trial, gpus_per_trial)
            for line in plan_lines(spec, descriptions, output.resolve(), export_best, timed):
                typer.echo(line)
        return
    from search.launch import check_ended, check_results, opened, run_searches
    from search.rest import search_at_rest, without_ray_first
    from search.workers.cluster import Resources

    def run(at_rest: AutocastType | None) -> list[SearchSummary]:
        with opened(
            runtime,
            output,
            address=address,
            resources=Resources(cpus_per_trial, gpus_per_trial),
            max_failures=max_failures,
            deadline=None if budget is None else begun + budget,
            descriptions=descriptions,
            at_rest=at_rest,
        ) as engine:
            summaries = run_searches(
                engine,
                specs,
                output,
                export_best=export_best,
                compare_criteria=compare_criteria,
                report=report,
            )
        check_ended(engine, summaries, specs)
        return summaries

    at_rest = search_at_rest(
        specs,
        descriptions,
        output,
        address=address,
        gpus_per_trial=gpus_per_trial,
        compare=compare_criteria,
    )
    check_results(without_ray_first(run, at_rest))


def _tell_refused(is_all: bool) -> None:
    """Say of all methods which of other packages are not among them, and why."""
    for sentence in refused_methods() if is_all else ():
        typer.echo(f"left out: {sentence}")


def _tell_differences(specs: Sequence[SearchSpec], runtime: RuntimeConfig) -> None:
    """Say what makes results of several methods unequal, and what is not used."""
    readers = [config for spec in specs for config in spec.readers]
    idle = idle_dictionaries(readers, runtime), idle_texts(readers, runtime)
    lines = [line for line in idle if line]
    for spec in specs:
        bases = list(spec.bases.values())
        lines += inequalities(spec.bases) + (favoured(bases) if spec.select == SOURCE_DEV else [])
    for line in dict.fromkeys(lines):
        typer.echo(line)


def main() -> None:
    """Run the command; a user's mistake is one sentence on standard error and status 2."""
    run_app(app)


if __name__ == "__main__":
    main()
