from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS
from voxlake.lake.tables import to_arrow
from voxlake.ringcentral.records import InvalidRecordError, parse_record, parse_records

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


def parse(value: Any) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    return parse_record(value, None, READ_AT)


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
    assert to_arrow(CALLS, [call])["extra"].to_pylist() == [call["extra"]]


def test_names_keep_their_letters() -> None:
    call, _, _ = parse(record(**{"from": {"name": "Änne 😀"}}))
    assert to_arrow(CALLS, [call])["from_name"].to_pylist() == ["Änne 😀"]


def test_seconds_serve_where_there_are_no_milliseconds() -> None:
    value = record()
    del value["durationMs"]
    assert parse(value)[0]["duration_ms"] == 194000


def test_rows_fit_the_tables_of_the_lake() -> None:
    call, legs, recordings = parse(record(recording=recording("7"), legs=[leg(master=True), leg()]))
    for table, rows in ((CALLS, [call]), (LEGS, legs), (RECORDINGS, recordings)):
        for row in rows:
            assert set(row) <= set(table.schema.names), table.name
        assert to_arrow(table, rows).num_rows == len(rows)


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


def test_a_record_of_before_telephony_sessions_goes_by_its_session_id() -> None:
    value = record(recording=recording("7"))
    del value["telephonySessionId"]
    call, _, recordings = parse(value)
    assert "telephony_session_id" not in call
    assert recordings[0]["telephony_session_id"] == "1039811321016"


def test_a_leg_knows_its_record() -> None:
    _, legs, _ = parse(record(legs=[leg(startTime="2026-11-21T00:00:01Z")]))
    assert (legs[0]["call_id"], legs[0]["leg_index"], legs[0]["call_start_time"]) == ("VgLcd1", 0, START)
    assert legs[0]["start_time"] == START.replace(day=21, hour=0, second=1, microsecond=0)
    assert legs[0]["last_modified_time"] == parse(record())[0]["last_modified_time"]


def test_the_account_of_the_page_serves_where_the_record_names_none() -> None:
    value = record(uri="https://platform.ringcentral.com/..snip..")
    assert parse_record(value, "500", READ_AT)[0]["account_id"] == "500"
    with pytest.raises(InvalidRecordError, match="uri: names no account"):
        parse(value)


@pytest.mark.parametrize(
    ("change", "reason"),
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
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_a_bad_field_is_named_with_what_was_expected(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidRecordError, match=reason):
        parse(record(**change))


def test_a_bad_record_does_not_take_the_others_with_it() -> None:
    good, bad = record(legs=[leg()]), record(id="Bad", duration="x")
    before = copy.deepcopy([good, bad])
    parsed = parse_records([good, bad, "no record"], None, READ_AT)
    assert [row["call_id"] for row in parsed.calls] == ["VgLcd1"]
    assert len(parsed.legs) == 1
    assert [item.reason for item in parsed.rejected] == [
        'duration: expected a whole number, got "x"',
        'record: expected an object, got "no record"',
    ]
    assert parsed.rejected[0].record == before[1]
    assert [good, bad] == before


def test_times_of_any_zone_are_stored_in_utc() -> None:
    call, _, _ = parse(record(startTime="2026-11-20T15:00:00.594+03:00"))
    assert call["start_time"] == START
    assert call["start_time"].utcoffset() == timedelta(0)
