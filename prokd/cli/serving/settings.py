"""What may be set of a server: how requests are batched, and how much it takes."""

from __future__ import annotations

from pydantic import Field

from prokd.config.settings import Frozen


class ServingSettings(Frozen):
    """Batches and limits of a server."""

    batch_sentences: int = Field(
        32, ge=1, le=4096, description="A batch is closed at this many sentences"
    )
    batch_characters: int = Field(
        20_000, ge=1, le=10**8, description="A batch is closed at this many characters"
    )
    batch_milliseconds: int = Field(
        5,
        ge=0,
        le=10_000,
        description="A batch is closed when its first request has waited so long",
    )
    max_characters: int = Field(
        10_000, ge=1, le=10**7, description="Most characters of a text or sentence"
    )
    max_texts: int = Field(64, ge=1, le=10_000, description="Most texts or sentences of a request")
    max_bytes: int = Field(2**20, ge=64, le=2**30, description="Most bytes of a request's body")
    max_waiting: int = Field(
        256, ge=1, le=100_000, description="Most requests that wait for a batch"
    )
