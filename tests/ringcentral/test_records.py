from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS
from voxlake.ringcentral.call_log import iter_call_log_pages
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.record_pages import read_page
from voxlake.ringcentral.records import ParsedRecords, parse_page
from voxlake.ringcentral.sqlite_state import SqliteState

Row = dict[str, Any]

READ_AT = datetime(2026, 11, 20, 13, tzinfo=UTC)
START = datetime(2026, 11, 20, 12, 0, 0, 594000, tzinfo=UTC)


def recording(recording_id: str) -> dict[str, Any]:
    return {
        "id": recording_id,
        "uri": f"https://platform.ringcentral.com/restapi/v1.0/account/400/recording/{recording_id}",
        "type": "Automatic",
        "contentUri": f"https://media.ringcentral.com:443/restapi/v1.0/account/400/recording/{recording_id}/content",
    }


def leg(**values: Any) -> dict[str, Any]:
    return {
        "startTime": "2026-11-20T12:00:00.594Z",
        "duration": 55,
        "type": "Voice",
        "direction": "Inbound",
        "legType": "Accept",
        "telephonySessionId": "s-a0d17872z1",
        "extension": {"id": 664573005, "uri": "https://platform.ringcentral.com/restapi/v1.0/account/400/extension/1"},
    } | values


def record(**values: Any) -> dict[str, Any]:
    return {
        "uri": "https://platform.ringcentral.com/restapi/v1.0/account/400/call-log/VgLcd1?view=Detailed",
        "id": "VgLcd1",
        "sessionId": "1039811321016",
        "telephonySessionId": "s-a0d17872z1",
        "startTime": "2026-11-20T12:00:00.594Z",
        "duration": 194,
        "durationMs": 194060,
        "type": "Voice",
        "internalType": "TollFreeNumber",
        "direction": "Inbound",
        "action": "Phone Call",
        "result": "Accepted",
        "from": {"phoneNumber": "+14155550108", "name": "Ann Lee", "location": "San Mateo, CA"},
        "to": {"phoneNumber": "+16505550178", "extensionId": "664573005", "device": {"id": "8", "uri": "https://x"}},
        "billing": {"costIncluded": 0.137, "costPurchased": 0},
        "lastModifiedTime": "2026-11-20T12:06:42.028Z",
    } | values


def page(*records: Any, **more: Any) -> bytes:
    return json.dumps({"records": records, **more}).encode()


def parse(value: Any) -> tuple[Row, list[Row], list[Row]]:
    parsed = parse_page(page(value), READ_AT)
    assert parsed.rejected == []
    (call,) = parsed.calls.to_pylist()
    return call, parsed.legs.to_pylist(), parsed.recordings.to_pylist()


def reason(value: Any) -> str:
    parsed = parse_page(page(value), READ_AT)
    assert (parsed.calls.num_rows, parsed.legs.num_rows, parsed.recordings.num_rows) == (0, 0, 0)
    (rejected,) = parsed.rejected
    assert json.dumps(rejected.record) == json.dumps(value)
    return rejected.reason


def in_words(parsed: ParsedRecords) -> list[list[Row]]:
    """The rows of each table, `extra` as what it says."""
    rows = [table.to_pylist() for table in (parsed.calls, parsed.legs, parsed.recordings)]
    for row in (*rows[0], *rows[1]):
        row["extra"] = row["extra"] and json.loads(row["extra"], parse_constant=str)
    return rows


def test_a_record_becomes_a_row_of_calls() -> None:
    call, _, _ = parse(record())
    assert (call["account_id"], call["call_id"], call["start_time"]) == ("400", "VgLcd1", START)
    assert call["duration_ms"] == 194060
    assert (call["from_phone_number"], call["to_extension_id"], call["to_device_id"]) == (
        "+14155550108",
        "664573005",
        "8",
    )
    assert (call["cost_included"], call["cost_purchased"]) == (0.137, 0.0)
    assert call["last_modified_time"] == datetime(2026, 11, 20, 12, 6, 42, 28000, tzinfo=UTC)
    assert call["extracted_at"] == READ_AT


