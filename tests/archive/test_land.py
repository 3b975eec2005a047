from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from sandbox.ringcentral import Fault, Sandbox
from tests.archive.archived_day import CONFIG, DAY, NEXT_DAY, ids, land_window, rows, session_with, upsert
from tests.archive.conftest import Connect
from tests.conftest import StartSandbox
from voxlake.archive.extract import extract_call_log, extract_modified
from voxlake.archive.land import Landed, land_call_log
from voxlake.archive.plan import read_recordings
from voxlake.lake import layout
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient

TWO_DAYS = (DAY.date(), NEXT_DAY.date())
AFTER_MIDNIGHT = NEXT_DAY + timedelta(minutes=30)


def raw_page(storage: Storage, body: bytes, extracted_at: datetime = NEXT_DAY) -> str:
    """The folder of a page that says `body`."""
    folder = layout.raw_call_log_folder(DAY, NEXT_DAY, extracted_at)
    storage.put(layout.raw_page(folder, 1), gzip.compress(body))
    return folder


def rejected(storage: Storage, folder: str) -> list[Any]:
    lines = [
        line
        for path in storage.list(f"{folder}/rejected")
        for line in gzip.decompress(storage.read(path).data).decode().splitlines()
    ]
    return [json.loads(line) for line in lines]


def records_of(storage: Storage, folder: str) -> dict[str, Any]:
    """The records of a folder's pages, by id."""
    pages = [json.loads(gzip.decompress(storage.read(path).data)) for path in storage.list(folder)]
    return {record["id"]: record for page in pages for record in page["records"]}


