"""Published figures beside which results of whole methods stand, each with its own measure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ablations.comparison import AVERAGE
from ablations.spec import SPECS_DIR, load_spec
from ablations.tables import PublishedRows
from prokd.config.yaml_files import read_mapping
from prokd.methods import DEFAULT, method_named

FILE = Path(__file__).with_name("published.yaml")


def published_results(dataset: str, measure: str, languages: Sequence[str]) -> PublishedRows:
    """Return the published figures of a measure in percent, by name of the row and column.

    Args:
        dataset: "wikiann", say.
        measure: Name of the measure: figures of another one are left out.
        languages: The columns; a row without any of them is left out, and a printed average is
            kept where they are the languages that it is of.
    """
    rows = {**_of_the_paper(dataset, measure), **_of_specs(dataset, measure)}
    found = {}
    for name, row in rows.items():
        own = {column: row[column] for column in languages if column in row}
        if not own:
            continue
        is_whole = set(languages) == set(row) - {AVERAGE}
        found[name] = own | ({AVERAGE: row[AVERAGE]} if is_whole and AVERAGE in row else {})
    return found


@cache
def _of_the_paper(dataset: str, measure: str) -> PublishedRows:
    tree = read_mapping(FILE, "measure, datasets")
    return tree["datasets"].get(dataset, {}) if tree["measure"] == measure else {}


@cache
def _of_specs(dataset: str, measure: str) -> PublishedRows:
    """Return what the authors of methods other than ProKD print for the whole of them."""
    found = {}
    for path in sorted(SPECS_DIR.glob("*.yaml")):
        spec = load_spec(path.stem)
        figures = spec.paper.get(dataset, {})
        if spec.method == DEFAULT or spec.paper_measure != measure:
            continue
        own = {
            column: values[spec.reference]
            for column, values in figures.items()
            if spec.reference in values
        }
        if own:
            found[f"{spec.method} ({method_named(spec.method).citation})"] = own
    return found
