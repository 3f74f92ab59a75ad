"""Lines and sentences that were there before, to the letter or nearly."""

from __future__ import annotations

import hashlib
import unicodedata

from rensa import RMinHashDeduplicator

from prokd.data.text.rules import DUPLICATE, REPEATED, SIMILAR

SHINGLE = 5
"""Characters of the strings that two sentences are compared by, in any script."""
_NUM_PERMUTATIONS, _SEED = 128, 42


class Seen:
    """What a text has had so far; 8 bytes of hash for each line and sentence, and a MinHash."""

    def __init__(self, similarity: float) -> None:
        """Begin with nothing.

        Args:
            similarity: See `TextRules`; 1 = only what is the same.
        """
        self._lines: set[int] = set()
        self._sentences: set[int] = set()
        self._similar = (
            RMinHashDeduplicator(
                threshold=similarity, num_perm=_NUM_PERMUTATIONS, use_lsh=True, seed=_SEED
            )
            if similarity < 1
            else None
        )

    def paragraph_fault(self, paragraph: str) -> str | None:
        """Remember a paragraph; say whether it was there."""
        return None if _is_new(skeleton(paragraph), self._lines) else REPEATED

    def sentence_fault(self, sentence: str) -> str | None:
        """Remember a sentence; say whether it, or one much like it, was there."""
        bare = skeleton(sentence)
        if not _is_new(bare, self._sentences):
            return DUPLICATE
        if self._similar is None:
            return None
        shingles = [bare[i : i + SHINGLE] for i in range(max(1, len(bare) - SHINGLE + 1))]
        key = str(len(self._sentences))
        (is_new,) = self._similar.add_pairs([(key, shingles)])
        return None if is_new else SIMILAR


def skeleton(text: str) -> str:
    """Return what counts when texts are compared: letters in lower case, any digit as 0.

    >>> skeleton("Am 3. Mai, in „Köln“!")
    'am0maiinköln'
    """
    kinds = ((c, unicodedata.category(c)[0]) for c in text.casefold())
    return "".join("0" if kind == "N" else c for c, kind in kinds if kind in "LMN")


def _is_new(text: str, seen: set[int]) -> bool:
    digest = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    if digest in seen:
        return False
    seen.add(digest)
    return True
