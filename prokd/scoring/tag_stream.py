"""Tags for a file of any size: chunk by chunk, on all cores, in the order of the file."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

import torch

from prokd.config import RuntimeConfig
from prokd.data.input_chunks import Chunk, sentences_in
from prokd.data.words import UNDETERMINED
from prokd.errors import UserError
from prokd.scoring.tagged_text import as_conll, as_record
from prokd.scoring.tagging import Tagger

AHEAD = 2
"""Chunks for each process that are read before the first of them is written."""


@dataclass(frozen=True)
class TaggingJob:
    """What is done with each chunk.

    Args:
        folder: The model, as `Tagger` takes it.
        device: As `RuntimeConfig` has it.
        encoder: As `Tagger` takes it.
        language: Whose rules split raw text; None = the model's target.
        split: Whether raw text is split into words.
        valid: As in `Tagger.tag`.
        output: "conll" or "json".
    """

    folder: str
    device: str = "auto"
    encoder: str | None = None
    language: str | None = None
    split: bool = True
    valid: bool = True
    output: str = "conll"

    def tagger(self) -> Tagger:
        """Load the model."""
        return Tagger(self.folder, RuntimeConfig(device=self.device), self.encoder)


class Tagged(NamedTuple):
    """What became of a chunk.

    Args:
        text: As it is written.
        sentences: Their number.
        words: Their number.
        end: As in `Chunk`.
    """

    text: str
    sentences: int
    words: int
    end: int | None


def tag_chunks(job: TaggingJob, chunks: Iterable[Chunk], *, workers: int) -> Iterator[Tagged]:
    """Yield what becomes of chunks, in their order; the same for any number of workers.

    Args:
        job: What is done with each.
        chunks: Read a few ahead of what is yielded, no more.
        workers: Processes, each with the model and one core; with 1, or for a single chunk, this
            process does it.

    Raises:
        UserError: A line that has not its form, or a process that was killed.
    """
    source = iter(chunks)
    first = list(islice(source, 2))
    if workers == 1 or len(first) < 2:
        tagger = job.tagger()
        for chunk in chain(first, source):
            yield _tagged(tagger, job, chunk)
        return
    start = "fork" if sys.platform.startswith("linux") else "spawn"
    with ProcessPoolExecutor(
        workers, multiprocessing.get_context(start), initializer=_load, initargs=(job,)
    ) as pool:
        waiting: deque[Future[Tagged]] = deque()
        try:
            for chunk in chain(first, source):
                waiting.append(pool.submit(_work, chunk))
                if len(waiting) > AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise UserError(
                "a process that tags was killed, by lack of memory as a rule: fewer --workers "
                "need less."
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def cores() -> int:
    """Return how many cores this process may use."""
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def _tagged(tagger: Tagger, job: TaggingJob, chunk: Chunk) -> Tagged:
    code = job.language or tagger.language or UNDETERMINED
    sentences = sentences_in(chunk, language=code, split=job.split)
    words = [sentence.tokens for sentence in sentences]
    tagged = tagger.tag(words, valid=job.valid)
    if job.output == "conll":
        text = as_conll(tagged)
    else:
        pairs = zip(sentences, tagged, strict=True)
        text = "".join(json.dumps(as_record(*pair), ensure_ascii=False) + "\n" for pair in pairs)
    return Tagged(text, len(sentences), sum(map(len, words)), chunk.end)


_HERE: list[tuple[Tagger, TaggingJob]] = []
"""In a worker: the one model, and what is done with it."""


def _load(job: TaggingJob) -> None:
    torch.set_num_threads(1)
    _HERE.append((job.tagger(), job))


def _work(chunk: Chunk) -> Tagged:
    return _tagged(*_HERE[0], chunk)
