"""The comparison of whole methods, like the paper's Tables 2 and 3: text, CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ablations.comparison import ENTITY, Scores
from ablations.gathered import Gathered, gathered, labelled, rows_of
from ablations.latex import latex_table
from ablations.means import means_table
from ablations.published import published_results
from ablations.report import MEASURES, STAR, comparability
from ablations.spec import AblationSpec, Variant
from ablations.tables import PublishedRows, aligned, score_table, share
from prokd.common.files import write_text
from prokd.common.latex import PACKAGES
from prokd.common.names import ending, flatten
from prokd.common.tables import Table, as_csv, as_markdown
from prokd.errors import UserError
from search.fairness import inequalities

REFERENCES = ("tsl", "prokd")
"""The first of them that is there is what the others are tested against."""
MOST_SETTINGS = 6


def write_comparison(
    output: Path, folder: Path, *, dataset: str | None = None, reference: str | None = None
) -> tuple[list[str], list[Path]]:
    """Write ``comparison-<dataset>.md``, ``.csv`` and ``.tex``.

    Args:
        output: Folder of ``reports/``, ``studies/`` and ``runs/``.
        folder: Where to.
        dataset: Of the runs; None where there is but one.
        reference: Row that the others are tested against; None = one of `REFERENCES`.

    Returns:
        Lines for a terminal, and the paths of the files.

    Raises:
        UserError: No finished run of a whole method, several data sets, an unknown reference.
    """
    labels = labelled(_of_dataset(gathered(output), dataset))
    scores = _scores(labels, reference)
    found = next(iter(labels.values()))[0].config.data.dataset
    notes = _notes(scores, labels)
    stem = folder / f"comparison-{found}"
    paths = [stem.with_name(f"{stem.name}.{form}") for form in ("md", "csv", "tex")]
    write_text(paths[0], _markdown(scores, notes))
    write_text(paths[1], as_csv(_csv(scores)))
    tables = [
        latex_table(scores, measure, title, _published(scores, measure))
        for measure, title in MEASURES.items()
    ]
    write_text(paths[2], PACKAGES + "\n".join(tables))
    lines = [*notes, ""]
    for measure, title in MEASURES.items():
        lines += [f"target test, {title}:", "", *aligned(_table(scores, measure)), ""]
    return lines, paths


def _of_dataset(found: Sequence[Gathered], dataset: str | None) -> list[Gathered]:
    names = sorted({one.config.data.dataset for one in found})
    if dataset is None and len(names) > 1:
        raise UserError(f"--dataset must be one of {', '.join(names)}, but none was given.")
    if dataset is not None and dataset not in names:
        raise UserError(f"--dataset must be one of {', '.join(names)}, {ending(dataset, names)}")
    return [one for one in found if one.config.data.dataset == (dataset or names[0])]


def _scores(labels: Mapping[str, list[Gathered]], reference: str | None) -> Scores:
    """Return the scores as those of an ablation whose variants are the rows."""
    if reference is not None and reference not in labels:
        names = ", ".join(labels)
        raise UserError(f"--reference must be one of {names}, {ending(reference, labels)}")
    chosen = reference or next((name for name in REFERENCES if name in labels), next(iter(labels)))
    dataset = next(iter(labels.values()))[0].config.data.dataset
    spec = AblationSpec.model_construct(  # unlike an ablation's, it may have one row alone
        name=f"comparison-{dataset}",
        title=f"Result comparison on {dataset}",
        claim="",
        variants={name: Variant() for name in labels},
        reference=chosen,
        paper={dataset: {}},
    )
    return Scores(spec, rows_of(dict(labels)))


def _published(scores: Scores, measure: str) -> PublishedRows:
    dataset = scores.rows[0].experiment.config.data.dataset
    return published_results(dataset, measure, scores.languages)


def _table(scores: Scores, measure: str, *, is_bold: bool = False) -> Table:
    """Return published figures, in [0, 1] like ours, then ours."""
    header, *ours = score_table(scores, measure, is_bold=is_bold)
    theirs = [
        [f"{name}, published", *(share(row[c] / 100) if c in row else "–" for c in scores.columns)]
        for name, row in _published(scores, measure).items()
    ]
    return [["method", *header[1:]], *theirs, *ours]


def _csv(scores: Scores) -> Table:
    header, *ours = means_table(scores, MEASURES)
    theirs = [
        [measure, name, column, "", repr(figure / 100), *[""] * (len(header) - 5), "published"]
        for measure in MEASURES
        for name, row in _published(scores, measure).items()
        for column, figure in row.items()
    ]
    return [[*header, "origin"], *theirs, *([*row, "here"] for row in ours)]


def _notes(scores: Scores, labels: Mapping[str, list[Gathered]]) -> list[str]:
    """Return what must be known to read the table, in sentences."""
    origins = {name: sorted({one.origin for one in own}) for name, own in labels.items()}
    notes = [f"{name}: {', '.join(found)}" for name, found in origins.items()]
    notes.append(f'reference of differences and tests: "{scores.spec.reference}"')
    notes += [line for name, own in labels.items() if (line := _differing(name, own))]
    notes += inequalities({name: own[0].config for name, own in labels.items()})
    if not any(_published(scores, measure) for measure in MEASURES):
        return notes
    runs = [one for own in labels.values() for one in own]
    reasons = [reason for one in runs for reason in comparability(scores.spec, one.config)]
    if reasons:
        notes.append(f"not comparable with published figures: {'; '.join(dict.fromkeys(reasons))}")
    return notes


def _differing(name: str, own: Sequence[Gathered]) -> str:
    """Say which settings of a row are not the same in all of its runs; "" if they all are."""
    configs = [flatten(one.config.model_dump(mode="json")) for one in own]
    paths = [
        path
        for path in configs[0]
        if path not in ("seed", "target") and len({repr(c.get(path)) for c in configs}) > 1
    ]
    if not paths:
        return ""
    more = f" and {len(paths) - MOST_SETTINGS} more" if len(paths) > MOST_SETTINGS else ""
    return f"{name}: its runs differ in {', '.join(paths[:MOST_SETTINGS])}{more}"


def _markdown(scores: Scores, notes: Sequence[str]) -> str:
    lines = [f"# {scores.spec.title}", "", *(f"- {note}" for note in notes)]
    lines.append(
        f"- seeds: {', '.join(map(str, scores.seeds))}; numbers are mean ± standard deviation "
        "over those that a method has, in parentheses the difference from the reference"
    )
    lines.append("- F1 is in [0, 1], published figures too, which are printed in percent")
    for measure, title in MEASURES.items():
        lines += ["", f"## Target test, {title}", ""]
        lines += as_markdown(_table(scores, measure, is_bold=True))
        if measure == ENTITY:
            lines += ["", STAR]
    return "\n".join(lines) + "\n"
