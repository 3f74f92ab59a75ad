"""The tables of an ablation as rows of text, and how they are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean

from ablations.comparison import AVERAGE, ENTITY, Comparison, Scores
from ablations.significance import spread
from ablations.spec import AblationSpec
from prokd.common.tables import Table
from search.results import Row
from search.workers.trainables import COLLAPSED, DONE

ALPHA = 0.05
PublishedRows = Mapping[str, Mapping[str, float]]
"""Figures in percent, by name of the row and column."""


def cell(scores: Scores, variant: str, column: str, measure: str, *, is_bold: bool = False) -> str:
    """Write one score: mean ± standard deviation, the difference, what is missing.

    The difference from the reference has the `mark` of the measure that is tested; the best mean
    of a column is bold, in Markdown, where that is wanted.
    """
    result = scores.spread(variant, column, measure)
    lacking = missing(scores, variant, column)
    if not result.num:
        return lacking
    text = share(result.mean)
    if result.num > 1:
        text += f" ± {share(result.std)}"
    if is_bold and is_best(result.mean, best(scores, column, measure), digits=4):
        text = f"**{text}**"
    if variant != scores.spec.reference:
        change = scores.difference(variant, column, measure)
        if not math.isnan(change):
            stars = mark(scores.comparisons[variant, column]) if measure == ENTITY else ""
            text += f" ({signed(change)}{stars})"
    return f"{text}, {lacking}" if lacking else text


def mark(item: Comparison) -> str:
    """Return ``*`` where p < 0.05 over sentences (Holm), ``**`` where also over seeds (t-test)."""
    if not item.p_holm < ALPHA:
        return ""
    return "**" if item.t < ALPHA else "*"


def best(scores: Scores, column: str, measure: str) -> float:
    """Return the best mean of a column; nan where nothing is known."""
    means = [scores.spread(variant, column, measure).mean for variant in scores.spec.variants]
    return max((mean for mean in means if not math.isnan(mean)), default=math.nan)


def is_best(mean: float, highest: float, *, digits: int) -> bool:
    """Tell whether a reader of so many digits cannot tell a mean from the best one.

    >>> is_best(0.69041, 0.69044, digits=4), is_best(0.6904, 0.6906, digits=4)
    (True, False)
    """
    return f"{mean:.{digits}f}" == f"{highest:.{digits}f}"


def score_table(scores: Scores, measure: str, *, is_bold: bool = False) -> Table:
    """Return the table of the paper's form: variants down, languages and their average across.

    Beside a column of the paper's measure stand its figures, where there are any: a paper prints
    percent, the table has all in [0, 1]. The best of each column may be bold, see `cell`.
    """
    published = _published(scores) if measure == scores.spec.paper_measure else {}
    header = ["variant"]
    for column in scores.columns:
        header += [column, *([f"{column}, paper"] if column in published else [])]
    table = [header]
    for variant in scores.spec.variants:
        line = [variant]
        for column in scores.columns:
            line.append(cell(scores, variant, column, measure, is_bold=is_bold))
            if column in published:
                figure = published[column].get(variant)
                line.append("–" if figure is None else share(figure / 100))
        table.append(line)
    return table


def comparison_table(scores: Scores) -> Table:
    """Return differences of entity-level F1 with intervals and p values."""
    header = ["variant", "column", "seeds", "difference", "95 % interval"]
    table = [[*header, "p sentences", "p sentences, Holm", "p seeds, t", "p seeds, Wilcoxon"]]
    for column in scores.columns:
        for variant in scores.spec.compared():
            table.append(_test_line(scores.comparisons[variant, column]))
    return table


def _test_line(item: Comparison) -> list[str]:
    line = [item.variant, item.column, str(len(item.seeds)), signed(item.difference)]
    if item.same_runs:
        return [*line, "the same runs", *["–"] * 4]
    if item.sentences is None:
        return [*line, "–", "–", "–", p_value(item.t), p_value(item.wilcoxon)]
    # Counts are of "variant less reference": the interval belongs to the printed difference.
    low, high = item.sentences.low, item.sentences.high
    return [
        *line,
        f"{signed(low)} to {signed(high)}",
        *map(p_value, (item.sentences.p, item.p_holm, item.t, item.wilcoxon)),
    ]


def state(row: Row) -> str:
    """Say in a word how a run without scores ended."""
    return "not scored" if row.outcome.state == DONE else row.outcome.state


def share(value: float) -> str:
    """Write a score in [0, 1].

    >>> share(0.50914)
    '0.5091'
    """
    return "–" if math.isnan(value) else f"{value:.4f}"


def signed(value: float) -> str:
    """Write a difference of scores in [0, 1].

    >>> signed(-0.0199), signed(0.0)
    ('-0.0199', '+0.0000')
    """
    return "–" if math.isnan(value) else f"{value + 0.0:+.4f}"


def p_value(p: float) -> str:
    """Write a p value.

    >>> p_value(0.0421), p_value(0.0002)
    ('0.042', '< 0.001')
    """
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def missing(scores: Scores, variant: str, column: str) -> str:
    """Say which seeds of a cell have no number, and why; empty if all have one."""
    languages = scores.languages if column == AVERAGE else [column]
    rows = {
        seed: [scores.row(variant, language, seed) for language in languages]
        for seed in scores.seeds
    }
    states = []
    for group in rows.values():
        unfinished = [state(row) for row in group if row.target_f1 is None]
        if unfinished:
            states.append(COLLAPSED if COLLAPSED in unfinished else unfinished[0])
    if len(states) == len(rows) and len(set(states)) == 1:
        return states[0]
    return ", ".join(
        f"{states.count(state)} of {len(rows)} {state}" for state in dict.fromkeys(states)
    )


def published_rows(scores: Scores, measure: str) -> PublishedRows:
    """Return the paper's figures by variant and column; none of another measure than its own."""
    if measure != scores.spec.paper_measure:
        return {}
    figures = _published(scores)
    rows = {
        f"{variant}, published": {c: own[variant] for c, own in figures.items() if variant in own}
        for variant in scores.spec.variants
    }
    return {name: row for name, row in rows.items() if row}


