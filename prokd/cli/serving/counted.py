"""Requests of one path are counted by status and timed."""

from __future__ import annotations

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prokd.cli.serving.metrics import Metrics


class Counted:
    """Middleware that tells metrics of each request to a path.

    Args:
        app: What answers.
        path: The path.
        metrics: Are told.
    """

    def __init__(self, app: ASGIApp, path: str, metrics: Metrics) -> None:
        self._app = app
        self._path = path
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it when it is answered."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        status, start = 500, perf_counter()  # of a request that fails before it has an answer

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.requests.labels(str(status)).inc()
            self._metrics.request_seconds.observe(perf_counter() - start)