def test_the_tables_hold_what_is_true(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> None:
    landed = land_window(client, lake, DAY, AFTER_MIDNIGHT)

    truth = sandbox.truth(DAY, AFTER_MIDNIGHT)
    # All that the call log says of when a recording began is the start of the first leg that carries it.
    legs_of_recordings = [
        (leg.recording.id, leg) for call in truth.calls for leg in reversed(call.legs) if leg.recording
    ]
    started = {recording_id: leg.start_time for recording_id, leg in legs_of_recordings}
    assert [
        (row["call_id"], row["telephony_session_id"], row["start_time"], row["duration_ms"])
        for row in rows(lake, CALLS)
    ] == [(call.id, call.telephony_session_id, call.start_time, call.duration_ms) for call in truth.calls]
    assert {(row["call_id"], row["leg_index"], row["start_time"], row["leg_type"]) for row in rows(lake, LEGS)} == {
        (call.id, index, leg.start_time, leg.leg_type) for call in truth.calls for index, leg in enumerate(call.legs)
    }
    held = read_recordings(lake, [session.telephony_session_id for session in truth.sessions], TWO_DAYS)
    assert {
        session: [(row["recording_id"], row["start_time"], row["type"], row["status"]) for row in recordings]
        for session, recordings in held.items()
    } == {
        session.telephony_session_id: [
            (recording.id, started[recording.id], recording.type, "pending") for recording in session.recordings
        ]
        for session in truth.sessions
    }
    assert landed == Landed(
        calls=len(truth.calls),
        legs=sum(len(call.legs) for call in truth.calls),
        recordings=len(truth.recordings),
        rejected=0,
        sessions={
            session.telephony_session_id: {started[recording.id].date() for recording in session.recordings}
            for session in truth.sessions
        },
    )
    assert landed.sessions[truth.sessions[-1].telephony_session_id] == set(TWO_DAYS)


def test_a_row_lies_on_the_day_that_it_starts_on(client: RingCentralClient, lake: LocalStorage) -> None:
    land_window(client, lake, DAY, AFTER_MIDNIGHT)

    assert list(lake.list("tables")) == [
        layout.table_file(table, day) for table in ("calls", "legs", "recordings") for day in TWO_DAYS
    ]


def test_landing_again_changes_nothing(client: RingCentralClient, lake: LocalStorage) -> None:
    folders = extract_call_log(client, lake, DAY, NEXT_DAY)
    once = land_call_log(lake, folders)
    versions = {path: lake.version(path) for path in lake.list("tables")}

    assert land_call_log(lake, folders) == once
    assert {path: lake.version(path) for path in lake.list("tables")} == versions


def test_a_later_reading_keeps_all_that_an_earlier_one_found(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    earlier = extract_call_log(client, lake, DAY, NEXT_DAY)
    land_call_log(lake, earlier)
    before = {row["recording_id"]: row for row in rows(lake, RECORDINGS)}
    dropped, held = session_with(sandbox, 1).recordings[0].id, session_with(sandbox, 3).recordings[0].id
    upsert(lake, RECORDINGS, before[held] | {"status": "downloaded", "audio_path": "audio/it.mp3", "attempts": 1})
    sandbox.delete_recording(dropped)

    later = extract_call_log(client, lake, DAY, NEXT_DAY)
    landed = land_call_log(lake, later)

    assert landed.recordings == len(before) - 1
    after = {row["recording_id"]: row for row in rows(lake, RECORDINGS)}
    assert after[dropped] == before[dropped]
    assert (after[held]["status"], after[held]["audio_path"]) == ("downloaded", "audio/it.mp3")
    assert after[held]["extracted_at"] == layout.extracted_at(later[0]) > before[held]["extracted_at"]
    (call,) = [row for row in rows(lake, CALLS) if row["recording_id"] == dropped]
    assert call["extracted_at"] == layout.extracted_at(later[0])

    newest = {path: lake.version(path) for path in lake.list("tables")}
    land_call_log(lake, earlier)
    assert {path: lake.version(path) for path in lake.list("tables")} == newest


def test_a_bad_record_is_set_aside_with_its_reason_and_the_rest_lands(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, *others = ids(sandbox.truth(DAY, NEXT_DAY).calls)
    sandbox.faults.add(Fault("record", "no_start_time", id=first))
    sandbox.faults.add(Fault("record", "wrong_type", id=second))
    (folder,) = extract_call_log(client, lake, DAY, NEXT_DAY)
    records = records_of(lake, folder)

    landed = land_call_log(lake, [folder])

    assert (landed.calls, landed.rejected) == (len(others), 2)
    assert [row["call_id"] for row in rows(lake, CALLS)] == others
    assert {row["call_id"] for row in rows(lake, LEGS)} == set(others)
    # The call log begins with the latest call.
    assert rejected(lake, folder) == [
        {"reason": 'duration: expected a whole number, got "forty-two"', "record": records[second]},
        {
            "reason": "startTime: missing; a call-log record cannot be keyed without it",
            "record": records[first],
        },
    ]
    assert f"record {first} rejected: startTime: missing" in caplog.text
    assert f"{folder}/rejected/00003.jsonl.gz" in caplog.text
    # What was set aside is no page of its own when the folder is landed again.
    assert land_call_log(lake, [folder]) == landed

    sandbox.faults.clear()
    land_window(client, lake, DAY, NEXT_DAY)
    assert [row["call_id"] for row in rows(lake, CALLS)] == [first, second, *others]


@pytest.mark.parametrize("record", ["text", None, ["a", "list"], {"id": "1", "uri": "no \ud83d half of a pair"}])
def test_a_record_of_whatever_kind_is_set_aside_as_it_came(lake: LocalStorage, record: Any) -> None:
    folder = raw_page(lake, json.dumps({"records": [record]}).encode())

    assert land_call_log(lake, [folder]) == Landed(0, 0, 0, 1, {})
    (item,) = rejected(lake, folder)
    assert item["record"] == record


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"startTime": "0001-01-01T00:00:00+05:00"}, "startTime: expected an ISO 8601 time with its zone"),
        ({"durationMs": 10**30}, "durationMs: expected a number within ±2^53"),
        ({"billing": {"costIncluded": 10**400}}, "billing.costIncluded: expected a number within ±2^53"),
        ({"from": {"name": "\ud83d"}}, "from.name: expected text in Unicode, got half of a surrogate pair"),
        ({"recording": {"id": "../../x"}}, "recording.id: expected an id of letters"),
        ({"telephonySessionId": "s-a/../../b"}, "telephonySessionId: expected an id of letters"),
        ({"legs": [{"recording": {"id": "NUL"}}]}, "legs[0].recording.id: expected an id that can name a file"),
    ],
)
def test_a_value_that_no_column_can_hold_is_named(lake: LocalStorage, values: dict[str, Any], reason: str) -> None:
    good = {"id": "c-1", "uri": "/restapi/v1.0/account/7/call-log/c-1", "startTime": "2024-05-14T08:00:00Z"}
    folder = raw_page(lake, json.dumps({"records": [good, good | {"id": "c-2"} | values]}).encode())

    landed = land_call_log(lake, [folder])

    assert (landed.calls, landed.rejected) == (1, 1)
    (item,) = rejected(lake, folder)
    assert item["reason"].startswith(reason)


