"""Data sets of the Hugging Face hub, through the ``datasets`` library and its caches.

Without a hub in reach nothing is tried again and again: one short request finds that out, and
then only the caches are asked.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from prokd.data.readers import RawSentences, decode_tags, raw_sentences, read_file
from prokd.errors import MissingLanguageError, MissingSplitError

logger = logging.getLogger(__name__)

HUB_SPLITS = {"train": "train", "dev": "validation", "test": "test"}
PROBE_SECONDS = 5.0
"""How long to wait for an answer of the hub before only the caches are asked."""

WAYS_OUT = (
    "use `--preset mini` (needs no download), give files by `--model PATH --data-dir DIR`, "
    "or fill the Hugging Face cache (HF_HOME) where there is a network"
)


@dataclass(frozen=True)
class _Source:
    """Where a language lies: names of the repository (old ones last), and its files."""

    repositories: tuple[str, ...]
    language: str
    revision: str | None
    files: str  # pattern of the files of a split
    has_configurations: bool

    def origin(self, revision: str) -> str:
        return f"hub:{self.repositories[0]}/{self.language}@{revision}"


def read_hub(dataset: str, language: str, split: str, *, labelled: bool) -> RawSentences:
    """Read one language and split from the hub or, without it, from the local caches.

    Args:
        dataset: "wikiann" or "conll".
        language: Code of the language.
        split: "train", "dev" or "test".
        labelled: False never touches the column of tags.

    Raises:
        MissingSplitError: Neither hub nor cache gives the split; the sentence names the ways out.
        MissingLanguageError: The hub does not have the language.
    """
    source = _source(dataset, language)
    hub_split = HUB_SPLITS[split]
    reason = ""
    online = _hub_answers()
    with _offline(not online), _no_progress_bars():
        for repository in source.repositories:
            try:
                loaded = _load(source, repository, hub_split)
            # The library lets through errors of three HTTP clients besides its own: whatever
            # went wrong, the cache may still help, and the reason is told if it does not.
            except Exception as error:
                reason = reason or _first_line(error)
                unknown = re.search(r"BuilderConfig '.*' not found. Available: (.*)", str(error))
                if unknown:
                    languages = unknown[1].strip("[]").replace("'", "")
                    raise MissingLanguageError(
                        f"a language of {repository} must be one of {languages}, "
                        f"but got {language!r}."
                    ) from None
                logger.debug("%s: %s", repository, error)
                continue
            return _from_dataset(loaded, source, labelled=labelled)
    snapshot = _from_snapshot(source, hub_split, labelled=labelled)
    if snapshot is not None:
        return snapshot
    state = f"could not give it ({reason})" if online else "is not in reach"
    raise MissingSplitError(
        f"{source.repositories[0]} ({language}, {split}) must come from the Hugging Face hub, "
        f"which {state}, or from its cache, which does not have it: {WAYS_OUT}."
    )


def repository(dataset: str, language: str) -> str | None:
    """Return the name of the repository that has a language of a data set; None if none has.

    >>> repository("wikiann", "ar"), repository("conll", "de"), repository("phrasebook", "ar")
    ('unimelb-nlp/wikiann', None, None)
    """
    if dataset not in ("wikiann", "conll"):
        return None
    try:
        return _source(dataset, language).repositories[0]
    except MissingLanguageError:
        return None


def _source(dataset: str, language: str) -> _Source:
    if dataset == "wikiann":
        names = ("unimelb-nlp/wikiann", "wikiann")
        return _Source(names, language, None, f"{language}/{{split}}-*.parquet", True)
    if language == "de":
        raise MissingLanguageError(
            "the German part of CoNLL-2003 is not free and not on the hub: give it as files "
            "de/train.txt, de/dev.txt and de/test.txt in a folder by `--data-dir`."
        )
    if language not in ("en", "es", "nl"):
        raise MissingLanguageError(
            f"a language of conll must be one of en, es, nl, de, but got {language!r}."
        )
    name = "conll2003" if language == "en" else "conll2002"
    folder = name if language == "en" else language
    # Their main branch holds only a loading script, which `datasets` no longer runs.
    revision, files = "refs/convert/parquet", f"{folder}/{{split}}/*.parquet"
    return _Source((f"eriktks/{name}", name), language, revision, files, False)


@cache
def _hub_answers() -> bool:
    """Whether the hub answers at all; asked once in a process."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        answer = get_session().head(f"{constants.ENDPOINT}/api/datasets", timeout=PROBE_SECONDS)
    except Exception as error:  # the HTTP client differs between versions of huggingface_hub
        logger.info("the Hugging Face hub is not in reach: %s", error)
        return False
    return bool(answer.status_code < 500)


@contextmanager
def _offline(wanted: bool) -> Iterator[None]:
    """Tell both Hugging Face libraries to use their caches only, as HF_HUB_OFFLINE=1 does."""
    import datasets
    from huggingface_hub import constants

    before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    if wanted:
        datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _load(source: _Source, repository: str, hub_split: str) -> Any:
    import datasets

    if source.has_configurations:
        return datasets.load_dataset(
            repository, source.language, split=hub_split, revision=source.revision
        )
    files = {hub_split: source.files.format(split=hub_split)}
    return datasets.load_dataset(
        repository, data_files=files, split=hub_split, revision=source.revision
    )


def _from_dataset(dataset: Any, source: _Source, *, labelled: bool) -> RawSentences:
    commit = Path(dataset.cache_files[0]["filename"]).parent.name if dataset.cache_files else ""
    columns = ["tokens", "ner_tags"] if labelled else ["tokens"]
    table = dataset.select_columns(columns).with_format("arrow")[:]
    words = table.column("tokens").to_pylist()
    tags: list[Any] = [None] * len(words)
    if labelled:
        kind = getattr(dataset.features["ner_tags"], "feature", None)
        names = list(getattr(kind, "names", None) or ())
        tags = [decode_tags(row, names) for row in table.column("ner_tags").to_pylist()]
    rows = list(zip(range(1, len(words) + 1), words, tags, strict=True))
    return raw_sentences(rows, source.origin(commit[:12]), "row ", labelled=labelled)


def _from_snapshot(source: _Source, hub_split: str, *, labelled: bool) -> RawSentences | None:
    """Read downloaded files themselves.

    The cache of ``datasets`` does not find again, without the network, what was loaded by file
    names; nor does it know what was downloaded by ``hf download``.
    """
    from huggingface_hub import constants

    for repository in source.repositories:
        folder = Path(constants.HF_HUB_CACHE) / f"datasets--{repository.replace('/', '--')}"
        snapshots = sorted(folder.glob("snapshots/*"), key=lambda path: path.stat().st_mtime)
        for snapshot in reversed(snapshots):
            paths = sorted(snapshot.glob(source.files.format(split=hub_split)))
            shards = re.search(r"-of-(\d+)\.parquet$", paths[0].name) if paths else None
            if paths and (shards is None or len(paths) == int(shards[1])):
                return _from_files(paths, source.origin(snapshot.name[:12]), labelled=labelled)
    return None


def _from_files(paths: list[Path], origin: str, *, labelled: bool) -> RawSentences:
    parts = [read_file(path, labelled=labelled) for path in paths]
    return RawSentences(
        [sentence for part in parts for sentence in part.words],
        [sentence for part in parts for sentence in part.tags or ()] if labelled else None,
        [rows for part in parts for rows in part.lines],
        origin,
        "row ",
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n")[0].rstrip(".")
