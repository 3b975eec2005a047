"""The app that takes what providers tell by themselves; the plugin mounts it at `/voxlake-webhooks`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from fastapi import FastAPI

from voxlake.lake.storage import Storage
from voxlake.web.receiver import Count, Receiver
from voxlake.web.ringcentral_webhook import ringcentral_router
from voxlake.web.sinch_webhook import SinchCallbacks, sinch_router


def create_webhooks(
    open_lake: Callable[[], Storage],
    verification_token: Callable[[], str],
    tell_airflow: Callable[[], None],
    count: Count,
    sinch: SinchCallbacks | None = None,
) -> FastAPI:
    """The app.

    Args:
        open_lake: Opens the lake; called by the first request that needs it.
        verification_token: Reads what each of RingCentral's notifications is to carry.
        tell_airflow: Tells Airflow that there are events of RingCentral's in the inbox.
        count: Counts what became of requests, by provider.
        sinch: What Sinch's callbacks are answered with; None to have no address for them.
    """
    # Nothing of it is for people to look at.
    app = FastAPI(title="Voxlake webhooks", docs_url=None, redoc_url=None, openapi_url=None)
    lake = cache(open_lake)
    app.include_router(ringcentral_router(Receiver("ringcentral", lake, tell_airflow, count), verification_token))
    if sinch is not None:
        app.include_router(sinch_router(Receiver("sinch", lake, sinch.tell_airflow, count), sinch))
    return app
