"""What the tasks of `ringcentral_subscription` run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from voxlake.airflow import metrics, steps
from voxlake.airflow.hook import RingCentralHook
from voxlake.airflow.lake import open_lake
from voxlake.airflow.retries import connection_errors_in_airflow_terms
from voxlake.archive.subscription import Wanted, keep_subscribed, last_event_at, read_note
from voxlake.settings import get_settings

log = logging.getLogger(__name__)

Context = Mapping[str, Any]


def subscribe(context: Context) -> None:
    """Sees to it that there is one working subscription.

    Raises:
        ValueError: `VOXLAKE_WEBHOOK_URL` is not set, or no public https address.
        TooManySubscriptionsError: RingCentral admits no further one.
    """
    settings, lake = get_settings(), open_lake()
    _check_address(settings.webhook_url)
    (credentials,) = RingCentralHook().credentials(spread=False)
    wanted = Wanted(settings.event_filter, settings.webhook_url, credentials.verification_token)
    with (
        steps.connected(context, lake, steps.EXTRACT_MAX_WAIT, spread=False) as (conn_id, client),
        connection_errors_in_airflow_terms(conn_id),
    ):
        keep_subscribed(client, lake, wanted, datetime.now(UTC))


def report() -> dict[str, str | None]:
    """Says in one place whether events arrive: in its log, its XCom and the metric `voxlake.events.silent`."""
    lake, now = open_lake(), datetime.now(UTC)
    note, last = read_note(lake), last_event_at(lake)
    metrics.send_silence(None if last is None else now - last)
    said = {
        "subscription": note.subscription_ids[0] if note.subscription_ids else None,
        "active_at": note.checked_at.isoformat() if note.checked_at else None,
        "expires_at": note.expires_at.isoformat() if note.expires_at else None,
        "last_event_at": last.isoformat() if last else None,
    }
    log.info(
        "subscription %(subscription)s: active at %(active_at)s, expires at %(expires_at)s; the last event of a week "
        "came at %(last_event_at)s",
        said,
    )
    return said


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise ValueError(
            f"VOXLAKE_WEBHOOK_URL is {url!r}: expected the public https address of the API server, followed by "
            "/voxlake-webhooks/ringcentral"
        )
