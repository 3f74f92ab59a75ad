"""A study's data as the sections of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from prokd.runs.folder import ORACLE
from search.choice import METHOD
from search.report.blocks import REPORT_ONLY, Block, Code, Drawing, Section, Table, Text
from search.report.effects import Group, heat_map
from search.report.origin import versions_table
from search.report.runs import Curve
from search.report.study_data import StudyData
from search.report.study_tables import (
    choices_table,
    leaderboard_table,
    methods_table,
    oracle_table,
    without_value_table,
)

TOGETHER = 3
"""Settings in one figure of slices."""
ORACLE_SHOUT = "ORACLE: labels of target dev were looked at; this is not zero-resource."


def study_sections(data: StudyData) -> list[Section]:
    """Return all that is shown of a study; nothing is drawn yet."""
    sections = [
        Section("Summary", _summary(data)),
        Section("Leaderboard", [leaderboard_table(data)] if data.places else []),
    ]
    if data.has_methods:
        sections.append(Section("Best of each method", [methods_table(data)]))
    sections += [
        Section("Optimisation history", _history(data)),
        Section("Importance of each setting", _by_group(data, _importances)),
        Section("Effect of each setting", _by_group(data, _slices)),
        Section("Parallel coordinates", _by_group(data, _parallel)),
        Section("Pairs of settings", _by_group(data, _pairs)),
        Section("Training curves", training_blocks(data.curves(), "the best trials")),
        Section("Cost against F1", _costs(data)),
        Section("Which criterion chooses what", _choices(data)),
        Section("Failed and pruned trials", _non_empty(without_value_table(data))),
        Section("What was searched", _space(data)),
        Section("Settings that were fixed", _non_empty(_pairs_table(data.fixed(), "setting"))),
        Section("Data", _non_empty(_pairs_table(data.fingerprints(), "what", "fingerprint"))),
        Section("Versions", [versions_table(data.origin)]),
        Section("Repeat it", repeat_blocks(data.origin.get("command"))),
    ]
    return sections


def _summary(data: StudyData) -> list[Block]:
    counts = {
        "complete": TrialState.COMPLETE,
        "pruned or collapsed": TrialState.PRUNED,
        "failed": TrialState.FAIL,
        "not finished": TrialState.RUNNING,
    }
    parts = [
        f"{sum(t.state == state for t in data.trials)} {name}" for name, state in counts.items()
    ]
    wanted = f" of {data.origin['trials']} wanted" if "trials" in data.origin else ""
    best = data.places[0] if data.places else None
    lines: list[Block] = []
    if data.select == ORACLE:
        lines.append(Text(ORACLE_SHOUT, is_loud=True))
    lines.append(Text(f"{len(data.trials)} trials{wanted}: {', '.join(parts)}."))
    if best is not None:
        value = float(best.trial.value or 0.0)
        lines.append(Text(f"Best {data.objective}: {value:.4f} (trial {best.trial.number})."))
    lines.append(
        Text(
            f"F1 is entity-level, in [0, 1]. Numbers marked “{REPORT_ONLY}” come from labels of "
            f"the target's test split ({data.target}); nothing was trained, pruned or chosen by "
            "them."
        )
    )
    return lines


def _history(data: StudyData) -> list[Block]:
    from search.report import figures

    if not data.places:
        return []
    known: list[FrozenTrial] = sorted((p.trial for p in data.places), key=lambda t: t.number)
    caption = f"{data.objective} of each complete trial, and the best one so far."
    return [Drawing("history", caption, partial(figures.history, known, data.objective))]


def _by_group(data: StudyData, make: Callable[[Group, str], list[Block]]) -> list[Block]:
    return [block for group in data.groups for block in make(group, data.objective)]


def _named(group: Group, name: str) -> str:
    return f"{name}-{group.method}" if group.method else name


def _of(group: Group) -> str:
    return f"{group.method}: " if group.method else ""


def _importances(group: Group, objective: str) -> list[Block]:
    from search.report import figures

    if group.why_not:
        return [Text(f"{_of(group)}{group.why_not}.")]
    caption = f"{_of(group)}fANOVA over {len(group.trials)} complete trials."
    return [Drawing(_named(group, "importance"), caption, partial(figures.importances, group))]


def _slices(group: Group, objective: str) -> list[Block]:
    from search.report import figures

    if not group.settings:
        return [Text(f"{_of(group)}no setting varies (complete trials: {len(group.trials)}).")]
    blocks: list[Block] = []
    for start in range(0, len(group.settings), TOGETHER):
        own = group.settings[start : start + TOGETHER]
        caption = f"{_of(group)}{objective} over {', '.join(own)}; the colour is the trial."
        name = f"{_named(group, 'slice')}-{start // TOGETHER + 1}"
        blocks.append(Drawing(name, caption, partial(figures.slices, group, own, objective)))
    return blocks


def _parallel(group: Group, objective: str) -> list[Block]:
    from search.report import figures

    if len(group.trials) < 2 or not group.settings:
        return []
    caption = f"{_of(group)}each line is a trial; the first axis is {objective}."
    draw = partial(figures.parallel, group, objective)
    return [Drawing(_named(group, "parallel"), caption, draw)]


def _pairs(group: Group, objective: str) -> list[Block]:
    from search.report import figures

    if len(group.trials) < 3:
        return []
    blocks: list[Block] = []
    for place, pair in enumerate(group.pairs, start=1):
        name = f"{_named(group, 'pair')}-{place}"
        if all(map(group.is_list, pair)):
            found = heat_map(group.trials, *pair)
            caption = f"{_of(group)}mean {objective} by {pair[0]} and {pair[1]} (trials)."
            blocks.append(Drawing(name, caption, partial(figures.heat, found, pair, objective)))
        else:
            caption = (
                f"{_of(group)}{objective} over {pair[0]} and {pair[1]}, between trials (dots)."
            )
            draw = partial(figures.contour, group, pair, objective)
            blocks.append(Drawing(name, caption, draw))
    return blocks


def training_blocks(curves: list[Curve], whose: str) -> list[Block]:
    """Return one drawing a stage."""
    from search.report import figures

    blocks: list[Block] = []
    for stage in dict.fromkeys(curve.stage for curve in curves):
        caption = f"{stage}: source-dev F1 and losses by epoch of {whose}, means over seeds."
        draw = partial(figures.training, curves, stage)
        blocks.append(Drawing(f"training-{stage}", caption, draw))
    return blocks


def _costs(data: StudyData) -> list[Block]:
    from search.report import figures

    points = data.costs()
    if not points:
        return []
    caption = (
        f"{data.objective} over seconds of training of all stages, shared ones included; the "
        "dashed line joins the trials of which none is both cheaper and better."
    )
    return [Drawing("cost", caption, partial(figures.costs, points, data.objective))]


def _choices(data: StudyData) -> list[Block]:
    blocks: list[Block] = [choices_table(data)] if data.places else []
    if (oracle := oracle_table(data)) is not None:
        blocks += [Text(f"{ORACLE_SHOUT} The table is a report: no choice was made by it.", True)]
        blocks.append(oracle)
    return blocks


def _space(data: StudyData) -> list[Block]:
    if data.space():
        return [_pairs_table(data.space(), "setting", "values")]
    found = {n: v for t in data.trials for n, v in t.distributions.items() if n != METHOD}
    from search.spaces import in_words

    words = {name: in_words(values) for name, values in found.items()}
    return _non_empty(_pairs_table(words, "setting", "values"))


def _pairs_table(found: Mapping[str, Any], first: str, second: str = "value") -> Table:
    rows = tuple((name, str(value)) for name, value in found.items())
    return Table((first, second), rows)


def _non_empty(table: Table) -> list[Block]:
    return [table] if table.rows else []


def repeat_blocks(command: str | None) -> list[Block]:
    """Return the command, as far as it is known."""
    if command is None:
        return [Text("The command was not noted by the version that ran it.")]
    return [Text("Of the last start, from the same folder:"), Code(command)]
