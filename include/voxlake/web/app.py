"""The app: the routes of all pages behind one guard."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from voxlake.lake.storage import Storage
from voxlake.web import audio, pages, static_files
from voxlake.web.dependencies import open_once
from voxlake.web.errors import register_error_handlers
from voxlake.web.guard import Guard
from voxlake.web.headers import SecurityHeaders
from voxlake.web.rights import AIRFLOW_IS_KNOWN, offer_rights

log = logging.getLogger(__name__)


def create_app(open_lake: Callable[[], Storage]) -> FastAPI:
    """The app, to be mounted at `/voxlake`.

    Args:
        open_lake: Opens the lake that the pages are about; called by the first request that needs it.
    """
    # No /docs and /openapi.json: they load scripts from a CDN.
    app = FastAPI(title="Voxlake", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    app.state.lake = open_once(app, open_lake)
    for router in (*pages.ROUTERS, audio.router, static_files.router):
        app.include_router(router)
    register_error_handlers(app)
    app.add_middleware(Guard)
    # The last one added is the first one asked: what the guard answers is secured too.
    app.add_middleware(SecurityHeaders)
    return app


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Entered by Airflow when its API server starts."""
    if AIRFLOW_IS_KNOWN:
        try:
            await run_in_threadpool(offer_rights)
        except Exception:
            # Without them the pages stay closed; all else of Airflow is to start.
            log.exception("the rights of the Recordings page are not in Airflow's database: they cannot be given")
    yield
