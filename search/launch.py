"""Opening the engine on a cluster, and running searches on it with their closing words."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prokd.common.interruption import STATUS, ending_at_once
from prokd.config import RuntimeConfig
from prokd.config.settings import AutocastType
from prokd.data.labels import AGGREGATION
from prokd.errors import CollapsedRun
from search.criteria import comparison_table
from search.driver import Search, SearchSummary
from search.engine import Engine
from search.experiments import DataDescriptions
from search.exports import finds_nothing
from search.interruption import stopping_cleanly
from search.leaderboard import estimate_line, print_table, table
from search.method_shares import shares_table
from search.progress import Progress
from search.records.addresses import address_of, named_store
from search.records.tracking import Tracker
from search.report.at_end import search_ended
from search.rest import cluster_at_rest
from search.spec import SearchSpec
from search.study import dashboard_command
from search.workers.cluster import Cluster, Resources, connected
from search.workers.connection import LOCAL, disconnect

SHOWN = 15
"""Places of the leaderboard that are printed; the CSV file has all."""


@contextmanager
def opened(
    runtime: RuntimeConfig,
    output: Path,
    *,
    address: str | None = None,
    resources: Resources | None = None,
    max_failures: int = 2,
    deadline: float | None = None,
    progress: Progress | None = None,
    descriptions: DataDescriptions | None = None,
    at_rest: AutocastType | None = None,
) -> Iterator[Engine]:
    """Open an engine: connect to a Ray, say where, open the MLflow store.

    At the end the store is told what it missed while it was away, and a person where its runs are
    to be seen. Ctrl-C ends the block cleanly.

    Args:
        runtime: Where data and runs lie.
        output: Folder of the MLflow store.
        address: See `search.workers.cluster.connected`.
        resources: What one trial takes.
        max_failures: How often a run is started again after a lost worker.
        deadline: Seconds since 1970 after which no epoch is started.
        progress: Shows what happens; None = on standard output.
        descriptions: Fingerprints that were read already.
        at_rest: Precision of trials that are all there: no Ray is connected to.

    Raises:
        NeedsRay: Something has to be trained, in the block of an engine at rest.
    """
    shown = progress or Progress()
    if not named_store():
        address_of(output.resolve() / "mlflow.db")  # a mistake shows before Ray starts
    with _cluster(address, resources or Resources(), output, at_rest, shown) as cluster:
        descriptions = descriptions or DataDescriptions(runtime)
        tracker = Tracker(output, cluster.device, shown.say, descriptions.datasets)
        engine = Engine(
            runtime,
            cluster,
            output.resolve(),
            tracker=tracker,
            progress=shown,
            descriptions=descriptions,
            max_failures=max_failures,
            deadline=deadline,
        )
        with _ending_cleanly(engine):
            yield engine


@contextmanager
def _ending_cleanly(engine: Engine) -> Iterator[None]:
    """Make an engine ready; see to its end, however the block ends."""
    tracker, shown = engine.tracker, engine.progress

    def stop() -> None:
        engine.stop()
        shown.say("stopping when the epochs at hand are done (again: at once)")

    with ending_at_once(engine.leave, disconnect):  # Ray has taken SIGTERM for itself
        try:
            has_runs = any(engine.runtime.runs_dir.glob("*/DONE"))
            if not engine.cluster.is_at_rest and not has_runs:
                engine.pool.warm_up()  # else there may be nothing to train
            tracker.check()
            at_last = (tracker.abandon, engine.leave, disconnect)
            with stopping_cleanly(stop, *at_last, before=shown.end):
                yield
                tracker.send_rest()
                for line in tracker.how_to_open():
                    shown.say(line)
        finally:
            tracker.abandon()
            engine.close()
            shown.end()


@contextmanager
def _cluster(
    address: str | None,
    resources: Resources,
    output: Path,
    at_rest: AutocastType | None,
    shown: Progress,
) -> Iterator[Cluster]:
    """Connect to a Ray, unless nothing is left to train; say so before, and where it is."""
    if at_rest is not None:
        shown.say("all is trained: no Ray is started")
        yield cluster_at_rest(at_rest)
        return
    given = address or os.environ.get("RAY_ADDRESS")
    shown.say("starting Ray ..." if given in (None, LOCAL) else f"connecting to Ray ({given}) ...")
    with connected(address, resources, output) as cluster:
        width = f"{cluster.width} at a time"
        each = f"{cluster.cpus:g} CPU" + (f", {cluster.gpus:g} GPU" if cluster.gpus else "")
        shown.say(f"running {cluster.place} ({width}, {each} each)")
        yield cluster


def run_searches(
    engine: Engine,
    specs: Sequence[SearchSpec],
    output: Path,
    *,
    export_best: int = 1,
    compare_criteria: bool = False,
    report: bool = False,
) -> list[SearchSummary]:
    """Run searches one after the other and print what came out of each, with a report if asked."""
    summaries = []
    for spec in specs:
        if engine.stopping:
            break
        search = Search(
            spec, engine, output, export_best=export_best, compare_criteria=compare_criteria
        )
        summary = search.run()
        _show(engine.progress, spec, summary)
        for code, reason in engine.descriptions.not_scored(spec.base).items():
            engine.progress.say(f"{code} test is not scored: {reason}")
        if (line := estimate_line(summary.standings)) is not None:
            engine.progress.say(line)
        search_ended(search, summary, engine.progress.say, report=report)
        if (command := dashboard_command(search.journal)) is not None:
            engine.progress.say(f"Optuna: {command}")
        summaries.append(summary)
    for line in engine.closing_lines():
        engine.progress.say(line)
    return summaries


def check_ended(
    engine: Engine, summaries: Sequence[SearchSummary], specs: Sequence[SearchSpec]
) -> None:
    """Leave with status 130 if a stop was asked for before all was done."""
    if engine.stopping and (len(summaries) < len(specs) or any(s.left for s in summaries)):
        raise SystemExit(STATUS)


def check_results(summaries: Sequence[SearchSummary]) -> None:
    """Make sure that each search has a trial with a value.

    Raises:
        CollapsedRun: All trials of one have failed.
    """
    for summary in summaries:
        if summary.failed and not summary.standings and not summary.pruned:
            raise nothing_finished("trials", list(summary.failed.values()), summary.study)


def nothing_finished(what: str, reasons: Sequence[str], study: str = "") -> CollapsedRun:
    """Return the error that ends a command of which all has failed, with the commonest reason.

    >>> nothing_finished("trials", ["lost", "NaN", "NaN"])
    CollapsedRun('none of 3 trials has a result, the commonest reason (2 of 3): NaN')
    """
    ((reason, times),) = Counter(reasons).most_common(1)
    total = len(reasons)
    of = f" of the study {study}" if study else ""
    if total == 1:
        return CollapsedRun(f"the only one of the {what}{of} has no result: {reason}")
    return CollapsedRun(
        f"none of {total} {what}{of} has a result, "
        f"the commonest reason ({times} of {total}): {reason}"
    )


def how_to_load(folder: Path) -> str:
    """Return the call that tags whole words with an export, in a plain transformers."""
    given = f'"token-classification", {str(folder)!r}, aggregation_strategy="{AGGREGATION}"'
    return f"transformers.pipeline({given})"


def _show(progress: Progress, spec: SearchSpec, summary: SearchSummary) -> None:
    say = progress.say
    say("")
    say(f"{spec.title}: study {summary.study}")
    target, select = spec.base.target, spec.select
    if summary.standings:
        shown = table(summary.standings[:SHOWN], target, select, summary.pruned[:SHOWN])
        print_table(progress.console, shown)
        if len(summary.shares) > 1:
            say("")
            print_table(progress.console, shares_table(summary.shares, target, select))
        say(f"leaderboard: {summary.csv}")
    for number, reason in summary.failed.items():
        say(f"trial {number} failed: {reason}")
    if summary.standings and finds_nothing(summary.standings[0]):
        say(
            "nothing is exported or registered for the first place: that model finds no entity "
            "of source dev (F1 0); train longer, on more sentences, or with a higher learning rate"
        )
    for folder in summary.exports:
        say(f"exported: {folder}")
    if summary.exports:
        say(f"load it: {how_to_load(summary.exports[0])}")
    if summary.choices:
        print_table(progress.console, comparison_table(summary.choices, target, select))
        say(f"criteria: {summary.csv.with_name('criteria.csv')}")
    elif summary.choices is not None:
        say("the criteria are not compared: the oracle has scored no trial yet")
    if summary.left:
        say(
            f"{summary.left} of {spec.trials} trials are left: "
            f"run the same command again and it goes on."
        )
