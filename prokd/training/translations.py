"""The labelled source in the target's language: translated once, then read from the cache."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from prokd.common.files import file_sha256, write_atomically
from prokd.config import RuntimeConfig, TranslationConfig
from prokd.data import Corpus
from prokd.data.labels import OUTSIDE
from prokd.data.readers import read_file
from prokd.data.translation.formats import dictionary_in, files_of
from prokd.data.translation.lexicon import Lexicon, normalised, read_lexicon
from prokd.data.translation.words import Translation, WordCounts, translate
from prokd.errors import UserError

logger = logging.getLogger(__name__)
FORMAT_VERSION = 2
"""Part of every file's name: a change of what is made of the same input must raise it.

2: words that the dictionary has unchanged keep their capitals (McDonald).
"""
LEAST_KNOWN = 0.35
"""Share of translated words that a target's own text has, below which a dictionary looks wrong:
.53 to .72 for six languages and their own ones, .10 to .28 for those of a neighbour."""
ENOUGH_WORDS, ENOUGH_SENTENCES = 100, 500
"""Words outside of entities, and sentences of the target, from which on that can be told."""


def translated(
    corpus: Corpus,
    target: Corpus,
    settings: TranslationConfig,
    *,
    runtime: RuntimeConfig,
) -> Corpus:
    """Return the labelled source, translated word by word; kept in the cache as Parquet.

    Args:
        corpus: Labelled source sentences.
        target: The target's text, without labels.
        settings: How they are translated.
        runtime: Names dictionaries and cache; without any (`methods.lacking`) both are of the
            phrasebook, which brings its own.

    Raises:
        UserError: No dictionary, or one that cannot be read.
    """
    key = _key(corpus, target, settings, runtime)
    path = runtime.cache_dir / f"translated-{key}.parquet"
    if (known := _kept(path, corpus, target)) is not None:
        return known
    made = translation(corpus, target, settings, runtime=runtime)
    check_translation(made, target)
    write_corpus(path, made.corpus)
    return made.corpus


def check_translation(made: Translation, target: Corpus) -> None:
    """Tell how much of a source was translated, and refuse what is no translation.

    Args:
        made: The translation.
        target: The target's text, whose labels are not read.

    Raises:
        UserError: No word outside of entities is another one now.
    """
    origin, outside = made.corpus.origin, made.counts.get(OUTSIDE, WordCounts())
    if not outside.changed and outside.words >= ENOUGH_WORDS:
        raise UserError(
            f"{origin}: a translation must change words, but none of {outside.words} words "
            f"outside of entities is another one in {target.language} (the dictionary must lead "
            f"from the source to the target)."
        )
    shares = ", ".join(
        f"{kind} {count.covered / count.words:.2f} / {count.changed / count.words:.2f}"
        for kind, count in made.counts.items()
    )
    logger.info("%s: words in the dictionary / changed, by class: %s", origin, shares)
    if made.known_share < LEAST_KNOWN and len(target) >= ENOUGH_SENTENCES:
        logger.warning(
            "%s: of the words that were translated only %.0f %% occur in the text of %s: is the "
            "dictionary one of that language?",
            origin,
            100 * made.known_share,
            target.language,
        )


def check_kept(settings: TranslationConfig, source: Corpus) -> None:
    """Make sure that types whose words stay as they are exist in the source.

    Raises:
        UserError: One that somebody named does not.
    """
    strange = [kind for kind in settings.keep if kind not in source.entity_types]
    if not strange:
        return
    there = ", ".join(source.entity_types)
    if settings.keep != TranslationConfig().keep:
        raise UserError(
            f"translation.keep must name types of entities of {source.origin} ({there}), but got "
            f"{', '.join(strange)}."
        )
    logger.warning(
        "%s has no type %s, whose words a translation leaves as they are: names of persons are "
        "translated like others, unless translation.keep names their type (%s)",
        source.origin,
        ", ".join(strange),
        there,
    )


def translation(
    corpus: Corpus,
    target: Corpus,
    settings: TranslationConfig,
    *,
    runtime: RuntimeConfig,
) -> Translation:
    """Return what `translated` does, with its counts; nothing is read from the cache or kept."""
    paths = tuple(runtime.dictionaries)
    contents = tuple(_contents(paths, corpus.language, target.language))
    lexicon = _lexicon(corpus.language, target.language, paths, contents)
    return translate(corpus, lexicon, settings, target=target)


def write_corpus(path: Path, corpus: Corpus) -> None:
    """Write labelled sentences as Parquet, columns ``tokens`` and ``ner_tags``, as data sets are.

    Raises:
        UserError: The folder cannot be written in.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"tokens": corpus.words, "ner_tags": corpus.tags})
    try:
        write_atomically(path, lambda part: pq.write_table(table, part))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from None


def _key(
    corpus: Corpus,
    target: Corpus,
    settings: TranslationConfig,
    runtime: RuntimeConfig,
) -> str:
    """Return the hash of all that a translation depends on."""
    contents = _contents(runtime.dictionaries, corpus.language, target.language)
    identity = {
        "version": FORMAT_VERSION,
        "source": corpus.fingerprint,
        "target": [target.language, target.fingerprint],
        "settings": settings.model_dump(mode="json"),
        "dictionaries": contents or "phrasebook",
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _contents(paths: Sequence[Path], source: str, target: str) -> list[str]:
    """Return the hash of each dictionary; UserError if one is no file that can be read."""
    found = []
    for given in paths:
        path = dictionary_in(given, source, target) if given.is_dir() else given
        try:
            found += [file_sha256(part) for part in files_of(path)]
        except OSError as error:
            rule = "a dictionary must be a file"
            raise UserError(f"{path}: {rule}, but: {error.strerror}.") from None
    return found


def _kept(path: Path, corpus: Corpus, target: Corpus) -> Corpus | None:
    """Return a translation that was kept; None where there is none that is whole."""
    if not path.exists():
        return None
    try:
        found = read_file(path, labelled=True)
    except UserError as error:
        logger.warning("%s; it is made anew", error)
        return None
    return Corpus(target.language, corpus.split, found.words, found.tags, str(path), "IOB2")


@lru_cache(maxsize=4)
def _lexicon(
    source: str, target: str, dictionaries: tuple[Path, ...], contents: tuple[str, ...]
) -> Lexicon:
    """Return the dictionary that was named, or that of the phrasebook's own parallel sentences.

    What is in the files is known by their hashes, so that a file that changes is read again.
    """
    if dictionaries:
        return read_lexicon(dictionaries, source=source, target=target)
    from prokd.data.mini.generator import parallel_sentences
    from prokd.data.translation.ibm1 import lexicon_by_ibm1
    from prokd.data.translation.parallel import ParallelText

    pairs = parallel_sentences(source, target)
    words = [[normalised(word) for word in pair[0]] for pair in pairs]
    others = [[word.lower() for word in pair[1]] for pair in pairs]
    return lexicon_by_ibm1(ParallelText(words, others, {}, target, "the phrasebook"))
