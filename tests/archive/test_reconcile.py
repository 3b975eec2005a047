from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest

from sandbox.ringcentral import Fault, Sandbox
from tests.archive.archived_day import (
    DAY,
    NEXT_DAY,
    PATIENCE,
    Row,
    ids,
    rows,
    session_across_midnight,
    session_with,
    upsert,
)
from voxlake.archive.download import Patience, RecordingsFailedError, download_session
from voxlake.archive.extract import extract_call_log
from voxlake.archive.land import land_call_log
from voxlake.archive.merge import merge_session
from voxlake.archive.plan import SessionRef, plan_sessions
from voxlake.archive.publish import publish_run
from voxlake.archive.reconcile import ReconciledDay, ReconciliationFailedError, raise_for_missing, reconcile_days
from voxlake.archive.source_days import SourceDay, source_days
from voxlake.lake import layout
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, RECONCILIATION, RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient

NOW = DAY + timedelta(days=2)
RETENTION = timedelta(days=90)
LIMIT = 100_000
NOTHING_MISSING = {
    "calls_missing": 0,
    "calls_gone": 0,
    "recordings_pending": 0,
    "recordings_failed": 0,
    "recordings_unavailable": 0,
    "recordings_at_risk": 0,
    "first_deletion_at": None,
    "sessions_partial": 0,
    "sessions_unmerged": 0,
}


def read(client: RingCentralClient, storage: Storage, days: int = 1) -> tuple[list[str], list[SessionRef]]:
    """Reads and lands whole days from DAY on; the raw folders, and the sessions that are not whole."""
    folders = extract_call_log(client, storage, DAY, DAY + timedelta(days=days))
    return folders, plan_sessions(storage, land_call_log(storage, folders).sessions)


def fetch(
    client: RingCentralClient,
    storage: Storage,
    sessions: Sequence[SessionRef],
    patience: Patience = PATIENCE,
    merge: bool = True,
) -> None:
    """Downloads, merges and publishes."""
    for session in sessions:
        try:
            download_session(client, storage, session, "run", 1, patience)
        except RecordingsFailedError:
            logging.getLogger(__name__).info("a recording of %s failed, as the test has it", session)
        if merge:
            merge_session(storage, session, "run")
    publish_run(storage, sessions, "run")


def reconcile(
    storage: Storage, folders: Sequence[str], days: Sequence[datetime] = (DAY,), now: datetime = NOW
) -> list[ReconciledDay]:
    source = source_days(storage, folders)
    return reconcile_days(storage, [day.date() for day in days], source, now, RETENTION, LIMIT)


def part(row: Row, names: Any) -> Row:
    return {name: row[name] for name in names}


def sum_of(parts: Sequence[Row], name: str) -> int:
    return sum(row[name] for row in parts)


def of_session(sessions: Sequence[SessionRef], session_id: str) -> SessionRef:
    return next(session for session in sessions if session.telephony_session_id == session_id)


def test_a_day_that_is_whole(sandbox: Sandbox, client: RingCentralClient, storage: Storage) -> None:
    folders, sessions = read(client, storage)
    fetch(client, storage, sessions)

    (reconciled,) = reconcile(storage, folders)

    truth = sandbox.truth(DAY, NEXT_DAY)
    held = [row for row in rows(storage, RECORDINGS) if row["start_time"] < NEXT_DAY]
    assert reconciled.row == NOTHING_MISSING | {
        "provider": "ringcentral",
        "account_id": held[0]["account_id"],
        "day": DAY,
        "reconciled_at": NOW,
        "calls_in_source": len(truth.calls),
        "calls_in_lake": len(truth.calls),
        "recordings_claimed": len(held),
        "recordings_downloaded": len(held),
        "unavailable_record_deleted": 0,
        "unavailable_removed": 0,
        "unavailable_expired": 0,
        "unavailable_not_found": 0,
        "unavailable_damaged": 0,
        "sessions_recorded": len(truth.sessions),
        "sessions_complete": len(truth.sessions),
        "recordings_bytes": sum(len(sandbox.content_of(row["recording_id"])) for row in held),
        "sessions_bytes": sum_of(rows(storage, SESSIONS), "size_bytes"),
    }
    assert reconciled.missing == ()
    assert rows(storage, RECONCILIATION) == [reconciled.row]
    raise_for_missing([reconciled], 0)


