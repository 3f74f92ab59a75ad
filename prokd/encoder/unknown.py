"""A word of warning where an encoder does not know the script or the words of a corpus."""

from __future__ import annotations

import logging

from prokd.data import Corpus
from prokd.data.subwords import unknown_pieces
from prokd.encoder.files import load_tokenizer

logger = logging.getLogger(__name__)

LARGEST_SHARE = 0.05
"""Of unknown subwords among all, above which little can be learnt from a corpus."""
SAMPLE = 2000
"""Sentences at most, evenly spread, that the share is taken from."""
_warned: set[tuple[str, str]] = set()


def warn_of_unknown(corpus: Corpus, encoder: str) -> None:
    """Log a warning, once a process, where an encoder knows too few subwords of a corpus."""
    key = corpus.fingerprint, encoder
    sample = corpus.words[:: -(-len(corpus) // SAMPLE) or 1]
    if key in _warned or not sample:
        return
    counts = unknown_pieces(sample, load_tokenizer(encoder))
    share = counts.subwords / max(counts.all_subwords, 1)
    if share > LARGEST_SHARE:
        _warned.add(key)
        logger.warning(
            "%.0f %% of the subwords of %s %s are unknown to the tokenizer of %s: training learns "
            "nothing from them.",
            100 * share,
            corpus.language,
            corpus.split,
            encoder,
        )
