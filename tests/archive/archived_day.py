"""The day that the steps of the archive are shown on, and short ways through the steps before the one under test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, Session
from voxlake.archive.download import Patience
from voxlake.archive.extract import extract_call_log
from voxlake.archive.land import Landed, land_call_log
from voxlake.archive.plan import SessionRef, plan_sessions
from voxlake.lake import layout, tables
from voxlake.lake.schemas import RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient

Row = dict[str, Any]

DAY = datetime(2024, 5, 14, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)

# How long a recording is waited for; those of DAY are long past it.
PATIENCE = Patience(wait=timedelta(hours=6), retention=timedelta(days=36500))

# Seven sessions start on DAY. The last of them begins at 23:59:33 and goes on after midnight, in a record of its own.
CONFIG = SandboxConfig(
    seed=38959,
    now=DAY + timedelta(days=2),
    mix=CallMix(
        calls_per_day=8, recorded_share=1, transferred_share=0.6, short_share=0, fax_share=0, leg_seconds=(30, 40)
    ),
    quotas={"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)},
    parallel_sessions=1000,
    detailed_per_page_cap=4,
)


def session_with(sandbox: Sandbox, recordings: int) -> Session:
    """The first session of the day with so many recordings."""
    return next(session for session in sandbox.truth(DAY, NEXT_DAY).sessions if len(session.recordings) == recordings)


def session_across_midnight(sandbox: Sandbox) -> Session:
    """The session of two records, one on either side of midnight."""
    session = sandbox.truth(DAY, NEXT_DAY).sessions[-1]
    assert [record.start_time.date() for record in session.records] == [DAY.date(), NEXT_DAY.date()]
    return session


def land_window(client: RingCentralClient, storage: Storage, start: datetime, end: datetime) -> Landed:
    """Extracts and lands a stretch of the call log."""
    return land_call_log(storage, extract_call_log(client, storage, start, end))


def plan_session(client: RingCentralClient, storage: Storage, session: Session) -> SessionRef:
    """Extracts, lands and plans one session."""
    end = session.records[-1].start_time + timedelta(milliseconds=1)
    landed = land_window(client, storage, session.start_time, end)
    (planned,) = plan_sessions(storage, {session.telephony_session_id: landed.sessions[session.telephony_session_id]})
    return planned


def rows(storage: Storage, table: Table) -> list[Row]:
    """All that the table holds of the day and its neighbours."""
    days = [(DAY + timedelta(days=shift)).date() for shift in (-1, 0, 1)]
    found: list[Row] = tables.read(storage, table, days).to_pylist()
    return found


def upsert(storage: Storage, table: Table, *changed: Row) -> None:
    tables.upsert(storage, table, tables.to_arrow(table, changed))


def downloads(storage: Storage, run_id: str, session: SessionRef) -> list[Row]:
    """What `download` left for `publish`."""
    return _outcome(storage, RECORDINGS, layout.outcome(run_id, "download", session.telephony_session_id))


def merges(storage: Storage, run_id: str, session: SessionRef) -> list[Row]:
    """What `merge` left for `publish`."""
    return _outcome(storage, SESSIONS, layout.outcome(run_id, "merge", session.telephony_session_id))


def content_requests(sandbox: Sandbox) -> list[str]:
    """The ids of the recordings whose content was asked for, in order."""
    return [entry.path.split("/")[-2] for entry in sandbox.requests if entry.path.endswith("/content")]


def files_of(*sessions: Row) -> list[str]:
    """What lies in `audio/sessions/` if these rows are all that there is."""
    return sorted(session[name] for session in sessions for name in ("audio_path", "peaks_path"))


def ids(found: Sequence[Any]) -> list[str]:
    return [item.id for item in found]


def _outcome(storage: Storage, table: Table, path: str) -> list[Row]:
    found: list[Row] = tables.from_parquet(table, storage.read(path).data).to_pylist()
    return found
