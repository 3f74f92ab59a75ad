"""Counts of corpora, beside those that the paper prints."""

from __future__ import annotations

from typing import NamedTuple


class ReportRow(NamedTuple):
    """Counts of one language and split."""

    language: str


def data_report() -> list[ReportRow]:
    """Count corpora."""
    return []


def format_report(rows: list[ReportRow]) -> str:
    """Format a table."""
    return ""