def test_half_of_a_surrogate_pair_in_what_has_no_column_is_kept(lake: LocalStorage) -> None:
    record = {"id": "c-1", "uri": "/account/7/", "startTime": "2024-05-14T08:00:00Z", "note": "no \ud83d pair"}
    land_call_log(lake, [raw_page(lake, json.dumps({"records": [record]}).encode())])

    (row,) = rows(lake, CALLS)
    assert json.loads(row["extra"])["note"] == "no \ud83d pair"


def test_what_has_no_column_is_kept(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> None:
    call_id = session_with(sandbox, 3).records[0].id
    sandbox.faults.add(Fault("record", "unknown_field", id=call_id))

    assert land_window(client, lake, DAY, NEXT_DAY).rejected == 0

    (row,) = [row for row in rows(lake, CALLS) if row["call_id"] == call_id]
    assert json.loads(row["extra"])["sandboxUnknownField"] == {"nested": [1, 2, 3]}


@pytest.mark.parametrize("body", [b"[]", b'{"records": {}}', b"{}", b"<html>", b"\xff"])
def test_a_file_that_is_no_page_is_named(lake: LocalStorage, body: bytes) -> None:
    folder = raw_page(lake, body)
    with pytest.raises(ValueError, match=rf"{folder}/00001\.json\.gz: expected a JSON object with a list `records`"):
        land_call_log(lake, [folder])


@pytest.mark.parametrize(
    "file",
    [b"", b"{}", gzip.compress(b'{"records": []}')[:-9], gzip.compress(b"x")[:-4] + b"\0" * 4],
    ids=["empty", "not gzip", "cut short", "wrong length"],
)
def test_a_file_that_is_broken_is_named(lake: LocalStorage, file: bytes) -> None:
    folder = layout.raw_call_log_folder(DAY, NEXT_DAY, extracted_at=NEXT_DAY)
    lake.put(layout.raw_page(folder, 7), file)
    with pytest.raises(ValueError, match=rf"^{folder}/00007\.json\.gz: "):
        land_call_log(lake, [folder])
    assert list(lake.list("tables")) == []


def test_a_folder_that_extract_did_not_make_is_named(lake: LocalStorage) -> None:
    with pytest.raises(ValueError, match="'tables/calls' is not a folder of raw call-log pages"):
        land_call_log(lake, ["tables/calls"])


def test_no_folders_land_nothing(lake: LocalStorage) -> None:
    assert land_call_log(lake, []) == Landed(0, 0, 0, 0, {})
    assert list(lake.list("")) == []


def test_a_record_that_stands_on_two_pages_is_one_row(lake: LocalStorage) -> None:
    record = {"id": "c-1", "uri": "/restapi/v1.0/account/7/call-log/c-1", "startTime": "2024-05-14T08:00:00Z"}
    folder = raw_page(lake, json.dumps({"records": [record]}).encode())
    lake.put(layout.raw_page(folder, 2), gzip.compress(json.dumps({"records": [record]}).encode()))

    land_call_log(lake, [folder])

    assert [(row["account_id"], row["call_id"], row["start_time"]) for row in rows(lake, CALLS)] == [
        ("7", "c-1", datetime(2024, 5, 14, 8, tzinfo=UTC))
    ]


CALL = {
    "id": "c-1",
    "uri": "/restapi/v1.0/account/7/call-log/c-1",
    "startTime": "2024-05-14T08:00:00Z",
    "lastModifiedTime": "2024-05-14T08:10:00Z",
    "telephonySessionId": "s-1",
    "result": "Accepted",
    "durationMs": 1000,
    "recording": {"id": "r-1", "contentUri": "https://media/r-1"},
    "legs": [{"startTime": "2024-05-14T08:00:00Z", "legType": "Accept"}],
}
STUB = {name: CALL[name] for name in ("id", "uri", "startTime")} | {"deleted": True}


@pytest.mark.parametrize("stub_first", [False, True])
def test_a_deleted_record_without_its_facts_hides_none_that_are_known(lake: LocalStorage, stub_first: bool) -> None:
    whole = raw_page(lake, json.dumps({"records": [CALL]}).encode())
    stub = STUB | {"lastModifiedTime": "2024-05-14T09:00:00Z"}
    later = raw_page(lake, json.dumps({"records": [stub]}).encode(), NEXT_DAY + timedelta(hours=1))
    land_call_log(lake, [whole])
    (known,) = rows(lake, CALLS)
    legs, recordings = rows(lake, LEGS), rows(lake, RECORDINGS)
    for day in TWO_DAYS:
        for table in ("calls", "legs", "recordings"):
            lake.delete(layout.table_file(table, day))

    for folder in (later, whole) if stub_first else (whole, later):
        landed = land_call_log(lake, [folder])
        assert (landed.calls, landed.rejected) == (1, 0)
        # The stub claims none, but what the call claimed before is still to be fetched.
        claimed = folder == whole or not stub_first
        assert landed.sessions == ({"s-1": {DAY.date()}} if claimed else {})

    assert rows(lake, CALLS) == [known | {"deleted": True}]
    assert (rows(lake, LEGS), rows(lake, RECORDINGS)) == (legs, recordings)


@pytest.mark.parametrize("shape", ["full", "stub"])
def test_a_call_that_was_deleted_between_two_reads_keeps_what_it_said(
    start_sandbox: StartSandbox, connect: Connect, lake: LocalStorage, shape: Literal["full", "stub"]
) -> None:
    sandbox = start_sandbox(replace(CONFIG, deleted_records=shape))
    client = connect(sandbox)
    land_window(client, lake, DAY, NEXT_DAY)
    before = {row["call_id"]: row for row in rows(lake, CALLS)}
    removed = session_with(sandbox, 3).records[0].id
    sandbox.delete_call(removed)

    land_window(client, lake, DAY, NEXT_DAY)

    after = {row["call_id"]: row for row in rows(lake, CALLS)}
    assert [call_id for call_id, row in after.items() if row["deleted"]] == [removed]
    kept = ("result", "duration_ms", "from_phone_number", "recording_id", "recording_seen_at", "telephony_session_id")
    assert [after[removed][name] for name in kept] == [before[removed][name] for name in kept]
    assert after[removed]["recording_id"] is not None


def test_nothing_lands_twice_from_pages_of_a_window_and_of_modifications(
    client: RingCentralClient, lake: LocalStorage
) -> None:
    window = extract_call_log(client, lake, DAY, NEXT_DAY)
    land_call_log(lake, window)
    before = {table.name: [_of_source(row) for row in rows(lake, table)] for table in (CALLS, LEGS, RECORDINGS)}
    modified = extract_modified(client, lake, None, DAY, NEXT_DAY)

    land_call_log(lake, [modified])

    for table in (CALLS, LEGS, RECORDINGS):
        of_the_day = [row for row in rows(lake, table) if (row.get("call_start_time") or row["start_time"]) < NEXT_DAY]
        assert [_of_source(row) for row in of_the_day] == before[table.name]


def _of_source(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what tells when and by which address it was read."""
    return {name: value for name, value in row.items() if name not in ("extracted_at", "recording_seen_at", "extra")}