def _published(scores: Scores) -> dict[str, dict[str, float]]:
    """Return the paper's figures of the columns that have any, in percent.

    An average is that of the figures; where the languages are the paper's own, a printed one
    stands for what has no figures by language.
    """
    dataset = scores.rows[0].experiment.config.data.dataset
    figures = scores.spec.paper.get(dataset, {})
    result = {column: figures[column] for column in scores.languages if column in figures}
    if AVERAGE in scores.columns and len(result) == len(scores.languages):
        parts = list(result.values())
        average = {
            name: math.fsum(part[name] for part in parts) / len(parts)
            for name in parts[0]
            if all(name in part for part in parts)
        }
        is_whole = set(scores.languages) == set(figures) - {AVERAGE}
        result[AVERAGE] = (figures.get(AVERAGE, {}) if is_whole else {}) | average
    return result


def source_dev_table(scores: Scores) -> Table:
    """Return source-dev entity F1 of each variant, over languages and seeds."""
    table = [["variant", f"source dev ({', '.join(scores.rows[0].experiment.config.sources)})"]]
    for variant in scores.spec.variants:
        result = scores.source_dev(variant)
        deviation = f" ± {share(result.std)}" if result.num > 1 else ""
        table.append([variant, share(result.mean) + deviation])
    return table


def cost_table(scores: Scores) -> Table:
    """Return what each variant's finished runs took, all stages together, a shared run once."""
    results = [row.experiment for row in scores.rows if row.outcome.state == DONE]
    done = list({(one.variant, one.result.signature): one for one in results}.values())
    known = [(row.variant, cost) for row in done if (cost := row.cost()) is not None]
    is_measured = all(cost.energy_joules is not None for _, cost in known) and bool(known)
    table = [["variant", "epochs", "seconds", "most memory, MB"]]
    table[0] += ["energy of the devices, kJ"] if is_measured else []
    for variant in scores.spec.variants:
        costs = [cost for name, cost in known if name == variant]
        if not costs:
            table.append([variant, *["–"] * (len(table[0]) - 1)])
            continue
        seconds = spread([cost.seconds for cost in costs])
        shown = f"{seconds.mean:.0f}" + (f" ± {seconds.std:.0f}" if seconds.num > 1 else "")
        memory = max(cost.peak_memory_mb for cost in costs)
        table.append([variant, str(costs[0].epochs), shown, f"{memory:.0f}"])
        if is_measured:
            joules = fmean(cost.energy_joules or 0.0 for cost in costs)
            table[-1].append(f"{joules / 1000:.2f}")
    return table


def changes_table(spec: AblationSpec) -> Table:
    """Return what each variant takes away and sets."""
    table = [["variant", "method", "without", "settings"]]
    for name, variant in spec.variants.items():
        overrides = variant.overrides(spec.method)
        changes = ", ".join(f"`{path}={value}`" for path, value in overrides.items())
        method = variant.method or spec.method
        table.append([name, method, ", ".join(variant.without) or "–", changes or "–"])
    return table


def aligned(table: Table) -> list[str]:
    """Draw a table as lines of aligned text."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for line in table:
        padded = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return lines
