"""Which days still have something missing, and the sessions to try again for them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import pyarrow.compute as pc

from voxlake.archive.deadlines import pending_sessions
from voxlake.lake import tables
from voxlake.lake.layout import RINGCENTRAL
from voxlake.lake.schemas import RECONCILIATION, RECORDINGS
from voxlake.lake.storage import Storage

_OURS = pc.field("provider") == RINGCENTRAL
_MISSING = ("recordings_pending", "recordings_failed", "sessions_unmerged")


def unfinished_days(storage: Storage, since: date, until: date) -> set[date]:
    """The UTC days with recordings of RingCentral to fetch, or with something missing when they were last compared.

    Args:
        storage: The lake.
        since: The first day to look at.
        until: The last one.
    """
    days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    compared = tables.read(storage, RECONCILIATION, days, _OURS, ["day", *_MISSING]).to_pylist()
    missing = {row["day"].date() for row in compared if any(row[name] for name in _MISSING)}
    return missing | {day for of_session in pending_sessions(storage, since, until).values() for day in of_session}


def recorded_sessions(storage: Storage, days: Iterable[date]) -> dict[str, set[date]]:
    """The sessions of RingCentral with recordings on some UTC days, each with those of the days."""
    sessions: dict[str, set[date]] = {}
    for row in tables.read(storage, RECORDINGS, days, _OURS, ["telephony_session_id", "start_time"]).to_pylist():
        sessions.setdefault(row["telephony_session_id"], set()).add(row["start_time"].date())
    return sessions
