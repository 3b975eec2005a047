"""The app: the routes of all pages behind one guard."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from fastapi import FastAPI

from voxlake.lake.storage import Storage
from voxlake.web import pages

PREFIX = "/voxlake"


def create_app(open_lake: Callable[[], Storage]) -> FastAPI:
    """The app, to be mounted at `PREFIX`.

    Args:
        open_lake: Opens the lake that the pages are about; called by the first request.
    """
    # No /docs and /openapi.json: they load scripts from a CDN.
    app = FastAPI(title="Voxlake", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.lake = cache(open_lake)
    for router in pages.ROUTERS:
        app.include_router(router)
    return app
