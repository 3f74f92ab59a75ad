from dataclasses import FrozenInstanceError
from itertools import permutations

import pytest

from prokd.data.labels import OUTSIDE, TagSet
from prokd.errors import UserError


def test_outside_is_class_zero_and_types_follow_in_pairs() -> None:
    tags = TagSet(("PER", "LOC"))
    assert tags.names == ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    assert tags.index(OUTSIDE) == 0
    assert len(tags) == 5


@pytest.mark.parametrize("types", [("PER",), ("LOC", "ORG", "PER"), ("A", "B", "C", "D-E")])
def test_index_and_name_are_inverse(types: tuple[str, ...]) -> None:
    tags = TagSet(types)
    assert len(tags) == 2 * len(types) + 1
    assert tags.indices(tags.names) == list(range(len(tags)))
    assert [tags.names[tags.index(name)] for name in tags.names] == list(tags.names)


@pytest.mark.parametrize("order", list(permutations(["PER", "LOC", "ORG"])))
def test_of_does_not_depend_on_order_or_repetition(order: tuple[str, ...]) -> None:
    assert TagSet.of([*order, order[0]]) == TagSet(("LOC", "ORG", "PER"))
    assert hash(TagSet.of(order)) == hash(TagSet(("LOC", "ORG", "PER")))


def test_of_tags() -> None:
    assert TagSet.of_tags(["O", "I-PER", "B-LOC", "O", "B-PER"]) == TagSet.of(["LOC", "PER"])
    assert TagSet.of_tags(["B-D-E"]).names == ("O", "B-D-E", "I-D-E")


@pytest.mark.parametrize("tag", ["B-GPE", "PER", "b-PER", "S-PER", ""])
def test_a_tag_outside_the_set(tag: str) -> None:
    message = f"a tag must be one of O, B-PER, I-PER, but got '{tag}'"
    with pytest.raises(UserError, match=message):
        TagSet(("PER",)).index(tag)
    with pytest.raises(UserError, match=message):
        TagSet(("PER",)).indices(["O", tag])


def test_at_least_one_entity_type() -> None:
    with pytest.raises(UserError, match="at least one entity type must be given"):
        TagSet(())
    with pytest.raises(UserError, match="at least one entity type must be given"):
        TagSet.of_tags(["O", "O"])


@pytest.mark.parametrize("types", [("PER", "PER"), ("PER", "")])
def test_entity_types_are_distinct_and_named(types: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="entity types must be distinct and not empty, but got"):
        TagSet(types)


def test_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        TagSet(("PER",)).entity_types = ("LOC",)  # type: ignore[misc]
