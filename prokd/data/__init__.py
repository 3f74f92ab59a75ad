"""From files and data sets to batches: sentences, subwords, padded tensors.

``load_corpus`` reads one language and split, ``encode_corpus`` turns it into subwords (kept in a
cache), ``make_batches`` and ``collate`` make tensors of it, ``data_report`` counts it.
"""

from prokd.data.batches import Batch, collate, make_batches
from prokd.data.corpus import Corpus, check_same_types, load_corpus, shared_tag_set
from prokd.data.encoding import EncodedCorpus, encode_corpus
from prokd.data.report import ReportRow, data_report, format_report

__all__ = [
    "Batch",
    "Corpus",
    "EncodedCorpus",
    "ReportRow",
    "check_same_types",
    "collate",
    "data_report",
    "encode_corpus",
    "format_report",
    "load_corpus",
    "make_batches",
    "shared_tag_set",
]
