"""The tables of a study's report."""

from __future__ import annotations

import csv

from optuna.trial import TrialState

from prokd.runs.folder import SOURCE_DEV
from search.choice import METHOD, method_in, point_of
from search.leaderboard import columns
from search.report.blocks import REPORT_ONLY, Table, number
from search.report.runs import mean_of, with_deviation
from search.report.study_data import StudyData
from search.results import heading
from search.spaces import in_symbols, label, short
from search.study import PRUNED_AFTER, REASON


def leaderboard_table(data: StudyData) -> Table:
    """Return all ranks."""
    paths = columns([point_of(place.trial.params) for place in data.places])
    criteria = [name for name in data.criteria() if name != data.select]
    is_measured = any(place.energy is not None for place in data.places)
    header = (
        "rank",
        data.objective,
        *(heading(n) + (" [0–1]" if n == SOURCE_DEV else "") for n in criteria),
        f"{data.target}-test F1 [0–1], {REPORT_ONLY}",
        "seconds of training (s)",
        *(["energy of the devices (kJ)"] if is_measured else []),
        "trial",
        *map(label, paths),
    )
    rows = []
    for place in data.places:
        point = point_of(place.trial.params)
        rows.append(
            (
                str(place.rank),
                number(place.trial.value),
                *(number(place.criterion(name)) for name in criteria),
                with_deviation([result.target_f1(data.target) for result in place.results]),
                number(place.seconds, 0),
                *([number(place.energy, 2)] if is_measured else []),
                str(place.trial.number),
                *(short(point[path]) if path in point else "" for path in paths),
            )
        )
    return Table(header, tuple(rows), "Means over seeds; ± is their standard deviation.")


def methods_table(data: StudyData) -> Table:
    """Return the first place of each method."""
    ended = [t for t in data.trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    rows = []
    for method in dict.fromkeys(method_in(trial.params) for trial in ended):
        own = [p for p in data.places if method_in(p.trial.params) == method]
        trials = str(sum(method_in(trial.params) == method for trial in ended))
        if not own:
            rows.append((method, trials, "–", "–", "–", "–", "–"))
            continue
        best = own[0]
        point = {k: v for k, v in point_of(best.trial.params).items() if k != METHOD}
        scores = with_deviation([result.target_f1(data.target) for result in best.results])
        seconds = number(mean_of([place.seconds for place in own]), 0)
        rank, value = str(best.rank), number(best.trial.value)
        rows.append((method, trials, value, scores, seconds, rank, in_symbols(point)))
    f1 = f"its {data.target}-test F1 [0–1], {REPORT_ONLY}"
    header = ("method", "trials", f"best {data.objective}", f1)
    return Table((*header, "seconds a trial (s)", "rank", "settings"), tuple(rows))


def choices_table(data: StudyData) -> Table:
    """Return which trial each criterion would choose."""
    rows = []
    for name in data.criteria():
        best = max(data.places, key=lambda p: (p.criterion(name) or 0.0, -p.trial.number))
        own = heading(name) + (" (this search)" if name == data.select else "")
        scores = with_deviation([result.target_f1(data.target) for result in best.results])
        value = number(best.criterion(name))
        dev = number(best.criterion(SOURCE_DEV))
        rows.append((own, value, str(best.trial.number), str(best.rank), dev, scores))
    header = ("criterion", "its highest value", "trial", "rank", "source-dev F1 [0–1]")
    f1 = f"{data.target}-test F1 [0–1], {REPORT_ONLY}"
    return Table((*header, f1), tuple(rows))


def oracle_table(data: StudyData) -> Table | None:
    """Return the comparison of criteria that an oracle has made, if there is one."""
    path = data.output / "exports" / data.name / "criteria.csv"
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    rows = [[_rounded(cell) for cell in line] for line in lines]
    return Table(tuple(name.replace("_", " ") for name in header), tuple(map(tuple, rows)))


def without_value_table(data: StudyData) -> Table:
    """Return the trials that failed, collapsed, were pruned or have not ended."""
    rows = []
    for trial in data.trials:
        if trial.state in (TrialState.COMPLETE, TrialState.WAITING):
            continue
        stopped = trial.user_attrs.get(PRUNED_AFTER)
        how = {TrialState.FAIL: "failed", TrialState.RUNNING: "not finished"}.get(
            trial.state, "collapsed" if stopped is None else f"pruned after epoch {stopped}"
        )
        reason = str(trial.user_attrs.get(REASON, "–"))
        rows.append((str(trial.number), how, reason, in_symbols(point_of(trial.params))))
    return Table(("trial", "how it ended", "reason", "settings"), tuple(rows))


def _rounded(cell: str) -> str:
    try:
        return cell if cell.isdigit() else f"{float(cell):.4f}"
    except ValueError:
        return cell or "–"
