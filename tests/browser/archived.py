"""A lake for the pages to show: some days of the sandbox's calls, archived by the steps of the archive themselves.

It holds what a page has to tell apart (whole, partial, pending, failed and unrecorded conversations, transfers), and
one conversation whose caller means harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from sandbox.ringcentral import CallMix, Fault, QuotaLimit, Sandbox, SandboxConfig, Session, run_sandbox
from voxlake.archive.download import Patience, RecordingsFailedError, download_session
from voxlake.archive.extract import extract_call_log
from voxlake.archive.land import land_call_log
from voxlake.archive.merge import merge_session
from voxlake.archive.plan import SessionRef, plan_sessions
from voxlake.archive.publish import publish_run
from voxlake.archive.reconcile import reconcile_days
from voxlake.archive.source_days import source_days
from voxlake.lake import tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState

RUN_ID = "scheduled__2026-11-20T10:00:00+00:00"
# A page that takes one of these for HTML or script changes its title.
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>'\"&{{7*7}}"
HOSTILE_NUMBER = "\"><svg onload=document.title='taken'>"
HOSTILE_ID = "s-hostile"

_RETENTION = timedelta(days=90)
_PATIENCE = Patience(wait=timedelta(hours=1), retention=_RETENTION)
_MIX = CallMix(
    calls_per_day=7,
    recorded_share=0.8,
    transferred_share=0.5,
    conversation_share=0.3,
    leg_seconds=(30, 45),
    fax_share=0,
)


@dataclass(frozen=True)
class Archived:
    """What lies in the lake.

    Attributes:
        folder: Where it and the state lie.
        lake: It.
        first: The first UTC day.
        last: The last one.
        whole: A late conversation with three recordings or more, all held.
        partial: One that lacks a recording which was deleted before it was fetched.
        failed: One whose only recording could not be fetched.
    """

    folder: Path
    lake: Storage
    first: date
    last: date
    whole: Session
    partial: Session
    failed: Session


def archive_days(folder: Path, days: int) -> Archived:
    """Archives so many days up to yesterday into `folder/lake`; what RingCentral granted is in `folder/state`."""
    last = datetime.now(UTC).date() - timedelta(days=1)
    start = datetime.combine(last - timedelta(days=days - 1), time(), UTC)
    end = start + timedelta(days=days)
    config = SandboxConfig(
        seed=5, mix=_MIX, quotas={"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)}, parallel_sessions=1000
    )
    lake = LocalStorage(folder / "lake")
    with run_sandbox(config) as sandbox, _client(sandbox, folder / "state") as client:
        folders = extract_call_log(client, lake, start, end)
        landed = land_call_log(lake, folders)
        # The last ones are left for a run that is still to come.
        planned = plan_sessions(lake, landed.sessions)[:-2]
        whole, partial, failed = choose(sandbox.truth(start, end).sessions[:-2])
        sandbox.delete_recording(partial.recordings[0].id)
        sandbox.faults.add(Fault(on="content", kind="html", id=failed.recordings[0].id))
        _archive(client, lake, planned)
        # All days but the last one, which no night has come after.
        _reconcile(lake, folders, [start.date() + timedelta(days=number) for number in range(days - 1)])
    _add_hostile(lake, whole)
    return Archived(folder, lake, start.date(), last, whole, partial, failed)


def choose(sessions: Sequence[Session]) -> tuple[Session, Session, Session]:
    """A conversation that is to be whole, one to be partial, and one to fail: which ones depends on today."""
    whole = next(session for session in reversed(sessions) if len(session.recordings) > 2)
    others = [session for session in sessions if session is not whole]
    partial = next(session for session in others if len(session.recordings) > 1)
    failed = next(session for session in others if len(session.recordings) == 1)
    return whole, partial, failed


def _client(sandbox: Sandbox, state: Path) -> RingCentralClient:
    credentials = Credentials(
        sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url
    )
    return RingCentralClient(credentials, SqliteState(state), max_wait=15, timeout=(10, 60))


def _archive(client: RingCentralClient, lake: Storage, planned: Sequence[SessionRef]) -> None:
    for index, session in enumerate(planned):
        # As after a task that fails: what it came to is published.
        with suppress(RecordingsFailedError):
            download_session(client, lake, session, RUN_ID, 1, _PATIENCE)
        merge_session(lake, session, RUN_ID, made_by=f"ringcentral_recordings/{RUN_ID}/session.merge/{index}")
    publish_run(lake, planned, RUN_ID)


def _reconcile(lake: Storage, folders: Sequence[str], days: Sequence[date]) -> None:
    reconcile_days(lake, days, source_days(lake, folders), datetime.now(UTC), _RETENTION, 100_000)


def _add_hostile(lake: Storage, model: Session) -> None:
    """A conversation like another one of the last days, with hostile text wherever a caller or a provider has a say."""
    session = _row(lake, SESSIONS, model.telephony_session_id, model)
    call = _row(lake, CALLS, model.telephony_session_id, model)
    leg = _row(lake, LEGS, model.telephony_session_id, model)
    recording = _row(lake, RECORDINGS, model.telephony_session_id, model)
    own = {"telephony_session_id": HOSTILE_ID, "session_id": None, "call_id": "hostile-call"}
    said = {
        **{f"{side}_name": HOSTILE for side in ("from", "to")},
        **{f"{side}_phone_number": HOSTILE_NUMBER for side in ("from", "to")},
        **{f"{side}_extension_number": HOSTILE_NUMBER for side in ("from", "to")},
        **{f"{side}_location": HOSTILE for side in ("from", "to")},
        "result": HOSTILE,
        "action": HOSTILE,
        "reason_description": HOSTILE,
        "recording_id": "hostile-recording",
    }
    chapters = [{**chapter, "from_name": HOSTILE, "to_name": HOSTILE} for chapter in session["chapters"]]
    missing = [{"recording_id": "hostile-recording", "reason": HOSTILE, "detail": HOSTILE}]
    changed: list[tuple[Table, dict[str, Any]]] = [
        (CALLS, call | own | said),
        (LEGS, leg | own | said),
        (RECORDINGS, recording | own | {"recording_id": "hostile-recording", "status": "failed", "error": HOSTILE}),
        (SESSIONS, session | own | {"chapters": chapters, "missing": missing, "status": "partial", "made_by": HOSTILE}),
    ]
    for table, row in changed:
        known = {name: row[name] for name in table.schema.names}
        tables.upsert(lake, table, tables.to_arrow(table, [known]))


def _row(lake: Storage, table: Table, session_id: str, session: Session) -> dict[str, Any]:
    days = [session.start_time.date() + timedelta(days=shift) for shift in (0, 1)]
    found = tables.read(lake, table, days, pc.field("telephony_session_id") == session_id)
    row: dict[str, Any] = found.to_pylist()[0]
    return row
