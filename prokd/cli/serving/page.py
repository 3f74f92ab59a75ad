"""The page on which one types a text and sees its entities: one file, which loads nothing."""

from __future__ import annotations

import secrets
from functools import cache
from importlib import resources

from fastapi.responses import HTMLResponse
from jinja2 import Environment, Template

from prokd.cli.serving.messages import Health
from prokd.common.palette import COLOURS

_POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a browser lets the page do: run its own script, and ask this server."""


def page(health: Health) -> HTMLResponse:
    """Return the page of a model, with a colour for each of its entity types."""
    nonce = secrets.token_urlsafe(16)
    colours = {
        kind: COLOURS[place % len(COLOURS)] for place, kind in enumerate(health.entity_types)
    }
    text = _template().render(health=health, colours=colours, nonce=nonce)
    headers = {"content-security-policy": _POLICY.format(nonce), "referrer-policy": "no-referrer"}
    return HTMLResponse(text, headers=headers)


@cache
def _template() -> Template:
    text = resources.files("prokd.cli.serving").joinpath("page.html").read_text(encoding="utf-8")
    return Environment(autoescape=True).from_string(text)
