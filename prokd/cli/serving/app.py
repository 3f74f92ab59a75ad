"""The paths of a server: /tag, /health, /metrics and the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Response

from prokd.cli.serving.batching import Batcher
from prokd.cli.serving.body_limit import BodyLimit
from prokd.cli.serving.counted import Counted
from prokd.cli.serving.messages import Health, Problem, TagRequest, TagResponse
from prokd.cli.serving.metrics import FORM, Metrics
from prokd.cli.serving.page import page
from prokd.cli.serving.problems import answer_problems
from prokd.cli.serving.settings import ServingSettings
from prokd.cli.serving.tagging import response_of, sentences_of
from prokd.data.words import UNDETERMINED
from prokd.scoring.tagging import Tagger

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (413, 415, 422, 503)
}


def serving_app(
    tagger: Tagger, name: str, settings: ServingSettings, language: str | None = None
) -> FastAPI:
    """Return the app that serves a model.

    Pages of documentation that load scripts from elsewhere are off; /openapi.json is there.

    Args:
        tagger: The model.
        name: What it is called.
        settings: Batches and limits.
        language: Whose rules split raw text; None = the model's target.
    """
    code = language or tagger.language or UNDETERMINED
    metrics = Metrics()
    batcher = Batcher(tagger.tag, settings, metrics)

    @asynccontextmanager
    async def batching(app: FastAPI) -> AsyncIterator[None]:
        running = asyncio.create_task(batcher.run())
        yield
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    app = FastAPI(
        title="prokd", version=version("prokd"), docs_url=None, redoc_url=None, lifespan=batching
    )
    app.add_middleware(BodyLimit, most=settings.max_bytes)
    app.add_middleware(Counted, path="/tag", metrics=metrics)
    answer_problems(app)
    health = Health(
        model=name,
        entity_types=list(tagger.tag_set.entity_types),
        tags=list(tagger.tag_set.names),
        language=code,
        version=version("prokd"),
    )

    @app.post("/tag", responses=_PROBLEMS, response_model_exclude_none=True)
    async def tag(request: TagRequest) -> TagResponse:
        """Tag one text, several, or sentences of words."""
        sentences = await asyncio.to_thread(sentences_of, request, code, settings)
        words = [sentence.tokens for sentence in sentences]
        tagged = await batcher.tag(words)
        return await asyncio.to_thread(response_of, request, sentences, tagged)

    @app.get("/health")
    async def tell_health() -> Health:
        """Tell what is served."""
        return health

    @app.get("/metrics", include_in_schema=False)
    async def tell_metrics() -> Response:
        return Response(metrics.text(), media_type=FORM)

    @app.get("/", include_in_schema=False)
    async def show_page() -> Response:
        return page(health)

    return app
