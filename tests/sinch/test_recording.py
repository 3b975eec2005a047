"""Destinations, credentials, file names and instructions of recordings."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sinch import bodies
from voxlake.sinch.destinations import (
    BucketCredentials,
    DestinationError,
    DriveDestination,
    S3Destination,
    parse_destination,
    refuse_fixed_name,
)
from voxlake.sinch.file_names import FileName, parse_file_name
from voxlake.sinch.svaml import (
    RecordingOptions,
    StartRecording,
    StopRecording,
    Transcription,
    recording_instructions,
)

SECRET = bodies.CREDENTIALS.split(":")[1]
KEY = "f00dcafe-abba-c0de-1dea-dabb1ed4caf3"


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("s3://my-bucket", S3Destination("my-bucket")),
        ("s3://my-bucket/", S3Destination("my-bucket")),
        ("s3://my-bucket/calls/", S3Destination("my-bucket", "calls/")),
        ("s3://my-bucket/a/b/c.mp3", S3Destination("my-bucket", "a/b/", "c.mp3")),
        # A folder without the slash at its end is a file to Sinch.
        ("s3://my-bucket/calls", S3Destination("my-bucket", "", "calls")),
        ("sdrive://", DriveDestination()),
        ("sdrive://one.mp3", DriveDestination("one.mp3")),
    ],
)
def test_destinations_are_read_and_written(url: str, destination: S3Destination | DriveDestination) -> None:
    assert parse_destination(url) == destination
    assert parse_destination(str(destination)) == destination


@pytest.mark.parametrize(
    "url", ["", "my-bucket", "s3://", "s3://A/", "s3:/a/b", "azure://account/container", "S3://my-bucket/"]
)
def test_what_is_no_destination_is_refused(url: str) -> None:
    with pytest.raises(DestinationError, match="expected s3://bucket/folder/"):
        parse_destination(url)


@pytest.mark.parametrize("url", ["s3://my-bucket/my-recording.mp3", "s3://my-bucket/calls", "sdrive://one.mp3"])
def test_a_name_that_the_next_call_would_overwrite_is_refused_with_the_reason(url: str) -> None:
    with pytest.raises(DestinationError, match="overwrite the one before"):
        refuse_fixed_name(parse_destination(url))


@pytest.mark.parametrize("url", ["s3://my-bucket", "s3://my-bucket/calls/", "sdrive://"])
def test_a_folder_is_not_refused(url: str) -> None:
    refuse_fixed_name(parse_destination(url))


@pytest.mark.parametrize("text", ["", "wrote", "wrote:s3cr3t", "wrote::region", "wrote:s3cr3t:region:more"])
def test_bad_credentials_are_refused_and_not_shown(text: str) -> None:
    with pytest.raises(DestinationError) as refused:
        BucketCredentials.parse(text)

    assert "expected <access key id>" in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_credentials_do_not_show_the_secret() -> None:
    options = RecordingOptions.from_json(bodies.OPTIONS)

    assert SECRET not in repr(options)
    assert SECRET not in repr(StartRecording(options))
    assert SECRET in json.dumps(StartRecording(options).to_json())


def test_the_documented_name_is_read() -> None:
    assert parse_file_name(f"{bodies.DRIVE_NAME}.mp3") == FileName(
        datetime(2018, 1, 1, tzinfo=UTC), bodies.CALL_ID, bodies.CALL_ID, "mp3"
    )
    transcript = parse_file_name(f"{bodies.DRIVE_NAME}-transcript.json")
    assert transcript is not None
    assert transcript.transcript


@pytest.mark.parametrize(
    "name", ["", "my-recording.mp3", f"20180101000099_{KEY}_id.mp3", f"2018_{KEY}_id.mp3", f"201801010000_{KEY}_.mp3"]
)
def test_a_name_that_is_none_of_sinchs_says_nothing(name: str) -> None:
    assert parse_file_name(name) is None


@given(
    time=st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)),  # noqa: DTZ001 - the zone is put on below
    call_id=st.text(string.ascii_letters + string.digits + "_-", min_size=1).filter(
        lambda text: not text.endswith("-transcript")
    ),
    transcript=st.booleans(),
)
def test_a_name_is_read_as_it_was_made(time: datetime, call_id: str, transcript: bool) -> None:
    name = FileName(time.replace(microsecond=0, tzinfo=UTC), KEY, call_id, "json" if transcript else "mp3", transcript)

    assert parse_file_name(str(name)) == name


OPTIONS = RecordingOptions(
    S3Destination("my-bucket"), BucketCredentials.parse(bodies.CREDENTIALS), transcription=Transcription("en-US")
)


def test_options_are_written_as_the_documents_have_them() -> None:
    assert OPTIONS.to_json() == bodies.OPTIONS | {"destinationUrl": "s3://my-bucket/"}
    assert RecordingOptions.from_json(OPTIONS.to_json()) == OPTIONS
    assert RecordingOptions(DriveDestination(), format="wav", notification_events=False).to_json() == {
        "destinationUrl": "sdrive://",
        "format": "wav",
        "notificationEvents": False,
    }


@pytest.mark.parametrize(
    "svaml",
    [
        {
            "instructions": [{"name": "say"}, {"name": "startRecording", "options": bodies.OPTIONS}],
            "action": {"name": "connectConf"},
        },
        {"instructions": [{"name": "StartRecording", "options": bodies.OPTIONS}]},
        {"action": {"name": "Continue", "record": True, "recordingOptions": bodies.OPTIONS}},
        {"action": {"name": "connectPstn", "recording": True, "recordingOptions": bodies.OPTIONS}},
        {"action": {"name": "startRecording", "recordingOptions": bodies.OPTIONS}},
    ],
    ids=["instruction", "other case", "record", "recording", "older manage call"],
)
def test_every_way_to_ask_for_a_recording_is_read(svaml: dict[str, Any]) -> None:
    assert list(recording_instructions(svaml)) == [StartRecording(OPTIONS)]


def test_a_destination_under_the_name_of_the_callbacks_document_is_read() -> None:
    renamed = {name.replace("destinationUrl", "destination"): value for name, value in bodies.OPTIONS.items()}

    assert RecordingOptions.from_json(renamed) == OPTIONS


def test_instructions_are_read_in_their_order() -> None:
    svaml = {
        "instructions": [StartRecording(OPTIONS).to_json(), StopRecording().to_json()],
        "action": {"name": "hangup"},
    }

    assert list(recording_instructions(svaml)) == [StartRecording(OPTIONS), StopRecording()]
    assert list(recording_instructions({"action": {"name": "stopRecording"}})) == [StopRecording()]


@pytest.mark.parametrize(
    "svaml", [{}, {"action": {"name": "hangup"}}, {"action": {"name": "continue", "record": False}}]
)
def test_where_nothing_is_said_of_recording_nothing_is_read(svaml: dict[str, Any]) -> None:
    assert list(recording_instructions(svaml)) == []
