"""Corpora of several languages as one: the source of a method that has one teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, TypeVar

from prokd.config.settings import JOINT

if TYPE_CHECKING:
    from prokd.data.corpus import Corpus

Item = TypeVar("Item")


def joined(corpora: Sequence[Corpus], limit: int | None = None) -> Corpus:
    """Return corpora as one, their sentences in turns: any cut has as many of each.

    Args:
        corpora: One or more, each of another language, of one split.
        limit: Number of sentences to keep from the start; None keeps all.
    """
    tagged = [each.tags for each in corpora if each.tags is not None]
    return replace(
        corpora[0],
        language=JOINT.join(each.language for each in corpora),
        words=_in_turns([each.words for each in corpora], limit),
        tags=_in_turns(tagged, limit) if len(tagged) == len(corpora) else None,
        origin=" and ".join(each.origin for each in corpora),
        scheme=", ".join(dict.fromkeys(each.scheme for each in corpora)),
    )


def _in_turns(rows: Sequence[Sequence[Item]], limit: int | None) -> list[Item]:
    turns = chain.from_iterable(zip_longest(*rows))
    return list(islice((item for item in turns if item is not None), limit))
