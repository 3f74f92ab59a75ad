"""An ablation as a reader meets it: Markdown, CSV, and the table that is printed.

F1 is in [0, 1] everywhere: with four decimals in Markdown and in the printed table, with all of
them in the CSV. Nothing is left out: a run that collapsed or was not finished is named where its
number would stand.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablations.comparison import ENTITY, TOKEN, VALID, Scores
from ablations.latex import latex_table
from ablations.means import means_table
from ablations.significance import MIN_SEEDS_T, MIN_SEEDS_WILCOXON
from ablations.spec import AblationSpec
from ablations.tables import (
    aligned,
    changes_table,
    comparison_table,
    cost_table,
    published_rows,
    score_table,
    source_dev_table,
    state,
)
from prokd.common.files import write_atomically, write_text
from prokd.common.latex import PACKAGES
from prokd.common.tables import as_csv, as_markdown
from prokd.config import ExperimentConfig

PAPER_ENCODER = "bert-base-multilingual-cased"
MEASURES = {
    ENTITY: "entity-level F1 (seqeval, lenient)",
    VALID: "entity-level F1 of the likeliest valid IOB2 tags of each sentence (Viterbi)",
    TOKEN: "token-level F1 (whole tags, without O)",
}
"""What the measures are called in reports; one is never shown under the other's name."""


def report_stem(folder: Path, stem: str, signature: str) -> str:
    """Return a name under which no report of other settings is overwritten.

    Args:
        folder: Of the reports.
        stem: The name if it is free, or holds a report of the same settings.
        signature: Of the settings; it stands in the report, and is added to the name otherwise.
    """
    path = folder / f"{stem}.md"
    if not path.exists() or f"settings: {signature}\n" in path.read_text(encoding="utf-8"):
        return stem
    return f"{stem}-{signature}"


def write_reports(
    folder: Path,
    stem: str,
    scores: Scores,
    base: ExperimentConfig,
    notes: Sequence[str] = (),
) -> tuple[Path, Path, Path, Path]:
    """Write ``<stem>.md``, ``<stem>.csv``, ``<stem>-means.csv`` and, for a paper, ``<stem>.tex``.

    Args:
        folder: Where to.
        stem: Name of the files.
        scores: What came out.
        base: The settings of the reference variant.
        notes: How it was run, one line each.

    Returns:
        Paths of the four files: text, all runs, what the text's tables show, LaTeX.
    """
    endings = (".md", ".csv", "-means.csv", ".tex")
    text, table, means, latex = (folder / f"{stem}{ending}" for ending in endings)
    write_text(text, markdown(scores, base, notes))
    write_atomically(table, lambda part: _write_csv(part, tidy(scores)))
    write_text(means, as_csv(means_table(scores, MEASURES)))
    tables = [
        latex_table(scores, measure, title, published_rows(scores, measure))
        for measure, title in MEASURES.items()
    ]
    write_text(latex, PACKAGES + "\n".join(tables))
    return text, table, means, latex


def tidy(scores: Scores) -> list[dict[str, Any]]:
    """Return one record for each run: what it is, how it ended, all of its numbers in [0, 1].

    Measures on target test stand under ``target_test/...``, so that all languages share columns.
    """
    records = []
    for row in scores.rows:
        record = {"spec": scores.spec.name, **row.record()}
        config = row.experiment.config
        places = {"target_test": config.target, "source_test": config.source}
        for name in row.scores:
            del record[name]
        for place, language in places.items():
            start = f"test/{language}/"
            record |= {
                f"{place}/{name.removeprefix(start)}": value
                for name, value in row.scores.items()
                if name.startswith(start)
            }
        records.append(record)
    return records


def comparability(spec: AblationSpec, base: ExperimentConfig) -> list[str]:
    """Say what keeps our numbers from being compared with the published ones; empty if nothing."""
    figures = spec.paper.get(base.data.dataset)
    if not spec.paper:
        return []
    if figures is None:
        return [f"the paper has no figures for the data set {base.data.dataset}"]
    reasons = []
    encoder = base.encoder.name.rstrip("/").rsplit("/", 1)[-1]
    if encoder != PAPER_ENCODER:
        reasons.append(f"the encoder is {encoder}, the paper's is {PAPER_ENCODER}")
    if tuple(base.sources) != ("en",):
        reasons.append(f"the source language is {', '.join(base.sources)}, the paper's is en")
    data = base.data
    for name in ("source_train_limit", "target_train_limit", "evaluation_limit"):
        if (limit := getattr(data, name)) is not None:
            reasons.append(f"data.{name} cuts the data to {limit} sentences")
    if data.max_length != 128:
        reasons.append(f"sentences have at most {data.max_length} subwords, the paper's 128")
    return reasons