def test_every_field_without_a_column_is_in_extra_and_no_other() -> None:
    call, _, _ = parse(record(metadataCategories=["a"], **{"from": {"name": "Ann", "dialerPhoneNumber": "1"}}))
    assert json.loads(call["extra"]) == {
        "uri": record()["uri"],
        "to": {"device": {"uri": "https://x"}},
        "metadataCategories": ["a"],
        "from": {"dialerPhoneNumber": "1"},
    }


def test_extra_takes_any_text_that_json_can_hold() -> None:
    call, _, _ = parse(record(note="Ann \ud83d 😀 ä"))
    assert call["extra"].isascii()
    assert json.loads(call["extra"])["note"] == "Ann \ud83d 😀 ä"


def test_names_keep_their_letters() -> None:
    call, _, _ = parse(record(**{"from": {"name": "Änne 😀"}}))
    assert call["from_name"] == "Änne 😀"


def test_seconds_serve_where_there_are_no_milliseconds() -> None:
    value = record()
    del value["durationMs"]
    assert parse(value)[0]["duration_ms"] == 194000


def test_rows_fit_the_tables_of_the_lake() -> None:
    parsed = parse_page(page(record(recording=recording("7"), legs=[leg(master=True), leg()])), READ_AT)
    for table, rows in ((CALLS, parsed.calls), (LEGS, parsed.legs), (RECORDINGS, parsed.recordings)):
        for column in rows.schema:
            assert column.type == table.schema.field(column.name).type, f"{table.name}.{column.name}"


def test_a_recording_repeated_on_record_and_legs_is_one_row() -> None:
    value = record(
        recording=recording("7"), legs=[leg(recording=recording("7"), master=True), leg(recording=recording("7"))]
    )
    call, legs, recordings = parse(value)
    assert call["recording_id"] == "7"
    assert [row["recording_id"] for row in legs] == ["7", "7"]
    (row,) = recordings
    assert (row["recording_id"], row["leg_index"], row["start_time"], row["type"]) == ("7", 0, START, "Automatic")
    assert row["content_uri"] == recording("7")["contentUri"]
    assert (row["status"], row["attempts"], row["telephony_session_id"]) == ("pending", 0, "s-a0d17872z1")


def test_a_recording_that_only_a_leg_carries_starts_with_the_leg() -> None:
    later = leg(startTime="2026-11-20T12:01:00.000Z", recording=recording("8"))
    _, _, recordings = parse(record(recording=recording("7"), legs=[leg(recording=recording("7")), later]))
    assert [(row["recording_id"], row["leg_index"], row["start_time"]) for row in recordings] == [
        ("7", 0, START),
        ("8", 1, datetime(2026, 11, 20, 12, 1, tzinfo=UTC)),
    ]


def test_a_recording_on_several_legs_starts_with_the_earliest() -> None:
    later = leg(startTime="2026-11-20T12:01:00.000Z", recording=recording("7"))
    _, _, recordings = parse(record(legs=[later, leg(recording=recording("7"))]))
    assert [(row["leg_index"], row["start_time"]) for row in recordings] == [(1, START)]


def test_a_recording_is_held_against_the_shortest_leg_that_carries_it() -> None:
    def claimed(*legs: dict[str, Any], **values: Any) -> list[int | None]:
        _, _, recordings = parse(record(legs=list(legs), **values))
        return [row["claimed_ms"] for row in recordings]

    one, other = {"recording": recording("1")}, {"recording": recording("2")}
    assert claimed(leg(duration=55, **one), leg(duration=43, **one), **one) == [43_000]
    assert claimed(leg(duration=55, **one), leg(duration=43, **other), leg(duration=90, **other)) == [55_000, 43_000]
    assert claimed(leg(), **one) == [194_060]
    assert claimed(leg(duration=None, **one), **one) == [194_060]
    assert claimed(leg(duration=None, **one)) == [None]


