"""What the other tests rely on of the Sinch look-alike: files, names, notifications and records as documented."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.sinch import SinchSandbox, run_sinch_sandbox
from tests.sinch.listening_application import Listening, listening
from voxlake.audio.probe import probe

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
CREDENTIALS = "test:test:us-east-1"


@pytest.fixture
def application() -> Iterator[Listening]:
    with listening() as application:
        yield application


@pytest.fixture
def sinch(s3_endpoint: str, application: Listening) -> Iterator[SinchSandbox]:
    with run_sinch_sandbox(s3_endpoint, application.url) as sandbox:
        yield sandbox


def options(bucket: str, **changed: Any) -> dict[str, Any]:
    return {"destinationUrl": f"s3://{bucket}/calls/", "credentials": CREDENTIALS, "format": "mp3"} | changed


def told(application: Listening) -> list[str]:
    return [callback.get("type") or callback["event"] for callback in application.callbacks]


def test_a_call_is_recorded_under_the_documented_name_and_told_of(
    sinch: SinchSandbox, application: Listening, s3_client: S3Client, s3_bucket: str, tmp_path: Path
) -> None:
    call = sinch.place_call(7.5, start=NOON, record=options(s3_bucket), suffix="_257")

    key = f"calls/20260304120000_{sinch.key}_{call.call_id}.mp3"
    (made,) = sinch.recordings
    assert (made.key, made.seconds, made.uploaded) == (key, 7.5, True)
    file = tmp_path / "file.mp3"
    file.write_bytes(s3_client.get_object(Bucket=s3_bucket, Key=key)["Body"].read())
    assert probe(file).duration_ms == pytest.approx(7500, abs=100)
    assert told(application) == ["recording_finished", "recording_available", "dice"]
    assert application.callbacks[1] == {
        "event": "notify",
        "version": 1,
        "callid": call.call_id,
        "type": "recording_available",
        "destination": f"s3://{s3_bucket}/{key}",
    }


@pytest.mark.parametrize(("notify", "count"), [("twice", 2), ("never", 0), ("late", 0)])
def test_notifications_come_twice_never_or_late(
    sinch: SinchSandbox, application: Listening, s3_bucket: str, notify: str, count: int
) -> None:
    sinch.place_call(record=options(s3_bucket), notify=notify)
    assert told(application).count("recording_available") == count
    sinch.send_late()
    assert told(application).count("recording_available") == (1 if notify == "late" else count)


def test_a_fixed_name_is_overwritten(sinch: SinchSandbox, s3_client: S3Client, s3_bucket: str) -> None:
    fixed = options(s3_bucket, destinationUrl=f"s3://{s3_bucket}/calls/the.wav", format="wav")
    sizes = []
    for seconds in (1, 3):
        sinch.place_call(seconds, record=fixed)
        sizes.append(s3_client.head_object(Bucket=s3_bucket, Key="calls/the.wav")["ContentLength"])
    assert sizes[1] > 2 * sizes[0]


def test_a_transcript_lies_beside_its_recording(
    sinch: SinchSandbox, application: Listening, s3_client: S3Client, s3_bucket: str
) -> None:
    sinch.place_call(record=options(s3_bucket, transcriptionOptions={"enabled": True}))
    (made,) = sinch.recordings
    key = made.key.replace(".mp3", "-transcript.json")
    transcript = json.loads(s3_client.get_object(Bucket=s3_bucket, Key=key)["Body"].read())
    assert transcript["lines"][0]["speakerLabel"] == "Speaker 1"
    assert application.callbacks[2]["destination"] == f"s3://{s3_bucket}/{key}"


@pytest.mark.parametrize("how", [{"uploads": False}, {"bucket": "there-is-none"}])
def test_what_does_not_reach_the_bucket_is_finished_and_never_available(
    sinch: SinchSandbox, application: Listening, s3_bucket: str, how: dict[str, Any]
) -> None:
    sinch.place_call(record=options(how.pop("bucket", s3_bucket)), **how)
    assert told(application) == ["recording_finished", "dice"]


def test_manage_call_makes_a_second_recording(sinch: SinchSandbox, s3_bucket: str) -> None:
    call = sinch.open_call(start=NOON, record=options(s3_bucket))
    resource = f"{sinch.url}/calling/v1/calls/id/{call.call_id}"

    def manage(*instructions: dict[str, Any]) -> None:
        body = {"instructions": instructions, "action": {"name": "continue"}}
        requests.patch(resource, json=body, auth=(sinch.key, sinch.secret), timeout=30).raise_for_status()

    call.talk(2)
    manage({"name": "stopRecording"})
    call.talk(3)
    manage({"name": "startRecording", "options": options(s3_bucket)})
    call.talk(4)
    call.hang_up()

    assert [made.seconds for made in sinch.recordings] == [2, 4]
    assert [made.key[6:20] for made in sinch.recordings] == ["20260304120000", "20260304120005"]
    facts = requests.get(resource, auth=(sinch.key, sinch.secret), timeout=30).json()
    assert (facts["status"], facts["result"], facts["duration"]) == ("FINAL", "ANSWERED", 9)
    assert facts["timestamp"] == "2026-03-04T12:00:00"


def test_the_daily_file_has_the_calls_of_a_day(sinch: SinchSandbox, s3_client: S3Client, s3_bucket: str) -> None:
    call = sinch.place_call(61, start=NOON)
    sinch.place_call(start=NOON.replace(day=5))
    where = sinch.write_cdr(date(2026, 3, 4), f"s3://{s3_bucket}/cdr/", CREDENTIALS)
    assert where == f"s3://{s3_bucket}/cdr/2026-03-04.csv"
    text = s3_client.get_object(Bucket=s3_bucket, Key="cdr/2026-03-04.csv")["Body"].read().decode()
    (row,) = csv.DictReader(text.splitlines(), delimiter=";")
    assert (row["CallId"], row["Duration"], row["Amount"]) == (call.call_id, "61", "0.019")
    assert (row["CallTime"], row["AnswerTime"]) == ("2026-03-04T12:00:00Z", "2026-03-04T12:00:02Z")


def test_a_call_asks_and_does_what_it_is_told(sinch: SinchSandbox, application: Listening, s3_bucket: str) -> None:
    application.answers = [
        {
            "instructions": [{"name": "StartRecording", "options": options(s3_bucket)}],
            "action": {"name": "ConnectPstn"},
        },
        {"instructions": [{"name": "StopRecording"}], "action": {"name": "Continue"}},
    ]
    sinch.place_call(10, start=NOON)
    assert told(application) == ["ice", "ace", "recording_finished", "recording_available", "dice"]
    assert [made.seconds for made in sinch.recordings] == [2], "from the first ring to the answer"
    assert application.callbacks[-1]["duration"] == 10


def test_the_flag_of_an_action_records_too(sinch: SinchSandbox, application: Listening, s3_bucket: str) -> None:
    application.answers = [
        {"action": {"name": "connectPstn"}},
        {"action": {"name": "continue", "record": True, "recordingOptions": options(s3_bucket)}},
    ]
    sinch.place_call(10)
    assert [made.seconds for made in sinch.recordings] == [10]


def test_a_conference_is_recorded_until_everybody_has_left(
    sinch: SinchSandbox, application: Listening, s3_bucket: str
) -> None:
    join = {"name": "connectConf", "conferenceId": "weekly", "record": True, "recordingOptions": options(s3_bucket)}
    application.answers = [{"action": join}, {"action": join}]
    first = sinch.open_call(start=NOON)
    second = sinch.open_call(start=NOON)
    first.talk(5)
    first.hang_up()
    second.talk(20)
    second.hang_up()

    (made,) = sinch.recordings
    assert (made.call_id, made.seconds) == ("weekly", 20)
    available = [callback for callback in application.callbacks if callback.get("type") == "recording_available"]
    assert [callback["conferenceId"] for callback in available] == ["weekly"]


def test_a_call_that_nobody_answers_for_ends_with_an_error(sinch: SinchSandbox, application: Listening) -> None:
    application.status = 503
    application.answers = [{}]
    sinch.place_call()
    assert told(application) == ["ice", "dice"]
    assert application.callbacks[1]["reason"] == "CALLBACKERROR"
    assert "duration" not in application.callbacks[1]


def test_an_incoming_call_cannot_just_continue(sinch: SinchSandbox, application: Listening) -> None:
    application.answers = [{"action": {"name": "continue"}}]
    sinch.place_call()
    assert application.callbacks[-1]["reason"] == "INVALIDSVAMLACTION"


def test_a_menu_is_answered_with_what_the_caller_chose(sinch: SinchSandbox, application: Listening) -> None:
    application.answers = [{"action": {"name": "runMenu"}}, {"action": {"name": "connectPstn"}}]
    call = sinch.open_call()
    call.press("2")
    call.hang_up()
    assert told(application) == ["ice", "pie", "ace", "dice"]


def test_callbacks_are_signed_as_documented(sinch: SinchSandbox, application: Listening) -> None:
    sinch.place_call()
    (ice, *_) = sinch.sent
    assert re.fullmatch(rf"application {sinch.key}:[A-Za-z0-9+/]{{43}}=", ice.headers["Authorization"])
