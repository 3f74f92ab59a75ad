"""How the sentences of several requests come together, and what one's failure means to others."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from prokd.cli.serving.batching import Batcher
from prokd.cli.serving.metrics import Metrics
from prokd.cli.serving.problems import Refused
from prokd.cli.serving.settings import ServingSettings
from prokd.scoring.tagging import Tagger


@pytest.fixture(scope="module")
def tagger(trained: Any) -> Tagger:
    return Tagger(trained[1])


class Recorded:
    """A tagger's own `tag`, which fails at one word, and the batches that it gets."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger = tagger
        self.batches: list[int] = []

    def __call__(self, sentences: list[list[str]]) -> Any:
        self.batches.append(len(sentences))
        if ["fails"] in sentences:
            raise MemoryError("no memory")
        return self.tagger.tag(sentences)


def answered(batcher: Batcher, jobs: list[list[list[str]]]) -> list[Any]:
    """Ask for all jobs at once; return answers and errors."""

    async def together() -> list[Any]:
        waiting = asyncio.gather(*map(batcher.tag, jobs), return_exceptions=True)
        running = asyncio.create_task(batcher.run())
        found = await waiting
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return found

    return asyncio.run(together())


@pytest.mark.parametrize(
    ("settings", "batches"),
    [
        ({"batch_sentences": 4}, [4, 4, 1]),  # the last one by time
        ({"batch_sentences": 5}, [4, 5]),  # a request is not torn apart
        ({"batch_sentences": 3}, [3, 3, 3]),
        ({"batch_characters": 10}, [2, 2, 2, 2, 1]),
        ({"batch_characters": 1}, [1, 1, 1, 1, 2, 1, 1, 1]),  # what is too much goes alone
        ({}, [9]),
    ],
)
def test_batches_by_size(tagger: Tagger, settings: dict[str, int], batches: list[int]) -> None:
    tag = Recorded(tagger)
    jobs = [[["anna"]]] * 4 + [[["omar"], ["in"]]] + [[["cairo"]]] * 3
    found = answered(
        Batcher(tag, ServingSettings(batch_milliseconds=200, **settings), Metrics()), jobs
    )
    assert tag.batches == batches
    for job, tagged in zip(jobs, found, strict=True):
        assert [item.words for item in tagged] == job
        assert [item.tags for item in tagged] == [item.tags for item in tagger.tag(job)]


def test_what_fails_fails_alone_and_too_many_do_not_wait(tagger: Tagger) -> None:
    tag = Recorded(tagger)
    jobs = [[["anna"]], [["fails"]], [["omar"]], [["paris"]]]
    batcher = Batcher(tag, ServingSettings(max_waiting=3), Metrics())
    anna, failed, omar, refused = answered(batcher, jobs)
    assert (anna[0].words, omar[0].words) == (["anna"], ["omar"])
    assert isinstance(failed, MemoryError)
    assert isinstance(refused, Refused)
    assert str(refused) == "at most 3 requests may wait, but 3 do already."
    assert tag.batches == [3, 1, 1, 1]
