"""Corpora of raw text that are made once: found again by the content of the text."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from prokd.common.files import file_sha256, read_json
from prokd.data.text.corpus import COUNTS, HELD_OUT, LIBRARIES, SENTENCES, write_text_corpus
from prokd.data.text.report import summary
from prokd.data.text.rules import TextRules
from prokd.data.text.sources import Source, open_sources
from prokd.errors import UserError

FORMAT_VERSION = 2
"""Part of every folder's name: a change of what is made of the same text must raise it."""


def text_folder(
    paths: Sequence[Path], language: str, cache_dir: Path, say: Callable[[str], object]
) -> Path:
    """Return the folder DIR of the corpus ``DIR/<lang>`` of some texts, made unless it is there.

    Args:
        paths: As for `open_sources`; or one folder that `prokd text` made, which is it.
        language: Its code.
        cache_dir: Where it is kept.
        say: Told what is made and what became of the text.

    Raises:
        UserError: A text that cannot be read, or of which nothing is kept.
    """
    is_made = len(paths) == 1 and os.path.isfile(paths[0] / language / COUNTS)
    folder = paths[0] if is_made else _made(paths, language, cache_dir, say)
    for line in summary(folder / language):
        say(line)
    return folder


def _made(
    paths: Sequence[Path], language: str, cache_dir: Path, say: Callable[[str], object]
) -> Path:
    rules = TextRules()
    with open_sources(paths) as sources:
        folder = cache_dir / f"text-{_key(sources, language, rules)}"
        if not _is_whole(folder / language):
            names = ", ".join(source.name for source in sources)
            say(f"making the corpus of {language} from {names} ...")
            write_text_corpus(folder, sources, language, rules)
    return folder


def _is_whole(place: Path) -> bool:
    """Tell whether a corpus is there as it was written."""
    known = read_json(place / COUNTS) or {}
    files = [(place / SENTENCES, "sha256")]
    if known.get("counts", {}).get("held_out"):  # of few sentences none is
        files.append((place / HELD_OUT, "held_out_sha256"))
    elif (place / HELD_OUT).exists():
        return False
    return all(path.is_file() and known.get(key) == file_sha256(path) for path, key in files)


def _key(sources: Sequence[Source], language: str, rules: TextRules) -> str:
    """Return the hash of all that the sentences depend on."""
    identity = {
        "version": FORMAT_VERSION,
        "language": language,
        "rules": rules.model_dump(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "texts": [_content(source) for source in sources],
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _content(source: Source) -> str:
    try:
        return file_sha256(source.path)
    except OSError as error:
        raise UserError(f"{source.name} cannot be read: {error.strerror}.") from None
