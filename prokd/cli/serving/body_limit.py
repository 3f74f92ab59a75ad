"""How many bytes of a body are read.

Starlette's own limit answers in plain text where a client tells the length beforehand.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Middleware that stops to read a body where it gets too long.

    Args:
        app: What reads the body.
        most: Bytes of it.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; reading its body raises the HTTP status 413 beyond the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            if told.isdigit() and int(told) > self._most:
                raise self._too_long(f"{told} are announced")
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise self._too_long(f"{seen} have come already")
            return message

        await self._app(scope, limited, send)

    def _too_long(self, what: str) -> HTTPException:
        return HTTPException(413, f"a body must have at most {self._most} bytes, but {what}.")
