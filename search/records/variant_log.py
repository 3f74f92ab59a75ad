"""The MLflow runs of an ablation: one for it and one for each variant, above the stage runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from prokd.common.names import flatten
from prokd.config import ExperimentConfig
from search.records.notes import ablation_note, variant_note
from search.records.record import (
    FAILED,
    FINISHED,
    RUNNING,
    Record,
    acceptable,
    experiment_name,
    stamp,
)
from search.records.tracking import Tracker
from search.records.views import seeds_view, variants_view
from search.results import Row, means

Settings = Mapping[str, object]


class VariantLog:
    """Marks an ablation and its variants as changed, in each experiment that they belong to.

    Args:
        tracker: Sends their records.
        title: What the variants belong to, e.g. "ablation components".
        name: Of the whole.
        variants: Configurations by name.
        labels: What MLflow calls each name.
        reference: Label of the variant that others are compared with; None = the first.
        report: Where the tables will be written, if they will be.
    """

    def __init__(
        self,
        tracker: Tracker,
        title: str,
        name: str,
        variants: Mapping[str, ExperimentConfig],
        labels: Mapping[str, str],
        *,
        reference: str | None = None,
        report: Path | None = None,
    ) -> None:
        """Name the runs; nothing is logged yet."""
        self.tracker, self.title, self.name = tracker, title, name
        self.variants, self.labels, self.reference = variants, labels, reference
        self.files = {"tables": report} if report is not None else {}
        self._reports: Mapping[str, Path] = {}
        """Of the ended ablation: files and folders by the name that MLflow gives them."""
        self._rows: dict[str, dict[str, float]] = {}
        """Means over seeds of the variants that are whole."""

    def key(self, variant: str) -> str:
        """Return the key of a variant's run."""
        where = experiment_name(self.variants[variant])
        return acceptable(f"variant:{self.name}:{self.labels[variant]}:{where}")

    def open(self) -> None:
        """Mark all as running."""
        self._parents(RUNNING)
        for variant in self.variants:
            self._variant(variant, RUNNING)

    def close(self, rows: Sequence[Row], reports: Mapping[str, Path]) -> None:
        """Mark all as ended.

        Args:
            rows: One for each variant and seed.
            reports: Text files and folders, by the name of the artifact that each becomes.
        """
        self._reports = reports
        of = {v: [row for row in rows if row.experiment.variant == v] for v in self.variants}
        self._rows = {v: found for v, own in of.items() if (found := means(own))}
        for variant, own in of.items():
            is_whole = variant in self._rows
            self._variant(variant, FINISHED if is_whole else FAILED, own if is_whole else ())
        self._parents(FINISHED)

    def _parents(self, status: str) -> None:
        for where in {experiment_name(config) for config in self.variants.values()}:
            name, own = self.name, self._beside(where)
            first, target = self.labels[self._first(where)], self.variants[own[0]].target
            note = ablation_note(
                what=f"**{self.title}**: {len(own)} variants, compared with {first}.",
                first=first,
                target=target,
                rows={self.labels[v]: self._rows[v] for v in own if v in self._rows},
                files=self.files,
            )
            self._changed(
                Record(
                    key=self._parent(where),
                    experiment=where,
                    name=self.title,
                    status=status,
                    tags={"kind": "ablation", "ablation": name},
                    note=note,
                    reports=self._reports,
                    views=(variants_view(name, target), seeds_view(name, target)),
                )
            )

    def _parent(self, where: str) -> str:
        return acceptable(f"ablation:{self.name}:{where}")

    def _beside(self, where: str) -> list[str]:
        """Return the variants of an experiment."""
        return [v for v, config in self.variants.items() if experiment_name(config) == where]

    def _first(self, where: str) -> str:
        """Return the variant of an experiment that its others are compared with."""
        own = self._beside(where)
        return next((v for v in own if self.labels[v] == self.reference), own[0])

    def _changed(self, record: Record) -> None:
        self.tracker.changed(record.key, f"{record.name} ({record.experiment})", lambda: record)

    def _variant(self, variant: str, status: str, rows: Sequence[Row] = ()) -> None:
        config, label = self.variants[variant], self.labels[variant]
        folders = [row.experiment.result.path for row in rows]
        files = [path / name for path in folders for name in ("result.json", "report.json")]
        where = experiment_name(config)
        settings = flatten(config.model_dump(mode="json", exclude={"seed"}))
        self._changed(
            Record(
                key=self.key(variant),
                experiment=where,
                name=label,
                status=status,
                parent=self._parent(where),
                tags={
                    "kind": "variant",
                    "mean_of": label,
                    "ablation": self.name,
                    "method": config.method,
                },
                params=settings,
                note=self._note(variant, settings, len(rows)),
                finals={"means": (stamp(files), self._rows[variant])} if rows else {},
            )
        )

    def _note(self, variant: str, settings: Settings, num_seeds: int) -> str:
        config, label = self.variants[variant], self.labels[variant]
        first = self._first(experiment_name(config))
        reference = flatten(self.variants[first].model_dump(mode="json", exclude={"seed"}))
        names = dict.fromkeys([*reference, *settings])
        both = {name: (reference.get(name), settings.get(name)) for name in names}
        of = f"; means over {num_seeds} seed{'s' if num_seeds > 1 else ''}" if num_seeds else ""
        return variant_note(
            what=f"**{label}**, a variant of {self.title} ({config.method}){of}.",
            first=self.labels[first] if variant != first else "",
            target=config.target,
            changes={name: pair for name, pair in both.items() if pair[0] != pair[1]},
            row=self._rows.get(variant, {}),
            reference=self._rows.get(first, {}),
        )
