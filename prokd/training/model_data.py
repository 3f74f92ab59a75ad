"""A trained model's folder, found by name, and the text that it is looked at with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from prokd.common.files import STAGE_FILE, read_json
from prokd.config import ExperimentConfig
from prokd.data import Corpus, load_corpus
from prokd.encoder.export_folder import MANIFEST
from prokd.errors import UserError
from prokd.methods import read_config
from prokd.scoring.entity_groups import SourceText, source_text


def find_model(given: str, runs_dir: Path) -> Path:
    """Return the folder of a run or an export.

    Args:
        given: A folder; or the name of one in ``runs_dir``; or the beginning of a run's
            signature, e.g. ``1a2b3c`` of ``student-1a2b3c4d5e6f``.
        runs_dir: Folder of all runs.

    Raises:
        UserError: There is none, or more than one.
    """
    for folder in (Path(given).expanduser(), runs_dir / given):
        if given and folder.is_dir():
            return folder
    folders = sorted(path for path in runs_dir.glob("*-*") if path.is_dir()) if given else []
    of_signature = [path for path in folders if path.name.rsplit("-", 1)[1].startswith(given)]
    found = of_signature or [path for path in folders if path.name.startswith(given)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found[:4]) + (" ..." if found[4:] else "")
    but = f"{len(found)} have: {names}" if found else "none has"
    raise UserError(
        f"a model must be a folder, or exactly one run in {runs_dir} (--runs-dir) must have the "
        f"name or signature {given!r}, but {but}."
    )


def target_of(folder: Path) -> str:
    """Return the target language of a run or an export; "" if it does not say."""
    known = read_json(folder / STAGE_FILE) or read_json(folder / MANIFEST) or {}
    return str(known.get("target") or "")


@dataclass(frozen=True)
class ModelData:
    """Where the text lies that a model is looked at with, and how much of it is read.

    Args:
        folder: A run or an export.
        dataset: "wikiann", "conll" or "phrasebook"; None: the run's own.
        data_dirs: Folders of files, as in `load_corpus`.
        separator: As there, like ``tag_column``.
        tag_column: Column of the tags in text files.
        limit: First sentences of a split; None: as many as the run is scored on, of an export all.
    """

    folder: Path
    dataset: str | None = None
    data_dirs: Sequence[Path] = ()
    separator: str | None = None
    tag_column: int | None = None
    limit: int | None = None

    @cached_property
    def config(self) -> ExperimentConfig | None:
        """The run's settings; None of an export, which has none."""
        known = read_json(self.folder / "config.json")
        return read_config(known) if known and "data" in known else None

    @property
    def description(self) -> str:
        """Method, languages and seed of a run in words; of an export, what it says of itself."""
        if self.config is not None:
            pair = f"{'+'.join(self.config.sources)} to {self.config.target}"
            return f"{self.config.method}, {pair}, seed {self.config.seed}"
        known = self._of_export()
        languages = known.get("source"), known.get("target")
        return f"an export, {languages[0]} to {languages[1]}" if all(languages) else "an export"

    def corpus(self, language: str, split: str, *, labelled: bool = True) -> Corpus:
        """Read a split as `load_corpus` does.

        Raises:
            UserError: Neither files nor a data set are named, and whatever is wrong with them.
        """
        limit = self.limit
        if limit is None and self.config is not None:
            limit = self.config.data.evaluation_limit
        return self._load(language, split, labelled=labelled, limit=limit)

    @property
    def sources(self) -> Sequence[str]:
        """The languages whose labels it learned.

        Raises:
            UserError: The model does not say.
        """
        config = self.config
        found = [self._of_export().get("source", "")] if config is None else config.sources
        if not all(found):
            raise UserError(f"{self.folder} does not say which source language it learned.")
        return found

    def source(self) -> SourceText:
        """Return what the model saw labelled: the source's training sentences that it learned.

        Raises:
            UserError: The model does not say what its source is, or it is not there.
        """
        limit = None if self.config is None else self.config.data.source_train_limit
        return source_text(self._load(code, "train", limit=limit) for code in self.sources)

    def source_or_reason(self, source_dir: Path | None) -> tuple[SourceText | None, str]:
        """Return `source` from the folder of the data, else why it is not there.

        Args:
            source_dir: A folder DIR/<source>/train of its own: it must be right.

        Raises:
            UserError: As `source`, where a folder of its own was named.
        """
        if source_dir is not None:
            return replace(self, data_dirs=(source_dir,)).source(), ""
        try:
            return self.source(), ""
        except UserError as error:
            return None, str(error)

    def _load(self, language: str, split: str, **options: Any) -> Corpus:
        dataset = self.dataset or (self.config.data.dataset if self.config else None)
        if dataset is None and not self.data_dirs:
            raise UserError(
                "the data must be given by --data-dir or --dataset: an export names none."
            )
        return load_corpus(
            dataset or "wikiann",
            language,
            split,
            data_dirs=self.data_dirs,
            separator=self.separator,
            tag_column=self.tag_column,
            **options,
        )

    def _of_export(self) -> dict[str, Any]:
        return read_json(self.folder / MANIFEST) or {}
