"""From an output folder to the report of one of its studies or ablations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prokd.errors import UserError

STUDY, ABLATION = "study", "ablation"


@dataclass(frozen=True)
class Subject:
    """What a report can be of.

    Args:
        kind: `STUDY` or `ABLATION`.
        name: Of the study, or of the ablation's report.
        output: The folder that it lies in.
        path: Its journal or Markdown.
    """

    kind: str
    name: str
    output: Path
    path: Path


def subjects(output: Path) -> list[Subject]:
    """Return all studies and ablations of an output folder, the newest first."""
    found = [
        Subject(kind, path.stem, output, path)
        for kind, pattern in ((STUDY, "studies/*.journal"), (ABLATION, "reports/*.md"))
        for path in output.glob(pattern)
        if kind == STUDY or _is_ablation(path)
    ]
    return sorted(found, key=lambda item: (-item.path.stat().st_mtime, item.name))


def _is_ablation(path: Path) -> bool:
    """Tell whether a page is an ablation's: others may lie beside it."""
    table = path.with_suffix(".csv")
    if not table.is_file():
        return True  # which is told to whoever asks for it
    with table.open(encoding="utf-8", errors="replace") as file:
        return "variant" in file.readline().strip().split(",")


def find(name: str | None, output: Path) -> Subject:
    """Return what a name or a path stands for.

    Args:
        name: Of a study or an ablation, the beginning of one name alone, or the path of a journal,
            of a report's file or of a study's folder of exports; None = the newest.
        output: Where to look; a path brings its own.

    Raises:
        UserError: There is no such thing, or there are several.
    """
    wanted, folder = name, output
    if name is not None and (path := Path(name).expanduser()).exists() and path.parent != Path():
        path = path.resolve()
        of_file = path.stem.removesuffix("-means")
        wanted, folder = (path.name if path.is_dir() else of_file), path.parent.parent
    known = subjects(folder)
    if not known:
        raise UserError(
            f"a report needs a study or an ablation, but {folder} has neither studies/*.journal "
            f"nor reports/*.md."
        )
    if wanted is None:
        return known[0]
    exact = [item for item in known if item.name == wanted]
    matching = exact or [item for item in known if item.name.startswith(wanted)]
    if len(matching) != 1:
        what = "several studies begin so" if matching else "there is no such study or ablation"
        names = ", ".join(item.name for item in matching or known)
        raise UserError(f"{what}: {wanted!r} in {folder}, which has {names}.")
    return matching[0]


def default_place(subject: Subject) -> Path:
    """Return where the report of something lies unless somebody says otherwise."""
    return subject.output / "reports" / f"{subject.name}.html"


def write_report(subject: Subject, to: Path | None = None) -> Path:
    """Write the report of a study or an ablation; return its path.

    Raises:
        UserError: Its files cannot be read, or the page cannot be written.
    """
    from search.report.page import write_page

    path = to or default_place(subject)
    if subject.kind == STUDY:
        from search.report.study_data import StudyData
        from search.report.study_sections import study_sections

        title, sections = subject.name, study_sections(StudyData(subject.output, subject.name))
        lead = "Study of settings"
    else:
        from search.report.ablation_data import AblationData, ablation_sections

        data = AblationData(subject.output, subject.name)
        title, lead, sections = data.title, f"Ablation {subject.name}", ablation_sections(data)
    try:
        write_page(path, title, lead, sections)
    except OSError as error:
        raise UserError(
            f"the report {path} cannot be written: {error.strerror or error}."
        ) from None
    return path


def report_at_end(kind: str, name: str, output: Path, say: Callable[[str], object]) -> Path | None:
    """Write a report when a search or an ablation has ended; an error is told and changes nothing.

    Args:
        kind: `STUDY` or `ABLATION`.
        name: Of the study, or of the ablation's report.
        output: The folder that it lies in.
        say: Tells a person where it is, or why it is not there.
    """
    where = ("studies", "journal") if kind == STUDY else ("reports", "md")
    subject = Subject(kind, name, output, output / where[0] / f"{name}.{where[1]}")
    try:
        path = write_report(subject)
    except Exception as error:  # whatever it is, what was found is there
        reason = " ".join(str(error).split())
        say(f"warning: the report of {name} is not written: {type(error).__name__}: {reason}")
        return None
    say(f"report: {path}")
    return path
