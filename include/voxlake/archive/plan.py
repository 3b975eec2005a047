"""Plan: which sessions have something to download or to merge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from voxlake.lake import tables
from voxlake.lake.layout import RINGCENTRAL
from voxlake.lake.schemas import RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage

Row = dict[str, Any]

# Mostly a recording is there minutes after its call, "occasionally" later; neither a 404 nor half a file says which:
# https://developers.ringcentral.com/guide/voice/call-log/recordings
# Three nights of `ringcentral_reconcile` look for it.
_MAY_STILL_COME = timedelta(hours=72)
_MAY_PASS = ("not_found", "damaged")

# A task instance costs Airflow a second of a core, more than most sessions take. So where not every session can have
# one of its own, fewer are better, each with so few sessions that it is no loss to do one again.
_BATCHES = 256


@dataclass(frozen=True)
class SessionRef:
    """A session that a run is to archive: all that one task hands another about it.

    Attributes:
        telephony_session_id: Which session.
        days: The UTC days that its recordings start on.
        recording_ids: Its recordings as the plan knew them; what another run lands meanwhile that run answers for.
        provider: Whose session.
    """

    telephony_session_id: str
    days: tuple[date, ...]
    recording_ids: tuple[str, ...]
    provider: str = RINGCENTRAL

    def to_json(self) -> dict[str, Any]:
        """As it stands in an XCom."""
        return {
            "telephony_session_id": self.telephony_session_id,
            "days": [day.isoformat() for day in self.days],
            "recording_ids": list(self.recording_ids),
            "provider": self.provider,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SessionRef:
        """The reverse of `to_json`."""
        days = tuple(date.fromisoformat(day) for day in value["days"])
        # A run that began before an update has no provider in its XComs.
        provider = value.get("provider", RINGCENTRAL)
        return cls(value["telephony_session_id"], days, tuple(value["recording_ids"]), provider)


def plan_sessions(
    storage: Storage, sessions: Mapping[str, Iterable[date]], provider: str = RINGCENTRAL
) -> list[SessionRef]:
    """Those of the sessions that are not whole in the archive yet, in the order they began.

    A session is whole when no recording is to be fetched, and the merged file has all that are downloaded.

    Args:
        storage: The lake.
        sessions: telephonySessionIds, each with UTC days that recordings of it start on.
        provider: Whose sessions.
    """
    if not sessions:
        return []
    days = days_around(day for known in sessions.values() for day in known)
    merged = read_merged(storage, sessions, days, provider)
    unfinished = [
        (rows, session)
        for session, rows in read_recordings(storage, sessions, days, provider).items()
        if any(is_to_fetch(row) for row in rows)
        or [row["recording_id"] for row in rows if row["status"] == "downloaded"] != merged.get(session, [])
    ]
    unfinished.sort(key=lambda item: (item[0][0]["start_time"], item[1]))
    return [
        SessionRef(
            session,
            days=tuple(sorted({row["start_time"].date() for row in rows})),
            recording_ids=tuple(row["recording_id"] for row in rows),
            provider=provider,
        )
        for rows, session in unfinished
    ]


def find_sessions(storage: Storage, telephony_session_ids: Iterable[str]) -> dict[str, set[date]]:
    """Where sessions of RingCentral lie that nobody knows the days of; one without a recording in the lake is left out.

    Days are looked at from the newest on, until every session has been met.

    Args:
        storage: The lake.
        telephony_session_ids: Which.

    Returns:
        The telephonySessionIds, each with a UTC day that recordings of it start on; more may lie on those beside.
    """
    left = set(telephony_session_ids)
    found: dict[str, set[date]] = {}
    for day in reversed(tables.stored_days(storage, RECORDINGS)):
        if not left:
            break
        met = tables.read(storage, RECORDINGS, [day], _of(left, RINGCENTRAL), ["telephony_session_id"])
        for session in met["telephony_session_id"].unique().to_pylist():
            found[session] = {day}
            left.discard(session)
    return found


def waiting_sessions(storage: Storage, calls: pa.Table, besides: Iterable[str]) -> dict[str, set[date]]:
    """The sessions with recordings that some calls claim, or claimed once, and that are still to be fetched.

    Args:
        storage: The lake.
        calls: Rows of `calls`, of which `call_id` and `start_time` are looked at.
        besides: Sessions that are planned anyhow, and so not asked for.

    Returns:
        The telephonySessionIds, each with the UTC days that those recordings start on.
    """
    days = days_around(calls["start_time"].cast(pa.date32()).unique().to_pylist())
    columns = ["provider", "telephony_session_id", "call_id", "start_time", "status", "unavailable_reason"]
    missing = tables.read(storage, RECORDINGS, days, pc.field("status") != "downloaded", columns)
    known = pa.array(besides, pa.string())
    asked = pc.is_in(missing["call_id"], value_set=calls["call_id"].unique())
    asked = pc.and_not(asked, pc.is_in(missing["telephony_session_id"], value_set=known))
    sessions: defaultdict[str, set[date]] = defaultdict(set)
    for row in missing.filter(asked).to_pylist():
        if is_to_fetch(row):
            sessions[row["telephony_session_id"]].add(row["start_time"].date())
    return dict(sessions)


def is_to_fetch(recording: Row) -> bool:
    """Whether a run that comes by a recording is to ask the provider for it."""
    if recording["provider"] != RINGCENTRAL:
        # What others deliver by themselves is looked for where they put it.
        return False
    start: datetime = recording["start_time"]
    if recording["status"] == "unavailable":
        # A reason other than this says that the provider has dropped it.
        return recording["unavailable_reason"] in _MAY_PASS and datetime.now(UTC) < start + _MAY_STILL_COME
    return recording["status"] in ("pending", "failed")


def days_around(days: Iterable[date]) -> set[date]:
    """The days and their neighbours: a session that crosses midnight has recordings on either side of it."""
    return {day + timedelta(days=shift) for day in days for shift in (-1, 0, 1)}


def read_merged(
    storage: Storage, sessions: Iterable[str], days: Iterable[date], provider: str = RINGCENTRAL
) -> dict[str, list[str]]:
    """The recordings in the merged file of each session of a provider that has one, as they play."""
    rows = tables.read(storage, SESSIONS, days, _of(sessions, provider)).to_pylist()
    merged: dict[str, list[str]] = {}
    for row in rows:
        # Where the first recording of a session landed last, on the day before, the row of the shorter file is still on
        # the day after.
        session = row["telephony_session_id"]
        merged[session] = max(merged.get(session, []), row["recording_ids"], key=len)
    return merged


def read_recordings(
    storage: Storage, sessions: Iterable[str], days: Iterable[date], provider: str = RINGCENTRAL
) -> dict[str, list[Row]]:
    """The rows of `recordings` of a provider on some UTC days by session, each session's as they happened."""
    rows = tables.read(storage, RECORDINGS, days, _of(sessions, provider)).to_pylist()
    by_session: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["start_time"], row["recording_id"])):
        by_session[row["telephony_session_id"]].append(row)
    return dict(by_session)


def batch(sessions: Sequence[SessionRef], limit: int) -> list[list[SessionRef]]:
    """One session a group if these are at most `limit`; else `_BATCHES` groups of nearly equal size, in their order."""
    groups = len(sessions) if len(sessions) <= limit else min(limit, _BATCHES)
    size, larger = divmod(len(sessions), groups) if groups else (0, 0)
    bounds = [size * number + min(number, larger) for number in range(groups + 1)]
    return [list(sessions[start:end]) for start, end in pairwise(bounds)]


def _of(sessions: Iterable[str], provider: str) -> pc.Expression:
    return pc.field("telephony_session_id").isin(list(sessions)) & (pc.field("provider") == provider)
