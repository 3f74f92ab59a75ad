"""Sentences of several requests go through the model together, in one thread.

A batch is closed at a number of sentences or characters, or when its first request has waited for
long enough, whichever comes first. While one is tagged the next gathers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

from prokd.cli.serving.metrics import Metrics
from prokd.cli.serving.problems import Refused
from prokd.cli.serving.settings import ServingSettings
from prokd.scoring.tagged_text import TaggedSentence

Sentences = list[list[str]]
Tag = Callable[[Sentences], Sequence[TaggedSentence]]


@dataclass(frozen=True)
class _Job:
    """Sentences of one request, when they came, and what becomes of them."""

    sentences: Sentences
    num_characters: int
    arrived: float
    found: asyncio.Future[Sequence[TaggedSentence]]


class Batcher:
    """Gathers the sentences of requests into batches, as long as `run` does.

    Args:
        tag: The model: as many tagged sentences as it gets. It is called in one thread alone.
        settings: When a batch is closed, and how many requests may wait.
        metrics: Are told of every batch.
    """

    def __init__(self, tag: Tag, settings: ServingSettings, metrics: Metrics) -> None:
        self._tag = tag
        self._settings = settings
        self._metrics = metrics
        self._waiting: deque[_Job] = deque()
        self._arrived = asyncio.Event()
        metrics.watch_queue(lambda: len(self._waiting))

    async def tag(self, sentences: Sentences) -> Sequence[TaggedSentence]:
        """Return the tags of a request's sentences; it waits for its batch.

        Raises:
            Refused: Too many requests wait already.
        """
        most = self._settings.max_waiting
        if len(self._waiting) >= most:
            raise Refused(
                503, f"at most {most} requests may wait, but {len(self._waiting)} do already."
            )
        loop = asyncio.get_running_loop()
        num_characters = sum(len(word) for words in sentences for word in words)
        job = _Job(sentences, num_characters, loop.time(), loop.create_future())
        self._waiting.append(job)
        self._arrived.set()
        return await job.found

    async def run(self) -> None:
        """Tag batch after batch, until it is cancelled."""
        with ThreadPoolExecutor(1, "tagger") as thread:
            while True:
                await self._gather()
                batch = [self._waiting.popleft() for _ in range(self._first_batch()[0])]
                await self._answer(batch, thread)

    async def _gather(self) -> None:
        """Wait until a batch is to be closed."""
        while not self._waiting:
            await self._next_arrival()
        latest = self._waiting[0].arrived + self._settings.batch_milliseconds / 1000
        with suppress(TimeoutError):
            async with asyncio.timeout_at(latest):
                while not self._first_batch()[1]:
                    await self._next_arrival()

    async def _next_arrival(self) -> None:
        self._arrived.clear()
        await self._arrived.wait()

    def _first_batch(self) -> tuple[int, bool]:
        """Return how many requests go together, at least one, and whether no more can."""
        most = self._settings
        sentences = characters = 0
        for number, job in enumerate(self._waiting):
            sentences += len(job.sentences)
            characters += job.num_characters
            if sentences > most.batch_sentences or characters > most.batch_characters:
                return max(number, 1), True
        is_full = sentences == most.batch_sentences or characters == most.batch_characters
        return len(self._waiting), is_full

    async def _answer(self, batch: list[_Job], thread: ThreadPoolExecutor) -> None:
        """Tag a batch; if that fails, each request by itself, so that one fails alone."""
        loop = asyncio.get_running_loop()
        sentences = [words for job in batch for words in job.sentences]
        start = perf_counter()
        try:
            tagged = await loop.run_in_executor(thread, self._tag, sentences)
        except Exception as error:
            if len(batch) == 1:
                _settle(batch[0], error)
                return
            for job in batch:
                await self._answer([job], thread)
            return
        self._count(batch, sentences, perf_counter() - start)
        first = 0
        for job in batch:
            end = first + len(job.sentences)
            _settle(job, tagged[first:end])
            first = end

    def _count(self, batch: list[_Job], sentences: Sentences, seconds: float) -> None:
        self._metrics.sentences.inc(len(sentences))
        self._metrics.words.inc(sum(map(len, sentences)))
        self._metrics.batch_requests.observe(len(batch))
        self._metrics.batch_sentences.observe(len(sentences))
        self._metrics.batch_seconds.observe(seconds)


def _settle(job: _Job, outcome: Sequence[TaggedSentence] | Exception) -> None:
    """Hand a request what came of it, unless it has gone meanwhile."""
    if job.found.done():
        return
    if isinstance(outcome, Exception):
        job.found.set_exception(outcome)
    else:
        job.found.set_result(outcome)