def markdown(scores: Scores, base: ExperimentConfig, notes: Sequence[str] = ()) -> str:
    """Return the report as Markdown, F1 in [0, 1]."""
    spec = scores.spec
    seeds = f"{len(scores.seeds)} ({', '.join(map(str, scores.seeds))})"
    lines = [
        f"# {spec.title}",
        "",
        f"Claim: {spec.claim}",
        "",
        f"- data: {base.data.dataset}, source {', '.join(base.sources)}, "
        f"targets {', '.join(scores.languages)}",
        f"- encoder: {base.encoder.name}",
        f"- seeds: {seeds}; numbers are mean ± standard deviation over them"
        + ("; one seed has no spread" if len(scores.seeds) == 1 else ""),
        f'- reference: "{spec.reference}"; in parentheses the difference from it, over the seeds '
        "that both have finished",
        "- F1 is in [0, 1]"
        + (", the paper's figures too, which it prints in percent" if spec.paper else ""),
        *([f'- baseline: "{spec.baseline}"'] if spec.baseline else []),
        *(f"- {note}" for note in notes),
    ]
    for names in scores.twins():
        lines.append(f"- one and the same run: {', '.join(names)}")
    for measure, title in MEASURES.items():
        lines += ["", f"## Target test, {title}", ""]
        lines += as_markdown(score_table(scores, measure, is_bold=True))
        if measure == ENTITY:
            lines += ["", STAR]
        if measure == spec.paper_measure:
            lines += ["", *(_paper_lines(spec, base))]
    lines += ["", f"## Are the differences chance? ({MEASURES[ENTITY]})", ""]
    lines += [*as_markdown(comparison_table(scores)), "", *HOW_TO_READ]
    lines += ["", "## What the runs were selected by: source dev, entity-level F1", ""]
    lines += as_markdown(source_dev_table(scores))
    lines += ["", "## What the runs took", "", COST, ""]
    lines += as_markdown(cost_table(scores))
    lines += ["", "## Runs without a result", ""]
    lines += [f"- {text}" for text in failures(scores)] or ["None."]
    lines += ["", "## What the variants change", ""]
    lines += as_markdown(changes_table(spec))
    return "\n".join(lines) + "\n"


STAR = (
    "\\* p < 0.05 over sentences (permutation test, Holm-corrected over a column's variants); "
    "\\*\\* p < 0.05 over seeds as well (paired t-test). One star alone is true of these trained "
    "models: with other seeds the difference may turn round."
)
COST = (
    "All stages of a run together, those that variants share included; mean ± standard deviation "
    "over languages and seeds, on the machines and beside the runs that were there."
)
PAPER_MEASURES = {
    TOKEN: "token-level F1, not defined further, of an unstated number of runs",
    ENTITY: "entity-level F1, means over runs",
}
HOW_TO_READ = [
    "- p sentences: paired permutation test, the two systems swapped sentence by sentence in "
    "all seeds at once; the interval is a paired bootstrap over sentences. Both ask whether other "
    "test sentences would show the same, for these trained models.",
    "- Holm: the same p value, corrected for the number of variants in the column.",
    f"- p seeds: paired t-test (from {MIN_SEEDS_T} seeds on) and Wilcoxon's signed-rank test "
    f"(from {MIN_SEEDS_WILCOXON} on), uncorrected. They ask whether other seeds would show the "
    "same. A dash: too few seeds.",
]


def printed(scores: Scores, base: ExperimentConfig) -> str:
    """Return what a terminal shows: both tables, aligned, and what is to be known of them."""
    lines = []
    if scores.not_scored():
        lines += ["source dev, entity-level F1:", "", *aligned(source_dev_table(scores))]
        lines += [""]
    measures = MEASURES if len(scores.not_scored()) < len(scores.rows) else {}
    for measure, title in measures.items():
        lines += [f"target test, {title}, {len(scores.seeds)} seed(s):", ""]
        lines += [*aligned(score_table(scores, measure)), ""]
        if measure == ENTITY:
            lines += [STAR.replace("\\", ""), "", *aligned(comparison_table(scores)), ""]
    lines += [text.removeprefix("- ") for text in _paper_lines(scores.spec, base)]
    lines += [f"no result: {text}" for text in failures(scores)]
    return "\n".join(lines)


def failures(scores: Scores) -> list[str]:
    """Return one line for each run without a result, with the reason."""
    return [
        f"{row.experiment.variant}, {row.experiment.config.target}, "
        f"seed {row.experiment.config.seed}: {state(row)}"
        + (f" ({row.outcome.reason})" if row.outcome.reason else "")
        for row in scores.unfinished()
    ]


def _paper_lines(spec: AblationSpec, base: ExperimentConfig) -> list[str]:
    if not spec.paper:
        return []
    if reasons := comparability(spec, base):
        return [f"Not comparable with the paper's figures: {'; '.join(reasons)}."]
    return [
        f"The paper's figures are {PAPER_MEASURES[spec.paper_measure]}: compare differences "
        "between variants rather than levels."
    ]


def _write_csv(path: Path, records: Sequence[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for record in records for name in record))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=names, restval="")
        writer.writeheader()
        writer.writerows(records)
