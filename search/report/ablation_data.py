"""What a report says of an ablation: read from its Markdown, its CSV and its runs' folders."""

from __future__ import annotations

import csv
import statistics
from functools import cached_property, partial
from pathlib import Path

from prokd.errors import UserError
from prokd.runs.identity import SIGNATURE_LENGTH
from search.report.blocks import NOTHING, REPORT_ONLY, Block, Drawing, Section, Table, Text
from search.report.markdown import read_markdown
from search.report.origin import read_origin, versions_table
from search.report.runs import Curve, Result, curves, run_of
from search.report.study_sections import repeat_blocks, training_blocks

TARGET_F1 = "target_test/entity_f1"


class AblationData:
    """All that a report says of one ablation; every file is read, none is written.

    Args:
        output: Folder of ``reports/`` and ``runs/``.
        stem: Name of the report.

    Raises:
        UserError: A file of it is missing, or no ablation has written it.
    """

    def __init__(self, output: Path, stem: str) -> None:
        """Read the report."""
        self.output, self.name = output, stem
        text, table = (output / "reports" / f"{stem}.{ending}" for ending in ("md", "csv"))
        for path in (text, table):
            if not path.is_file():
                raise UserError(
                    f"an ablation's report has a .md and a .csv, but {path} is missing."
                )
        self.title, self.tables = read_markdown(text.read_text(encoding="utf-8"))
        with table.open(newline="", encoding="utf-8") as file:
            self.rows = list(csv.DictReader(file))
        if any("variant" not in row or "folder" not in row for row in self.rows):
            raise UserError(f"{table} must be the table of an ablation, but it has no variants.")
        self.origin = read_origin(text.with_suffix(".json"))

    @cached_property
    def variants(self) -> list[str]:
        """The variants, in order."""
        return list(dict.fromkeys(row["variant"] for row in self.rows))

    @cached_property
    def results(self) -> dict[str, list[Result]]:
        """What the runs of each variant have left."""
        found: dict[str, list[Result]] = {name: [] for name in self.variants}
        for row, result in zip(self.rows, self.of_rows, strict=True):
            found[row["variant"]].append(result)
        return found

    @cached_property
    def of_rows(self) -> list[Result]:
        """What each row's run has left."""
        return [self._result(row) for row in self.rows]

    def _result(self, row: dict[str, str]) -> Result:
        folder, runs_dir = Path(row["folder"]), self.output / "runs"
        stages = {
            name: run_of(runs_dir, own, folder)
            for name, own in row.items()
            if own and _is_signature(own) and "/" not in name
        }
        last = folder.name[-SIGNATURE_LENGTH:]
        own = next((name for name, run in stages.items() if run.signature == last), None)
        result = run_of(runs_dir, last, folder)
        before = {name: run for name, run in stages.items() if name != own}
        return Result({**before, own or result.kind: result})

    def scores(self, column: str) -> dict[str, dict[str, list[float]]]:
        """Return the values of a column in [0, 1] by language and variant, one a seed."""
        found: dict[str, dict[str, list[float]]] = {}
        for row in self.rows:
            if row.get(column):
                own = found.setdefault(row["target"], {})
                own.setdefault(row["variant"], []).append(float(row[column]))
        return found

    def curves(self) -> list[Curve]:
        """Return the training curves of each variant, means over languages and seeds."""
        return [curve for name, own in self.results.items() for curve in curves(name, own)]

    def costs(self, column: str) -> list[tuple[str, float, float]]:
        """Return means of seconds and of a column by variant, where all runs are there."""
        found = []
        for name in self.variants:
            seconds = [result.seconds for result in self.results[name]]
            known = [value for value in seconds if value is not None]
            values = [float(r[column]) for r in self.rows if r["variant"] == name and r[column]]
            if known and len(values) == len(seconds):  # else its mean is over other languages
                found.append((name, statistics.fmean(known), statistics.fmean(values)))
        return found

    def failures(self) -> Table:
        """Return the runs without a result."""
        rows = [
            (r["variant"], r["target"], r["seed"], r["state"], r["reason"] or NOTHING)
            for r in self.rows
            if r["state"] != "done"
        ]
        return Table(("variant", "language", "seed", "how it ended", "reason"), tuple(rows))

    def fingerprints(self) -> Table:
        """Return the hashes of what was read, by what it is and the target."""
        found: dict[tuple[str, str], str] = {}
        for row, result in zip(self.rows, self.of_rows, strict=True):
            for name, value in result.fingerprints().items():
                found.setdefault((name, row["target"]), value)
        rows = tuple((name, language, value) for (name, language), value in sorted(found.items()))
        return Table(("what", "runs on target", "fingerprint"), rows)

    def fixed(self) -> Table:
        """Return the settings that all results share."""
        configs = [c for own in self.results.values() for r in own if (c := r.config)]
        first = configs[0] if configs else {}
        same = {k: v for k, v in first.items() if all(c.get(k) == v for c in configs)}
        return Table(("setting", "value"), tuple((k, str(v)) for k, v in same.items()))


def _is_signature(text: str) -> bool:
    return len(text) == SIGNATURE_LENGTH and set(text) <= set("0123456789abcdef")


def ablation_sections(data: AblationData) -> list[Section]:
    """Return all that is shown of an ablation; nothing is drawn yet."""
    about, *tables = data.tables
    about.blocks.append(
        Text(
            f"Numbers on target test come from labels of the target: {REPORT_ONLY}, nothing was "
            "trained or chosen by them. F1 is in [0, 1]."
        )
    )
    for section in tables:
        if section.title.startswith("Target test"):
            section.title += f" [0–1], {REPORT_ONLY}"
    failed, fixed, fingerprints = data.failures(), data.fixed(), data.fingerprints()
    kept = [s for s in tables if s.title != "Runs without a result"]
    return [
        about,
        Section("Variants beside each other", _charts(data)),
        *kept,
        Section("Cost against F1", _costs(data)),
        Section("Training curves", training_blocks(data.curves(), "each variant, over languages")),
        Section("Runs without a result", [failed] if failed.rows else []),
        Section("Settings that all variants share", [fixed] if fixed.rows else []),
        Section("Data", [fingerprints] if fingerprints.rows else []),
        Section("Versions", [versions_table(data.origin)]),
        Section("Repeat it", repeat_blocks(data.origin.get("command"))),
    ]


def _charts(data: AblationData) -> list[Block]:
    from search.report import figures

    blocks: list[Block] = []
    measures = {
        TARGET_F1: ("variants-target", f"target-test entity F1 [0–1], {REPORT_ONLY}"),
        "objective": (
            "variants-source-dev",
            "source-dev entity F1 [0–1], what runs are chosen by",
        ),
    }
    for column, (name, measure) in measures.items():
        if scores := data.scores(column):
            caption = f"{measure}: mean ± standard deviation over seeds, each seed as a stroke."
            draw = partial(figures.variants, scores, data.variants, measure)
            blocks.append(Drawing(name, caption, draw))
    return blocks


def _costs(data: AblationData) -> list[Block]:
    from search.report import figures

    blocks: list[Block] = []
    measures = {
        TARGET_F1: ("cost-target", f"target-test F1 [0–1], {REPORT_ONLY}"),
        "objective": ("cost-source-dev", "source-dev F1 [0–1]"),
    }
    for column, (name, measure) in measures.items():
        if all(column in row for row in data.rows) and (points := data.costs(column)):
            caption = f"Mean {measure} of each variant over its mean seconds of training."
            blocks.append(Drawing(name, caption, partial(figures.costs, points, measure)))
    return blocks
