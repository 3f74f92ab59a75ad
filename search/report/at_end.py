"""What a search leaves for its report when it has ended, and the report itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from search.report.origin import note_search
from search.report.page import artifacts
from search.report.write import STUDY, report_at_end

if TYPE_CHECKING:
    from search.driver import Search, SearchSummary

FEWEST = 2
"""Complete trials without which no report is written unless somebody asks for it."""


def search_ended(
    search: Search, summary: SearchSummary, say: Callable[[str], object], *, report: bool
) -> None:
    """Note where a study comes from and write its report, which MLflow gets as well.

    Args:
        search: What has ended, however it ended.
        summary: What came out.
        say: Tells a person where the report is, or why it is not there.
        report: Whether one is wanted; with fewer than `FEWEST` complete trials none is written.
    """
    try:
        path = search.output / "studies" / f"{search.name}.json"
        note_search(path, search.spec, search.data)
    except OSError as error:  # a full disk, say: what was found is there
        say(f"warning: the command and the versions are not noted: {error}")
    if not report or len(summary.standings) < FEWEST:
        return
    page = report_at_end(STUDY, search.name, search.output, say)
    if page is not None:
        search.log.report(artifacts(page))
