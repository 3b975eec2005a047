"""The app that takes what providers tell by themselves; the plugin mounts it at `/voxlake-webhooks`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from fastapi import FastAPI

from voxlake.lake.storage import Storage
from voxlake.web.receiver import Count, Receiver
from voxlake.web.ringcentral_webhook import ringcentral_router


def create_webhooks(
    open_lake: Callable[[], Storage],
    verification_token: Callable[[], str],
    tell_airflow: Callable[[], None],
    count: Count,
) -> FastAPI:
    """The app.

    Args:
        open_lake: Opens the lake; called by the first request that needs it.
        verification_token: Reads what each of RingCentral's notifications is to carry.
        tell_airflow: Tells Airflow that there are events of RingCentral's in the inbox.
        count: Counts what became of requests, by provider.
    """
    # Nothing of it is for people to look at.
    app = FastAPI(title="Voxlake webhooks", docs_url=None, redoc_url=None, openapi_url=None)
    receiver = Receiver("ringcentral", cache(open_lake), tell_airflow, count)
    app.include_router(ringcentral_router(receiver, verification_token))
    return app
