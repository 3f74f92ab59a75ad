"""From files and data sets to batches: sentences, subwords, padded tensors.

``load_corpus`` reads one language and split, ``encode_corpus`` turns it into subwords (kept in a
cache), ``make_batches`` and ``collate`` make tensors of it, ``data_report`` counts it. A name is
loaded when it is asked for: what reads no tensor, such as `prokd.data.mini`, imports no torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prokd.data.batches import Batch, collate, make_batches
    from prokd.data.corpus import Corpus, check_same_types, load_corpus, shared_tag_set
    from prokd.data.encoding import EncodedCorpus, encode_corpus
    from prokd.data.report import ReportRow, data_report, format_report

_PLACES = {
    "batches": ("Batch", "collate", "make_batches"),
    "corpus": ("Corpus", "check_same_types", "load_corpus", "shared_tag_set"),
    "encoding": ("EncodedCorpus", "encode_corpus"),
    "report": ("ReportRow", "data_report", "format_report"),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    """Load a name from the module that has it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
