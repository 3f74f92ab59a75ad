"""BIO tags of a set of entity types, and their class indices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from prokd.errors import UserError

OUTSIDE = "O"
AGGREGATION = "first"
"""How a pipeline of transformers must make words of subwords: by the first, which is trained."""


@dataclass(frozen=True)
class TagSet:
    """All IOB2 tags of some entity types: "O" is class 0, then B- and I- of each type.

    Args:
        entity_types: Names of the entity types, e.g. ("LOC", "ORG", "PER"); order is kept.

    Raises:
        UserError: A type is empty, repeated, or there is none.

    Example:
        >>> tags = TagSet.of(["PER", "LOC"])
        >>> tags.names
        ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
        >>> tags.index("B-PER"), len(tags)
        (3, 5)
    """

    entity_types: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check the entity types."""
        if not self.entity_types:
            raise UserError("at least one entity type must be given, but got none.")
        if len(set(self.entity_types)) != len(self.entity_types) or "" in self.entity_types:
            raise UserError(
                f"entity types must be distinct and not empty, but got {self.entity_types}."
            )

    @classmethod
    def of(cls, entity_types: Iterable[str]) -> TagSet:
        """Build the tag set of some types in alphabetical order, whatever order they come in.

        Classes so have the same index in teachers of several sources, and however many sentences
        of a source are read.
        """
        return cls(tuple(sorted(set(entity_types))))

    @classmethod
    def of_tags(cls, tags: Iterable[str]) -> TagSet:
        """Build the tag set of all types that occur in some BIO tags."""
        return cls.of(tag[2:] for tag in set(tags) if tag != OUTSIDE)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The tags in the order of their class indices."""
        return (OUTSIDE, *(f"{mark}-{kind}" for kind in self.entity_types for mark in "BI"))

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def index(self, tag: str) -> int:
        """Return the class index of a tag; UserError for a tag that is not in the set."""
        try:
            return self._indices[tag]
        except KeyError:
            valid = ", ".join(self.names)
            raise UserError(f"a tag must be one of {valid}, but got {tag!r}.") from None

    def indices(self, tags: Sequence[str]) -> list[int]:
        """Return the class indices of a sequence of tags."""
        return [self.index(tag) for tag in tags]

    def __len__(self) -> int:
        """Return C, the number of classes, "O" included."""
        return len(self.names)
