"""Descriptions of MLflow's experiments and runs: what they are, what came out, how it compares.

They are Markdown, which MLflow's UI shows above an experiment's runs and on a run's page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from prokd.runs.folder import ORACLE
from search.results import heading

NOTE = "mlflow.note.content"
"""Tag of experiments and runs that holds their description."""
BEST = 5
"""Trials that a search's description names."""


def experiment_note(name: str) -> str:
    """Return the description of an experiment, see `search.records.record.experiment_name`."""
    _, dataset, languages = name.split("/", 2)
    source, _, target = languages.rpartition("-")
    return (
        f"Named entity recognition in **{target}** without a label of it; labelled text in "
        f"**{source}**; data: {dataset}.\n\nRuns are nested: search → trial → stages, ablation → "
        f"variant → stages. *Views* above the table has one of each search's trials and of each "
        f"ablation's variants. All F1 are in [0, 1]; `test/{target}/...` is reported and chooses "
        f"nothing."
    )


def chosen_by(select: str) -> str:
    """Return a sentence on what a search chooses by."""
    if select == ORACLE:
        return "Chosen by **labels of target dev** (oracle): this is not zero-resource."
    return f"Chosen by {heading(select)}; no label of the target chooses anything."


def search_note(
    *,
    what: str,
    select: str,
    trials: Sequence[tuple[float, str]],
    failed: int,
    files: Mapping[str, Path],
) -> str:
    """Return the description of a search.

    Args:
        what: What is searched, in words.
        select: What it chooses by.
        trials: Value and name of those that are complete.
        failed: Number of those that ended without a value.
        files: Where more is written, by what it is.
    """
    parts = [what, chosen_by(select)]
    if trials:
        best = sorted(trials, key=lambda item: -item[0])[:BEST]
        rows = [
            f"| {place} | {name} | {value:.4f} |" for place, (value, name) in enumerate(best, 1)
        ]
        parts.append("\n".join([f"| | trial | {heading(select)} |", "|---|---|---|", *rows]))
    ended = f"{len(trials)} trials are complete"
    parts.append(f"{ended}, {failed} have no value." if failed else f"{ended}.")
    return "\n\n".join([*parts, _places(files)])


def trial_note(
    *,
    what: str,
    select: str,
    value: float | None,
    others: Sequence[tuple[float, str]],
    reason: str,
    files: Mapping[str, Path],
) -> str:
    """Return the description of a trial.

    Args:
        what: What it trains, in words.
        select: What its search chooses by.
        value: Its own, mean over seeds; None = it has none.
        others: Value and name of the other complete trials.
        reason: Why it has none, if it has ended.
        files: Where more is written, by what it is.
    """
    parts = [what]
    if value is None:
        parts.append(f"It has no value: {reason}" if reason else "It has no value yet.")
    else:
        place = 1 + sum(other > value for other, _ in others)
        found = f"{heading(select)} **{value:.4f}**: place {place} of {len(others) + 1}"
        best = max(others, key=lambda item: item[0], default=None)
        if best is not None:
            named = "the best" if place > 1 else "the best of the others"
            found += f"; {named} is {best[1]} with {best[0]:.4f}"
        parts.append(f"{found}. {chosen_by(select)}")
    return "\n\n".join([*parts, _places(files)])


def ablation_note(
    *,
    what: str,
    first: str,
    target: str,
    rows: Mapping[str, Mapping[str, float]],
    files: Mapping[str, Path],
) -> str:
    """Return the description of an ablation: its table, against one variant.

    Args:
        what: What it compares, in words.
        first: Name of that variant.
        target: The target language.
        rows: Means over seeds of each variant that has them (`search.results.means`).
        files: Where more is written, by what it is.
    """
    head = f"| variant | F1 on {target} test | difference | source-dev F1 | seconds |"
    reference = rows.get(first, {})
    test = f"mean/test/{target}/entity_f1"
    lines = [
        f"| {name} | {_score(row, test)} | {_difference(row, reference, test)} "
        f"| {_score(row, 'mean/objective')} | {_seconds(row)} |"
        for name, row in rows.items()
    ]
    table = "\n".join([head, "|---|---|---|---|---|", *lines])
    chooses = "Nothing is chosen here: each variant is trained with each seed."
    return "\n\n".join([what, chooses, *([table] if rows else []), _places(files)])


def variant_note(
    *,
    what: str,
    first: str,
    target: str,
    changes: Mapping[str, tuple[object, object]],
    row: Mapping[str, float],
    reference: Mapping[str, float],
) -> str:
    """Return the description of a variant.

    Args:
        what: What it is, in words.
        first: Name of the variant that it is compared with; empty for that one itself.
        target: The target language.
        changes: Settings that differ from that one's: theirs, its own.
        row: Means over its seeds; none if a seed has no result.
        reference: The same of that variant.
    """
    parts, test = [what], f"mean/test/{target}/entity_f1"
    if changes:
        own = [f"- `{path}`: {mine} (there {other})" for path, (other, mine) in changes.items()]
        parts.append("\n".join([f"It differs from {first} in:", "", *own]))
    if row:
        found = f"F1 on {target} test {_score(row, test)}"
        found += f" ({_difference(row, reference, test)} against {first})" if first else ""
        parts.append(f"{found}, source-dev F1 {_score(row, 'mean/objective')}.")
    return "\n\n".join(parts)


def _score(row: Mapping[str, float], name: str) -> str:
    """Write a mean and its standard deviation over seeds; a dash where there is none.

    >>> _score({"mean/f1": 0.5, "std/f1": 0.01}, "mean/f1"), _score({}, "mean/f1")
    ('0.5000 ± 0.0100', '–')
    """
    if name not in row:
        return "–"
    deviation = row.get(name.replace("mean/", "std/", 1))
    return f"{row[name]:.4f}" + (f" ± {deviation:.4f}" if deviation is not None else "")


def _seconds(row: Mapping[str, float]) -> str:
    return f"{row['mean/seconds']:.0f}" if "mean/seconds" in row else "–"


def _difference(row: Mapping[str, float], first: Mapping[str, float], name: str) -> str:
    """Write by how much a mean is above the first variant's; a dash for that one itself."""
    if row is first or name not in row or name not in first:
        return "–"
    return f"{row[name] - first[name]:+.4f}"


def _places(files: Mapping[str, Path]) -> str:
    return "\n".join(f"- {what}: `{path}`" for what, path in files.items())
