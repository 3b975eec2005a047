from __future__ import annotations

from datetime import UTC, datetime

import pytest

from voxlake.sinch.cdr import RecordFileError, parse_records

PHONE = "CallId;UserSpaceId;CallTime;Result;Reason;Duration;AnswerTime;From;To;Amount;Currency;Custom;ApplicationKey"
APP = "CallId;UserSpaceId;CallTime;Result;Reason;Duration;FromUserId;ToUserId;Custom;ApplicationKey"


def test_calls_of_several_types_have_columns_of_their_own() -> None:
    lines = [
        PHONE,
        'one;7;2026-11-20T10:00:00Z;ANSWERED;CALLERHANGUP;5;2026-11-20T10:00:02Z;+1;+2;0.01;EUR;"a;b";key',
        APP,
        "two;7;2026-11-20 23:59:59;NOANSWER;TIMEOUT;0;ann;bob;;key",
        "",
    ]
    records, rejected = parse_records("\ufeff".encode() + "\r\n".join(lines).encode(), "file")
    assert rejected == []
    assert [(one.call_id, one.application_key, one.answered) for one in records] == [
        ("one", "key", True),
        ("two", "key", False),
    ]
    assert records[1].call_time == datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)


def test_a_bad_record_is_named_and_the_others_are_read() -> None:
    lines = [
        APP,
        ";7;2026-11-20T10:00:00Z;ANSWERED;;;;;;k",
        "b;7;yesterday;ANSWERED;;;;;;k",
        "c;7;2026-11-20T10:00:00Z",
    ]
    records, rejected = parse_records("\n".join(lines).encode(), "s3://bucket/file.csv")
    assert [(one.call_id, one.result) for one in records] == [("c", "")]
    assert rejected[0] == "s3://bucket/file.csv, line 2: CallId: missing"
    assert rejected[1].startswith("s3://bucket/file.csv, line 3: CallTime: expected a time")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<html>\n", "line 1: expected a header with CallId, CallTime, Result"),
        ("CallId;Result\na;ANSWERED\n", "line 1: the column CallTime is missing"),
    ],
)
def test_what_is_no_file_of_records_is_named(text: str, told: str) -> None:
    with pytest.raises(RecordFileError, match=f"file.csv, {told}"):
        parse_records(text.encode(), "file.csv")
