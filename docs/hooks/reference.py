"""Pages of the Python reference: the modules of the public door, whose docstrings say all."""

from __future__ import annotations

from collections.abc import Sequence

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES: dict[str, tuple[str, Sequence[str]]] = {
    "tagger": (
        "A tagger: `from prokd import Tagger`",
        ("prokd.scoring.tagging.Tagger", "prokd.scoring.tagged_text"),
    ),
    "config": (
        "Settings",
        ("prokd.config.settings", "prokd.config.overrides", "prokd.config.presets"),
    ),
    "methods": ("Methods", ("prokd.methods", "prokd.method")),
    "training": ("Training and exports", ("prokd.training.run", "prokd.training.exports")),
    "data": ("Data", ("prokd.data.corpus", "prokd.data.labels", "prokd.data.words")),
    "scoring": ("Scores", ("prokd.scoring.metrics", "prokd.scoring.f1_estimate")),
    "terms": (
        "Equations",
        (
            "prokd.terms.prototypes",
            "prokd.terms.tagging_loss",
            "prokd.terms.distillation",
            "prokd.terms.sequences",
            "prokd.methods.prokd.teacher.alignment",
            "prokd.methods.prokd.student.pseudo_labels",
        ),
    ),
    "search": ("Searches", ("search.workers.tune", "search.workers.trainables.job")),
    "errors": ("Errors", ("prokd.errors",)),
}
"""By the name of the page: its title and what it describes, in this order."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each part of the public door."""
    for name, (title, objects) in PAGES.items():
        text = "\n\n".join([f"# {title}", *(f"::: {each}" for each in objects)])
        files.append(File.generated(config, f"reference/{name}.md", content=text + "\n"))
    return files