def test_a_record_of_before_telephony_sessions_goes_by_its_session_id() -> None:
    value = record(recording=recording("7"))
    del value["telephonySessionId"]
    call, _, recordings = parse(value)
    assert call["telephony_session_id"] is None
    assert recordings[0]["telephony_session_id"] == "1039811321016"


def test_a_leg_knows_its_record() -> None:
    _, legs, _ = parse(record(legs=[leg(startTime="2026-11-21T00:00:01Z")]))
    assert (legs[0]["call_id"], legs[0]["leg_index"], legs[0]["call_start_time"]) == ("VgLcd1", 0, START)
    assert legs[0]["start_time"] == START.replace(day=21, hour=0, second=1, microsecond=0)
    assert legs[0]["last_modified_time"] == parse(record())[0]["last_modified_time"]


def test_the_account_of_the_page_serves_where_the_record_names_none() -> None:
    value = record(uri="https://platform.ringcentral.com/..snip..")
    parsed = parse_page(page(value, uri="https://platform.ringcentral.com/restapi/v1.0/account/500/call-log"), READ_AT)
    assert parsed.calls["account_id"].to_pylist() == ["500"]
    assert reason(value).startswith("uri: names no account")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"startTime": None}, "startTime: missing"),
        ({"id": None}, "id: missing"),
        ({"startTime": 1700000000}, "startTime: expected text, got 1700000000|startTime: expected an ISO 8601 time"),
        ({"startTime": "2026-11-20T12:00:00"}, "startTime: expected an ISO 8601 time with its zone"),
        ({"duration": "55"}, 'duration: expected a whole number, got "55"'),
        ({"durationMs": True}, "durationMs: expected a whole number, got true"),
        ({"from": "+1415"}, r'from: expected an object, got "\+1415"'),
        ({"to": {"device": 8}}, "to.device: expected an object, got 8"),
        ({"recording": {"id": "../../x"}}, "recording.id: expected an id of letters"),
        ({"recording": {"id": {"a": 1}}}, "recording.id: expected text"),
        ({"telephonySessionId": "s-a/../b"}, "telephonySessionId: expected an id"),
        ({"legs": {}}, "legs: expected a list, got {}"),
        ({"legs": [leg(), 7]}, r"legs\[1\]: expected an object, got 7"),
        ({"legs": [leg(), leg(startTime="soon")]}, r'legs\[1\].startTime: expected an ISO 8601 time.*got "soon"'),
        ({"legs": [leg(billing={"costIncluded": "much"})]}, r"legs\[0\].billing.costIncluded: expected a number"),
        ({"shortRecording": "yes"}, "shortRecording: expected true or false"),
        ({"from": {"name": "Ann \ud83d"}}, r"from.name: expected text in Unicode, got half of a surrogate pair"),
        ({"result": ["x" * 500]}, "result: expected text, got .{1,90}$"),
        ({"duration": 55.0}, "duration: expected a whole number, got 55.0"),
        (
            {"billing": {"costIncluded": float("nan")}},
            r"billing.costIncluded: expected a number within ±2\^53, got NaN",
        ),
        ({"billing": {"costIncluded": 2**53 + 1}}, r"billing.costIncluded: expected a number within ±2\^53, got 9007"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_a_bad_field_is_named_with_what_was_expected(change: dict[str, Any], told: str) -> None:
    assert re.match(told, reason(record(**change)))


BAD_IDS = [
    *(
        "../../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "..",
        "-rf",
        "~",
        "C:",
        "a b",
        "12345\n",
        "12345\0",
        "ä",
        "１２",
        "аdmin",
    ),
    *("x" * 129, "x" * 300, "NUL", "con", "Lpt1", "%2e%2e%2f", "\u202etxt", "", -1),
]


@pytest.mark.parametrize("identifier", BAD_IDS, ids=lambda value: ascii(value)[:20])
@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("recording.id", lambda bad: {"recording": recording(bad)}),
        ("telephonySessionId", lambda bad: {"telephonySessionId": bad}),
        ("sessionId", lambda bad: {"sessionId": bad}),
        ("legs[1].recording.id", lambda bad: {"legs": [leg(), leg(recording=recording(bad))]}),
        ("legs[0].telephonySessionId", lambda bad: {"legs": [leg(telephonySessionId=bad)]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_id_that_could_not_name_a_file_rejects_its_record_and_no_other(
    identifier: str | int, path: str, place: Callable[[Any], dict[str, Any]]
) -> None:
    bad = record(id="Bad", **place(identifier))
    parsed = parse_page(page(record(), bad), READ_AT)
    assert parsed.calls["call_id"].to_pylist() == ["VgLcd1"]
    (rejected,) = parsed.rejected
    assert rejected.record == bad
    assert re.match(rf"{re.escape(path)}: expected an id (of letters|that can name a file)", rejected.reason)
    assert len(rejected.reason) < 200


def test_a_bad_record_does_not_take_the_others_with_it() -> None:
    good, bad = record(legs=[leg()]), record(id="Bad", duration="x", legs=[leg(), leg()])
    parsed = parse_page(page(bad, good, "no record"), READ_AT)
    assert parsed.calls["call_id"].to_pylist() == ["VgLcd1"]
    assert parsed.legs.select(["call_id", "leg_index"]).to_pylist() == [{"call_id": "VgLcd1", "leg_index": 0}]
    assert [(item.reason, item.record) for item in parsed.rejected] == [
        ('duration: expected a whole number, got "x"', bad),
        ('record: expected an object, got "no record"', "no record"),
    ]


def test_times_of_any_zone_are_stored_in_utc() -> None:
    call, _, _ = parse(record(startTime="2026-11-20T15:00:00.594+03:00"))
    assert call["start_time"] == START
    assert call["start_time"].utcoffset() == timedelta(0)


@pytest.mark.parametrize("deleted", [{"deleted": True}, {"deleted": True, "legs": [leg(recording=recording("8"))]}])
def test_of_a_deleted_record_without_its_facts_only_that_is_taken(deleted: dict[str, Any]) -> None:
    stub = {name: record()[name] for name in ("id", "uri", "sessionId", "startTime", "lastModifiedTime")} | deleted
    parsed = parse_page(page(record(id="other", legs=[leg()]), stub | {"recording": recording("7")}), READ_AT)

    (other, row) = parsed.calls.to_pylist()
    assert {name: value for name, value in row.items() if value is not None} == {
        "provider": "ringcentral",
        "account_id": "400",
        "call_id": "VgLcd1",
        "start_time": START,
        "deleted": True,
    }
    assert other["extracted_at"] == READ_AT
    assert parsed.legs["call_id"].to_pylist() == ["other"]
    assert parsed.recordings.num_rows == 0


def test_a_deleted_record_with_its_facts_is_taken_whole() -> None:
    call, legs, recordings = parse(record(deleted=True, recording=recording("7"), legs=[leg()]))
    assert (call["deleted"], call["result"], call["extracted_at"]) == (True, "Accepted", READ_AT)
    assert (len(legs), len(recordings)) == (1, 1)


@pytest.mark.parametrize("known", [{"result": "Missed"}, {"duration": 0}, {"durationMs": 0}])
def test_a_deleted_record_with_a_fact_keeps_it(known: dict[str, Any]) -> None:
    value = {name: record()[name] for name in ("id", "uri", "startTime")} | known
    call, _, _ = parse(value | {"deleted": True})
    assert (call["result"], call["duration_ms"]) == (known.get("result"), None if "result" in known else 0)
    assert call["extracted_at"] == READ_AT


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"records": {}}', b'{"records": null}', b"[[[", b'{"records": [}']
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="expected a JSON object with a list `records`"):
        parse_page(body, READ_AT)


def test_a_page_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a JSON object"):
        parse_page(page(record(note="ANN")).replace(b"ANN", b"\xff"), READ_AT)


def test_a_page_of_nothing_has_no_rows() -> None:
    parsed = parse_page(page(), READ_AT)
    assert in_words(parsed) == [[], [], []]
    assert parsed.rejected == []


# A page with a record that is none is read record by record, another all at once: the rows are the same.
NO_RECORD = "no record"


def test_real_pages_read_the_same_at_once_and_one_by_one(
    start_sandbox: Callable[[SandboxConfig], Sandbox], tmp_path: Path
) -> None:
    day = datetime(2026, 3, 3, tzinfo=UTC)
    mix = CallMix(
        calls_per_day=900, rewritten_share=0.2, repeated_record_share=0.1, conversation_share=0.3, long_share=0.1
    )
    sandbox = start_sandbox(SandboxConfig(now=day + timedelta(days=1), mix=mix, quotas={"heavy": QuotaLimit(6000)}))
    login = Credentials(sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url)
    with RingCentralClient(login, SqliteState(tmp_path)) as client:
        pages = list(iter_call_log_pages(client, day, day + timedelta(days=1), per_page=200))

    for one in pages:
        assert read_page(one.body) is not None
        at_once = parse_page(one.body, READ_AT)
        one_by_one = parse_page(page(*one.records, NO_RECORD), READ_AT)
        assert len(one_by_one.rejected) == 1
        assert at_once.rejected == []
        assert at_once.calls.num_rows == len(one.records) > 0
        assert at_once.recordings.num_rows > 0
        for name in ("calls", "legs", "recordings"):
            table, other = getattr(at_once, name), getattr(one_by_one, name)
            assert table.to_pylist() == other.to_pylist()


_texts = st.text() | st.sampled_from(["2026-11-20T12:00:00Z", "2026-11-20", '"', "\\", "ä", "\x7f", "null"])
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | _texts
_anything = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3), max_leaves=5
)
_times = st.sampled_from(["2026-11-20T12:00:00.594Z", "2026-11-20T12:00:00Z"])
_without_column = {"message": st.none() | st.dictionaries(st.sampled_from("ab"), _texts), "note": _anything}
_fields = {
    "telephonySessionId": st.sampled_from(["s-a0d17872z1", "s-b"]),
    "partyId": st.integers(0, 10**9) | st.none(),
    "extension": st.fixed_dictionaries({}, optional={"id": st.integers(0, 10**18), "uri": _texts}),
    "result": st.none() | _texts,
    "duration": st.integers(-(2**53), 2**53),
    "durationMs": st.none() | st.integers(0, 10**7),
    "from": st.fixed_dictionaries({}, optional={"name": _texts, "dialerPhoneNumber": _texts, "device": st.just({})}),
    "recording": st.none() | st.sampled_from([recording("7"), recording("8")]),
    "shortRecording": st.booleans() | st.none(),
    "billing": st.fixed_dictionaries({}, optional={"costIncluded": st.floats(0, 1) | st.integers(0, 9)}),
}
_legs = st.lists(st.fixed_dictionaries({}, optional={**_fields, **_without_column, "startTime": _times}), max_size=3)
_records = st.fixed_dictionaries(
    {"id": st.sampled_from("AB"), "uri": st.just("/account/400/call-log/A"), "startTime": _times},
    optional={**_fields, **_without_column, "deleted": st.booleans(), "lastModifiedTime": _times, "legs": _legs},
)
_places = st.sampled_from([*_fields, "id", "uri", "startTime", "deleted", "legs", "records"])


# https://github.com/apache/arrow/issues/51305
@example(records=[record(legs=[leg(note=[None, False])])], spoiled=None)
@settings(max_examples=300, deadline=None)
@given(st.lists(_records, max_size=4), st.none() | st.tuples(_places, _anything))
def test_any_page_reads_the_same_at_once_and_one_by_one(records: list[Any], spoiled: tuple[str, Any] | None) -> None:
    if spoiled is not None and records:
        records = [records[0] | {spoiled[0]: spoiled[1]}, *records[1:]]
    at_once = parse_page(page(*records), READ_AT)
    one_by_one = parse_page(page(*records, NO_RECORD), READ_AT)

    assert in_words(at_once) == in_words(one_by_one)
    assert [item.reason for item in at_once.rejected] == [item.reason for item in one_by_one.rejected[:-1]]
