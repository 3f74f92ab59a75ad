"""Requests that get no answer: a status and one sentence, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from prokd.errors import UserError

_SHOWN = 80
"""Most characters of a value in a sentence."""
_FORM = "the body must be JSON in UTF-8, sent with the header content-type: application/json"


class Refused(UserError):  # noqa: N818 - an answer of the server, no failure of it
    """A request that a limit of the server keeps out.

    Args:
        status: The HTTP status.
        sentence: The rule and the value.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def answer_problems(app: FastAPI) -> None:
    """Let an app answer whatever goes wrong with one sentence."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UserError, _refused)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _failed)


def problem(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer of a request that gets no other."""
    return JSONResponse({"error": sentence}, status, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    kind = request.headers.get("content-type", "none")
    if kind.partition(";")[0].strip().lower() != "application/json":
        return problem(415, f"{_FORM}, but got content-type: {_short(kind)}.")
    return problem(422, _sentence(error.errors()[0]))


def _sentence(item: Mapping[str, Any]) -> str:
    """Say in one sentence what the first mistake of a body is."""
    if item["type"] == "json_invalid":
        return f"{_FORM}, but got: {item['ctx']['error']} at character {item['loc'][-1]}."
    place = _place(item["loc"][1:])
    message = item["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if item["type"] == "value_error":  # a sentence of ours, with its value
        return f"{message}."
    return f"{place}: {message}, but got {_short(repr(item['input']))}."


def _place(parts: Sequence[str | int]) -> str:
    """Write where in a body a value stands.

    >>> _place(["texts", 0]), _place([])
    ('texts[0]', 'the body')
    """
    return "".join(f"[{part}]" if isinstance(part, int) else part for part in parts) or "the body"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


async def _refused(request: Request, error: Exception) -> JSONResponse:
    status = error.status if isinstance(error, Refused) else 422
    return problem(status, str(error), {"retry-after": "1"} if status == 503 else None)


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    sentences = {
        400: f"{_FORM}, but got one that cannot be read.",
        404: f"the path must be /, /tag, /health or /metrics, but got {_short(request.url.path)}.",
        405: f"{request.url.path} cannot be asked by {request.method}.",
    }
    sentence = sentences.get(error.status_code, str(error.detail))
    return problem(error.status_code, sentence, error.headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    return problem(500, f"the server failed at this request: {type(error).__name__}.")
