"""Table 1 of Ge et al. 2023: sentences and entities of the data sets, as printed.

The CoNLL-2003 sentences (en, de) include one ``-DOCSTART-`` line for each document, which is no
sentence; ``documents`` is their number in the published files (14,987 = 14,041 + 946).
"""

from __future__ import annotations

from typing import NamedTuple


class PaperCount(NamedTuple):
    """What Table 1 prints for one language and split.

    Args:
        sentences: Number of sentences as printed.
        entities: Number of entities as printed.
        documents: Document marks that the paper counts as sentences.
    """

    sentences: int
    entities: int
    documents: int = 0

    @property
    def without_marks(self) -> int:
        """Number of sentences that are no document marks."""
        return self.sentences - self.documents

    def matches(self, sentences: int, entities: int) -> bool:
        """Whether counts without document marks are those of the paper."""
        return (sentences, entities) == (self.without_marks, self.entities)


PAPER_TABLE1: dict[tuple[str, str, str], PaperCount] = {
    ("conll", "en", "train"): PaperCount(14_987, 23_499, 946),
    ("conll", "en", "dev"): PaperCount(3_466, 5_942, 216),
    ("conll", "en", "test"): PaperCount(3_684, 5_648, 231),
    ("conll", "de", "train"): PaperCount(12_705, 11_851, 553),
    ("conll", "de", "dev"): PaperCount(3_068, 4_833, 201),
    ("conll", "de", "test"): PaperCount(3_160, 3_673, 155),
    ("conll", "es", "train"): PaperCount(8_323, 18_798),
    ("conll", "es", "dev"): PaperCount(1_915, 4_351),
    ("conll", "es", "test"): PaperCount(1_517, 3_558),
    ("conll", "nl", "train"): PaperCount(15_806, 13_344),
    ("conll", "nl", "dev"): PaperCount(2_895, 2_616),
    ("conll", "nl", "test"): PaperCount(5_195, 3_941),
    ("wikiann", "en", "train"): PaperCount(20_000, 27_931),
    ("wikiann", "en", "dev"): PaperCount(10_000, 14_146),
    ("wikiann", "en", "test"): PaperCount(10_000, 13_958),
    ("wikiann", "ar", "train"): PaperCount(20_000, 22_500),
    ("wikiann", "ar", "dev"): PaperCount(10_000, 11_266),
    ("wikiann", "ar", "test"): PaperCount(10_000, 11_259),
    ("wikiann", "hi", "train"): PaperCount(5_000, 6_124),
    ("wikiann", "hi", "dev"): PaperCount(1_000, 1_226),
    ("wikiann", "hi", "test"): PaperCount(1_000, 1_228),
    ("wikiann", "zh", "train"): PaperCount(20_000, 25_031),
    ("wikiann", "zh", "dev"): PaperCount(10_000, 12_493),
    ("wikiann", "zh", "test"): PaperCount(10_000, 12_532),
}
"""(data set, language, split) -> counts."""
