"""The Markdown of an ablation's report as parts of a page: headings, tables, points, text."""

from __future__ import annotations

import re

from search.report.blocks import Listing, Section, Table, Text


def read_markdown(text: str) -> tuple[str, list[Section]]:
    """Return the title and the sections; the first one holds what stands before any heading.

    Args:
        text: As `ablations.report.markdown` writes it.
    """
    title, sections = "", [Section("About")]
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = part.strip("\n").splitlines()
        while lines and lines[0].startswith("#"):
            heading = lines.pop(0)
            if heading.startswith("## "):
                sections.append(Section(plain(heading[3:])))
            else:
                title = plain(heading.lstrip("# "))
        if lines:
            sections[-1].blocks += _blocks(lines)
    return title, sections


def _blocks(lines: list[str]) -> list[Table | Listing | Text]:
    if lines[0].startswith("|") and len(lines) > 1:
        header, _, *rows = map(_cells, lines)
        return [Table(header, tuple(rows))]
    points = tuple(plain(line[2:]) for line in lines if line.startswith("- "))
    rest = " ".join(plain(line) for line in lines if not line.startswith("- "))
    return [*([Text(rest)] if rest else []), *([Listing(points)] if points else [])]


def _cells(line: str) -> tuple[str, ...]:
    return tuple(plain(cell.strip()) for cell in line.strip().strip("|").split(" | "))


def plain(text: str) -> str:
    r"""Return Markdown without its marks.

    >>> plain("\\*\\* p < 0.05 by `a=1`"), plain("**0.69 ± 0.01** (+0.02**)")
    ('** p < 0.05 by a=1', '0.69 ± 0.01 (+0.02**)')
    """
    text = re.sub(r"\*\*(\d.*?)\*\*", r"\1", text)
    return re.sub(r"\\(.)", r"\1", text.replace("`", "")).strip()
