"""Counts and times of a server, in the text form of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
FORM = CONTENT_TYPE_PLAIN_0_0_4
"""The content type of `Metrics.text`."""


class Metrics:
    """What a server counts; each has its own registry, so that two do not meet."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "prokd_requests", "Requests to /tag, by HTTP status", ["status"], registry=registry
        )
        self.request_seconds = Histogram(
            "prokd_request_seconds",
            "From a request to its answer, /tag",
            buckets=_SECONDS,
            registry=registry,
        )
        self.sentences = Counter("prokd_sentences", "Sentences tagged", registry=registry)
        self.words = Counter("prokd_words", "Words tagged", registry=registry)
        self.batch_sentences = Histogram(
            "prokd_batch_sentences", "Sentences of a batch", buckets=_SIZES, registry=registry
        )
        self.batch_requests = Histogram(
            "prokd_batch_requests", "Requests of a batch", buckets=_SIZES, registry=registry
        )
        self.batch_seconds = Histogram(
            "prokd_batch_seconds",
            "Seconds that the model takes for a batch",
            buckets=_SECONDS,
            registry=registry,
        )
        self._waiting = Gauge(
            "prokd_waiting_requests", "Requests that wait for a batch", registry=registry
        )

    def watch_queue(self, length: Callable[[], float]) -> None:
        """Ask for the number of waiting requests whenever the metrics are asked for."""
        self._waiting.set_function(length)

    def text(self) -> bytes:
        """Return all values."""
        return generate_latest(self._registry)