def test_again_it_is_one_row_with_the_newer_time(client: RingCentralClient, storage: Storage) -> None:
    folders, _ = read(client, storage)
    reconcile(storage, folders)
    path = layout.table_file("reconciliation", DAY.date())
    before = storage.version(path)

    (first,) = reconcile(storage, folders)
    assert storage.version(path) == before
    (later,) = reconcile(storage, folders, now=NOW + timedelta(hours=1))

    assert later.row == first.row | {"reconciled_at": NOW + timedelta(hours=1)}
    assert rows(storage, RECONCILIATION) == [later.row]


def test_a_record_that_was_rejected_is_missing(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> None:
    by_type, by_time, *_ = ids(sandbox.truth(DAY, NEXT_DAY).calls)
    sandbox.faults.add(Fault("record", "wrong_type", id=by_type))
    sandbox.faults.add(Fault("record", "no_start_time", id=by_time))
    folders, sessions = read(client, lake)
    fetch(client, lake, sessions)

    (reconciled,) = reconcile(lake, folders)

    number = len(sandbox.truth(DAY, NEXT_DAY).calls)
    assert part(reconciled.row, ("calls_in_source", "calls_in_lake", "calls_missing")) == {
        "calls_in_source": number,
        "calls_in_lake": number - 2,
        "calls_missing": 2,
    }
    assert list(lake.list(f"{folders[0]}/rejected"))
    with pytest.raises(ReconciliationFailedError) as raised:
        raise_for_missing([reconciled], 1)
    first, *lines = str(raised.value).splitlines()
    assert first.startswith("2 calls, 0 recordings and 0 merged sessions are missing")
    assert lines == [
        f"  2024-05-14: call {call_id} did not land: {folders[0]}/rejected/ says why"
        for call_id in sorted([by_type, by_time])
    ]
    raise_for_missing([reconciled], 2)


def test_a_call_that_the_source_has_no_more_is_gone(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    read(client, lake)
    calls = ids(sandbox.truth(DAY, NEXT_DAY).calls)
    sandbox.delete_call(calls[0])
    folders, _ = read(client, lake)

    (reconciled,) = reconcile(lake, folders)

    assert part(reconciled.row, ("calls_in_source", "calls_in_lake", "calls_missing", "calls_gone")) == {
        "calls_in_source": len(calls) - 1,
        "calls_in_lake": len(calls),
        "calls_missing": 0,
        "calls_gone": 1,
    }


def test_what_the_provider_has_no_more_is_told_by_reason_and_is_not_missing(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    _, sessions = read(client, storage)
    deleted, removed, expired, not_found, damaged, *others = [
        session for session in sessions if len(session.recording_ids) == 1 or session.days == (DAY.date(),)
    ]
    for session in (deleted, expired, not_found):
        sandbox.faults.add(Fault("content", "not_found", id=session.recording_ids[0]))
    sandbox.delete_recording(removed.recording_ids[0])
    folders, _ = read(client, storage)
    call_id = next(
        row["call_id"] for row in rows(storage, RECORDINGS) if row["recording_id"] == deleted.recording_ids[0]
    )
    upsert(storage, CALLS, *(row | {"deleted": True} for row in rows(storage, CALLS) if row["call_id"] == call_id))
    fetch(client, storage, [expired], Patience(PATIENCE.wait, retention=timedelta(days=1)))
    fetch(client, storage, [deleted, removed, not_found, *others])
    sandbox.faults.add(Fault("content", "unplayable", id=damaged.recording_ids[0]))
    # The same bytes twice are all that there is.
    for _ in range(2):
        fetch(client, storage, [damaged])

    (reconciled,) = reconcile(storage, folders)

    assert part(reconciled.row, [name for name in reconciled.row if "unavailable" in name]) == {
        "recordings_unavailable": 5,
        "unavailable_record_deleted": 1,
        "unavailable_removed": 1,
        "unavailable_expired": 1,
        "unavailable_not_found": 1,
        "unavailable_damaged": 1,
    }
    assert (reconciled.row["recordings_pending"], reconciled.row["recordings_failed"]) == (0, 0)
    raise_for_missing([reconciled], 0)
    told = "2024-05-14: the provider cannot give: 1 record deleted, 1 removed, 1 expired, 1 not found, 1 damaged"
    assert told in caplog.text.splitlines()


def test_a_session_is_partial_when_a_recording_failed_and_unmerged_when_nobody_merged_it(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    failing, unmerged = session_with(sandbox, 3), session_with(sandbox, 2)
    sandbox.faults.add(Fault("content", "html", id=failing.recordings[1].id))
    folders, sessions = read(client, storage)
    fetch(client, storage, [of_session(sessions, failing.telephony_session_id)])
    fetch(client, storage, [of_session(sessions, unmerged.telephony_session_id)], merge=False)

    (reconciled,) = reconcile(storage, folders)

    row = reconciled.row
    assert {name: row[name] for name in row if name.startswith("sessions")} == {
        "sessions_recorded": len(sandbox.truth(DAY, NEXT_DAY).sessions),
        "sessions_complete": 0,
        "sessions_partial": 1,
        "sessions_unmerged": 1,
        "sessions_bytes": sum_of(rows(storage, SESSIONS), "size_bytes"),
    }
    assert (row["recordings_downloaded"], row["recordings_failed"]) == (4, 1)
    assert row["recordings_pending"] == row["recordings_claimed"] - 5
    failed = next(line for line in reconciled.missing if failing.recordings[1].id in line)
    assert f"of session {failing.telephony_session_id} is failed, deleted by the provider about 2024-08-12" in failed
    assert "text/html" in failed
    assert reconciled.missing[-1] == (
        f"session {unmerged.telephony_session_id}: recordings are held that its merged file does not have"
    )
    missing = 2 + row["recordings_pending"]
    raise_for_missing([reconciled], missing)
    with pytest.raises(ReconciliationFailedError, match=f"0 calls, {missing - 1} recordings and 1 merged sessions"):
        raise_for_missing([reconciled], missing - 1)

    # The merge that was missing, and a session none of whose recordings is held, is none of the three.
    merge_session(storage, of_session(sessions, unmerged.telephony_session_id), "run")
    publish_run(storage, [of_session(sessions, unmerged.telephony_session_id)], "run")
    (again,) = reconcile(storage, folders)
    states = ("sessions_complete", "sessions_partial", "sessions_unmerged")
    assert [again.row[name] for name in states] == [1, 1, 0]


def test_what_is_at_risk_is_what_the_provider_deletes_within_14_days(
    client: RingCentralClient, lake: LocalStorage
) -> None:
    folders, _ = read(client, lake)
    starts = sorted(row["start_time"] for row in rows(lake, RECORDINGS) if row["start_time"] < NEXT_DAY)

    def at_risk(now: datetime) -> tuple[int, datetime]:
        (reconciled,) = reconcile(lake, folders, now=now)
        return reconciled.row["recordings_at_risk"], reconciled.row["first_deletion_at"]

    # 76 days after its start, a recording is deleted in 14.
    assert at_risk(starts[2] + timedelta(days=76)) == (3, starts[0] + RETENTION)
    assert at_risk(starts[0] + timedelta(days=76) - timedelta(milliseconds=1)) == (0, starts[0] + RETENTION)
    (first_line, *_) = reconcile(lake, folders)[0].missing
    assert "deleted by the provider about 2024-08-12: not tried yet" in first_line


def test_a_session_across_midnight_is_one_of_the_day_it_began(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    across = session_across_midnight(sandbox)
    folders, sessions = read(client, storage, days=2)
    fetch(client, storage, sessions)

    first, second = reconcile(storage, folders, [NEXT_DAY, DAY], now=NOW + timedelta(days=1))

    two_days = sandbox.truth(DAY, NEXT_DAY), sandbox.truth(NEXT_DAY, NEXT_DAY + timedelta(days=1))
    assert [day.day for day in (first, second)] == [DAY.date(), NEXT_DAY.date()]
    for reconciled, truth in zip((first, second), two_days, strict=True):
        assert reconciled.row["sessions_recorded"] == reconciled.row["sessions_complete"] == len(truth.sessions)
        assert part(reconciled.row, NOTHING_MISSING) == NOTHING_MISSING
    recordings = [row["start_time"].date() for row in rows(storage, RECORDINGS)]
    assert first.row["recordings_claimed"] == recordings.count(DAY.date())
    assert recordings.count(NEXT_DAY.date()) == second.row["recordings_claimed"]
    assert across.recordings[-1].id in {row["recording_id"] for row in rows(storage, RECORDINGS)}
    raise_for_missing([first, second], 0)


COUNTED = """
with r as (select *, date '{day}' = date as ours from read_parquet('{lake}/tables/recordings/**/*.parquet')),
     s as (select telephony_session_id as id, min(start_time)::date as began, count(*) as claimed,
                  count(*) filter (status = 'downloaded') as held from r group by all),
     m as (select telephony_session_id as id, len(recording_ids) as merged, size_bytes, date
           from read_parquet('{lake}/tables/sessions/**/*.parquet')),
     b as (select * from s left join m using (id) where began = date '{day}')
select
  (select count(*) from read_parquet('{lake}/tables/calls/**/*.parquet') where date = '{day}') as calls_in_lake,
  (select count(*) from r where ours) as recordings_claimed,
  (select count(*) from r where ours and status = 'downloaded') as recordings_downloaded,
  (select count(*) from r where ours and status = 'failed') as recordings_failed,
  (select count(*) from r where ours and status = 'pending') as recordings_pending,
  (select count(*) from r where ours and status = 'unavailable') as recordings_unavailable,
  (select count(*) from r where ours and unavailable_reason = 'not_found') as unavailable_not_found,
  (select sum(size_bytes) from r where ours) as recordings_bytes,
  (select min(start_time) + interval 90 days from r where ours and status in ('pending', 'failed'))
    as first_deletion_at,
  (select count(*) from b) as sessions_recorded,
  (select count(*) from b where merged = claimed) as sessions_complete,
  (select count(*) from b where merged < claimed and merged = held) as sessions_partial,
  (select count(*) from b where held > coalesce(merged, 0)) as sessions_unmerged,
  (select sum(size_bytes) from m where date = '{day}') as sessions_bytes
"""


def test_the_numbers_are_those_that_duckdb_counts(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    partial, unmerged, gone = session_with(sandbox, 3), session_with(sandbox, 2), session_with(sandbox, 1)
    sandbox.faults.add(Fault("content", "html", id=partial.recordings[0].id))
    sandbox.faults.add(Fault("content", "not_found", id=gone.recordings[0].id))
    folders, sessions = read(client, lake)
    fetch(client, lake, [of_session(sessions, unmerged.telephony_session_id)], merge=False)
    # One is left as it is.
    fetch(
        client,
        lake,
        [session for session in sessions[1:] if session.telephony_session_id != unmerged.telephony_session_id],
    )

    (reconciled,) = reconcile(lake, folders)

    with duckdb.connect() as database:
        database.execute("set timezone = 'UTC'")
        counted = database.execute(COUNTED.format(lake=lake.url, day=DAY.date()))
        names = [column[0] for column in counted.description]
        (values,) = counted.fetchall()
    assert part(reconciled.row, names) == dict(zip(names, values, strict=True))
    assert reconciled.row["sessions_partial"] == reconciled.row["sessions_unmerged"] == 1
    assert reconciled.row["unavailable_not_found"] == 1


def test_no_more_than_twenty_are_shown(lake: LocalStorage) -> None:
    folder = raw_page(lake, [record(f"c-{number:02}") for number in range(25)])

    (reconciled,) = reconcile(lake, [folder])

    with pytest.raises(ReconciliationFailedError) as raised:
        raise_for_missing([reconciled], 24)
    _, *lines = str(raised.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "  … and 5 more: see the tables recordings and reconciliation"
    raise_for_missing([reconciled], 25)


def test_the_log_shows_the_days_side_by_side(lake: LocalStorage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    folders = [raw_page(lake, [record("c-1"), record("c-2")]), raw_page(lake, [], NEXT_DAY)]

    reconcile(lake, folders, [DAY, NEXT_DAY])

    _, header, *lines = caplog.messages[-1].splitlines()
    assert header.split()[0] == "day"
    assert [line.split() for line in lines] == [
        ["2024-05-14", "2", "0", "2", *"0" * 11, "-"],
        ["2024-05-15", *"0" * 14, "-"],
    ]
    assert len({len(line) for line in (header, *lines)}) == 1


def test_a_day_without_calls_has_a_row_for_the_account_of_the_other_days(lake: LocalStorage) -> None:
    folders = [raw_page(lake, [record("c-1")]), raw_page(lake, [], NEXT_DAY, uri=None)]

    reconciled = reconcile(lake, folders, [DAY, NEXT_DAY])

    assert [day.row["account_id"] for day in reconciled] == ["7", "7"]
    with pytest.raises(ValueError, match="no call-log page of the run names its account"):
        reconcile(lake, folders[1:], [NEXT_DAY])


def test_another_account_in_the_lake_is_not_counted(lake: LocalStorage) -> None:
    theirs: Row = {"account_id": "8", "start_time": DAY, "telephony_session_id": "s-1"}
    upsert(lake, CALLS, theirs | {"call_id": "c-1"})
    upsert(lake, RECORDINGS, theirs | {"provider": "ringcentral", "recording_id": "r-1", "status": "pending"})

    (reconciled,) = reconcile(lake, [raw_page(lake, [record("c-1")])])

    numbers = ("calls_in_lake", "calls_missing", "recordings_claimed", "sessions_recorded")
    assert [reconciled.row[name] for name in numbers] == [0, 1, 0, 0]


def test_a_day_that_was_not_read_cannot_be_compared(lake: LocalStorage) -> None:
    with pytest.raises(ValueError, match="the source was not read for 2024-05-15: nothing to compare with"):
        reconcile(lake, [raw_page(lake, [record("c-1")])], [DAY, NEXT_DAY])
    assert rows(lake, RECONCILIATION) == []


def record(call_id: str, start: datetime = DAY, **values: Any) -> Row:
    return {"id": call_id, "startTime": start.isoformat(), **values}


def raw_page(
    storage: Storage,
    records: Sequence[Any],
    day: datetime = DAY,
    number: int = 1,
    uri: str | None = "/restapi/v1.0/account/7/call-log",
) -> str:
    """The folder of a day's read, with a page of these records in it."""
    folder = layout.raw_call_log_folder(day, day + timedelta(days=1), extracted_at=NOW)
    body = json.dumps({"uri": uri, "records": records})
    storage.put(layout.raw_page(folder, number), gzip.compress(body.encode()))
    return folder


def test_what_the_source_lists_is_found_in_the_pages(storage: Storage) -> None:
    folder = raw_page(storage, [record("c-1"), record("c-2"), record("c-3", deleted=True), record("c-4")])
    raw_page(storage, [record("c-2"), record("c-4", deleted=True), {"startTime": "x"}, None, "text"], number=2)
    storage.put(layout.rejected_records(folder, 2), gzip.compress(b"{}\n{}\n"))
    # In its own time zone, and of a day that was not read.
    of_next_day = [record("c-5", NEXT_DAY), record("c-6", DAY - timedelta(seconds=1)), {"id": 7, "startTime": None}]
    zoned = {"id": "c-8", "startTime": "2024-05-15T01:00:00+02:00"}
    next_folder = raw_page(storage, [*of_next_day, zoned, {"id": "c-9", "startTime": "tomorrow"}], NEXT_DAY, uri=None)

    assert source_days(storage, [folder, next_folder]) == {
        DAY.date(): SourceDay("7", {"c-1", "c-2", "c-8"}, {"c-3", "c-4"}, 3, [folder]),
        NEXT_DAY.date(): SourceDay(None, {"c-5", "7", "c-9"}, set(), 0, [next_folder]),
    }


def test_a_record_without_an_id_is_missing(lake: LocalStorage) -> None:
    folder = raw_page(lake, [{"startTime": DAY.isoformat()}, None])

    (reconciled,) = reconcile(lake, [folder])

    assert part(reconciled.row, ("calls_in_source", "calls_missing")) == {"calls_in_source": 2, "calls_missing": 2}
    assert reconciled.missing == (f"a call without an id did not land: {folder}/rejected/ says why",) * 2


def test_a_folder_or_a_page_that_extract_did_not_make_is_named(lake: LocalStorage) -> None:
    with pytest.raises(ValueError, match="'tables/calls' is not a folder of raw call-log pages"):
        source_days(lake, ["tables/calls"])
    folder = raw_page(lake, [])
    lake.put(layout.raw_page(folder, 2), gzip.compress(b'{"records": {}}'))
    with pytest.raises(ValueError, match=rf"{folder}/00002.json.gz: expected a JSON object with a list `records`"):
        source_days(lake, [folder])


def test_no_days_are_no_rows(lake: LocalStorage) -> None:
    assert reconcile_days(lake, [], {}, NOW, RETENTION, LIMIT) == []
    raise_for_missing([], 0)
    assert source_days(lake, []) == {}
