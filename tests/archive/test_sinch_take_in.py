from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.archive.listening import decode, tones_within
from tests.archive.sinch_landing import NOON, WAIT, Row, Team, running_team
from tests.search.archive import find
from voxlake.archive.sinch_round import take_in_round
from voxlake.archive.sinch_take_in import Source
from voxlake.lake import inbox, layout
from voxlake.lake.lease import LeaseHeldError
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, RECORDINGS, SESSIONS
from voxlake.search.index import SearchIndex
from voxlake.sinch.client import SinchClient
from voxlake.sinch.landing import BucketRefusedError, Landing
from voxlake.sinch.signature import Application

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# When something was done or received, not what.
OF_THE_MOMENT = ("extracted_at", "downloaded_at", "attempts")


@pytest.fixture
def team(s3_endpoint: str, s3_client: S3Client, s3_bucket: str, tmp_path: Path) -> Iterator[Team]:
    with running_team(s3_endpoint, s3_client, s3_bucket, LocalStorage(tmp_path / "lake")) as running:
        yield running


def lasting(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if name not in OF_THE_MOMENT} for row in rows]


def with_versions(team: Team) -> None:
    team.s3.put_bucket_versioning(Bucket=team.bucket, VersioningConfiguration={"Status": "Enabled"})


def test_a_recorded_call_is_in_the_catalogue_beside_its_callbacks(team: Team) -> None:
    call = team.sinch.place_call(7.5, start=NOON, record=team.options(), suffix="_257", custom="order 7")
    team.receive_all()

    assert team.archive() == {}

    (row,) = team.rows(CALLS)
    assert (row["provider"], row["account_id"], row["call_id"]) == ("sinch", team.sinch.key, call.call_id)
    assert row["telephony_session_id"] == call.call_id
    assert (row["result"], row["duration_ms"], row["from_phone_number"], row["to_phone_number"]) == (
        ("ANSWERED", 8000, "+15550100001", "+15550100002")
    )
    assert json.loads(row["extra"])["dice"]["custom"] == "order 7"
    (recording,) = team.rows(RECORDINGS)
    assert (recording["status"], recording["type"], recording["start_time"]) == ("downloaded", "Call", NOON)
    assert recording["recording_id"].startswith(call.call_id)
    (made,) = team.sinch.recordings
    assert recording["uri"] == made.destination
    original = team.s3.get_object(Bucket=team.bucket, Key=made.key)["Body"].read()
    assert team.lake.read(recording["audio_path"]).data == original
    assert recording["audio_path"].startswith("audio/recordings/provider=sinch/date=2026-03-04/")
    (session,) = team.rows(SESSIONS)
    assert (session["provider"], session["telephony_session_id"]) == ("sinch", call.call_id)
    assert (session["status"], session["recording_ids"]) == ("complete", [recording["recording_id"]])
    assert session["from_phone_number"] == "+15550100001"
    assert session["audio_path"] == f"audio/sessions/provider=sinch/date=2026-03-04/{call.call_id}.mp3"
    today = datetime.now(UTC).date()
    kept = [team.lake.read(path).data for path in team.lake.list(layout.callbacks_folder(today, call.call_id))]
    assert sorted(kept) == sorted(team.application.contents)
    assert list(team.lake.list(layout.inbox_folder("sinch"))) == []


def test_what_no_callback_told_of_is_found_in_the_bucket_and_asked_for(team: Team) -> None:
    call = team.sinch.place_call(6, start=NOON, record=team.options(), notify="never")
    assert team.application.contents == []

    assert team.archive() == {}

    (row,) = team.rows(CALLS)
    assert (row["call_id"], row["result"], row["start_time"]) == (call.call_id, "ANSWERED", NOON)
    (recording,) = team.rows(RECORDINGS)
    assert (recording["call_id"], recording["status"]) == (call.call_id, "downloaded")
    (session,) = team.rows(SESSIONS)
    assert (session["status"], session["to_phone_number"]) == ("complete", "+15550100002")


def test_what_a_callback_told_of_needs_no_look_into_the_bucket(team: Team) -> None:
    team.sinch.place_call(6, start=NOON, record=team.options())
    team.receive_all()
    team.archive(sweep=False)
    assert [row["status"] for row in team.rows(RECORDINGS)] == ["downloaded"]


def test_a_second_round_copies_and_merges_nothing(team: Team) -> None:
    team.sinch.place_call(6, start=NOON, record=team.options())
    team.receive_all()
    team.archive("first")
    before = {table.name: team.rows(table) for table in (CALLS, RECORDINGS, SESSIONS)}
    files = {path: team.lake.version(path) for path in team.lake.list("audio")}

    team.receive_all()
    assert team.round("second") == []

    after = {table.name: team.rows(table) for table in (CALLS, RECORDINGS, SESSIONS)}
    assert {name: lasting(rows) for name, rows in after.items()} == {
        name: lasting(rows) for name, rows in before.items()
    }
    assert {path: team.lake.version(path) for path in team.lake.list("audio")} == files


def test_a_recording_started_three_times_is_one_file_in_order(team: Team) -> None:
    call = team.sinch.open_call(start=NOON, record=team.options())
    call.talk(5)
    stop, start = {"name": "stopRecording"}, {"name": "startRecording", "options": team.options()}
    for _ in range(2):
        team.sinch._state.calls[call.call_id].managed([stop])
        call.talk(3)
        team.sinch._state.calls[call.call_id].managed([start])
        call.talk(5)
    call.hang_up()
    assert len(team.sinch.recordings) == 3
    contents = list(team.application.contents)
    random.Random(4).shuffle(contents)
    team.receive(*contents)

    assert team.archive() == {}

    recordings = sorted(team.rows(RECORDINGS), key=lambda row: row["start_time"])
    (session,) = team.rows(SESSIONS)
    assert session["recording_ids"] == [row["recording_id"] for row in recordings]
    assert session["duration_ms"] == pytest.approx(15_000, abs=300)
    samples = decode(team.lake.read(session["audio_path"]).data)
    for chapter, made in zip(session["chapters"], team.sinch.recordings, strict=True):
        assert tones_within(samples, chapter) == pytest.approx((made.tone, made.tone), rel=0.02)


def test_an_overwrite_between_two_rounds_makes_a_second_recording_and_the_first_stays(team: Team) -> None:
    first = team.sinch.place_call(5, start=NOON, record=team.options("the.mp3"))
    team.archive("first")
    (held,) = team.rows(RECORDINGS)
    audio = team.lake.read(held["audio_path"]).data
    second = team.sinch.place_call(6, start=NOON + timedelta(minutes=5), record=team.options("the.mp3"))
    team.archive("second")

    recordings = team.rows(RECORDINGS)
    assert len(recordings) == 2
    assert {row["status"] for row in recordings} == {"downloaded"}
    assert team.lake.read(held["audio_path"]).data == audio
    assert len({row["sha256"] for row in recordings}) == 2
    assert first.call_id != second.call_id


def test_every_version_of_an_object_is_a_recording(team: Team) -> None:
    with_versions(team)
    for number in range(3):
        team.sinch.place_call(5, start=NOON + timedelta(minutes=number), record=team.options("the.mp3"), notify="never")
    made = team.sinch.recordings[0]
    team.s3.delete_object(Bucket=team.bucket, Key=made.key)

    team.archive()

    recordings = team.rows(RECORDINGS)
    assert len({row["sha256"] for row in recordings}) == 3
    assert all("?versionId=" in row["uri"] for row in recordings)


def test_a_file_whose_name_says_nothing_is_kept_under_its_own_key_and_flagged(team: Team) -> None:
    team.sinch.place_call(5, start=NOON, record=team.options("my-recording.mp3"), notify="never")
    team.archive()
    (row,) = team.rows(RECORDINGS)
    assert row["call_id"] is None
    assert row["telephony_session_id"] == row["recording_id"]
    assert row["status"] == "downloaded"
    assert "says no call" in row["error"]
    (session,) = team.rows(SESSIONS)
    assert session["status"] == "complete"


def test_a_file_whose_name_says_nothing_is_that_of_the_call_that_was_told_of(team: Team) -> None:
    call = team.sinch.place_call(5, start=NOON, record=team.options("my-recording.mp3"))
    team.receive_all()
    team.archive()
    (row,) = team.rows(RECORDINGS)
    assert (row["call_id"], row["telephony_session_id"], row["error"]) == (call.call_id, call.call_id, None)


def test_a_conference_is_told_from_the_calls_in_it(team: Team) -> None:
    answer = {
        "instructions": [{"name": "startRecording", "options": team.options()}],
        "action": {"name": "connectConf", "conferenceId": "room-7", "record": True, "recordingOptions": team.options()},
    }
    team.application.answers[:] = [answer, answer | {"instructions": []}]
    one = team.sinch.open_call(start=NOON)
    other = team.sinch.open_call(start=NOON + timedelta(seconds=2))
    one.talk(6)
    other.talk(6)
    one.hang_up()
    other.hang_up()
    team.receive_all()

    assert team.archive() == {}

    assert {row["telephony_session_id"] for row in team.rows(CALLS)} == {"room-7"}
    recordings = {row["type"]: row for row in team.rows(RECORDINGS)}
    assert recordings["Conference"]["telephony_session_id"] == "room-7"
    assert recordings["Call"]["telephony_session_id"] == one.call_id
    sessions = {row["telephony_session_id"]: row for row in team.rows(SESSIONS)}
    assert set(sessions) == {"room-7", one.call_id}
    assert sorted(sessions["room-7"]["call_ids"]) == sorted([one.call_id, other.call_id])


def test_a_transcript_lies_beside_the_recording(team: Team) -> None:
    options = team.options(transcriptionOptions={"enabled": True})
    call = team.sinch.place_call(5, start=NOON, record=options)
    team.receive_all()
    team.archive()
    team.archive("again")
    (path,) = team.lake.list("raw/sinch/transcripts")
    assert path.startswith(f"raw/sinch/transcripts/date=2026-03-04/{call.call_id}/")
    assert call.call_id in json.loads(team.lake.read(path).data)["text"]
    assert len(team.rows(RECORDINGS)) == 1


def test_a_recording_that_never_came_is_unavailable_until_it_comes(team: Team) -> None:
    call = team.sinch.place_call(5, start=NOON, record=team.options(credentials="test:test:us-east-1"), uploads=False)
    told = datetime.now(UTC)
    team.receive_all()
    team.archive("early")
    assert team.rows(RECORDINGS) == []

    team.archive("late", now=told + WAIT + timedelta(minutes=1))
    (row,) = team.rows(RECORDINGS)
    assert (row["status"], row["unavailable_reason"], row["call_id"]) == ("unavailable", "not_delivered", call.call_id)
    assert "Sinch told of a recording" in row["error"]

    (made,) = team.sinch.recordings
    other = team.sinch.place_call(5, start=NOON, record=team.options("x.mp3"), notify="never")
    assert other.call_id
    sound = team.s3.get_object(Bucket=team.bucket, Key="calls/x.mp3")["Body"].read()
    team.s3.delete_object(Bucket=team.bucket, Key="calls/x.mp3")
    team.s3.put_object(Bucket=team.bucket, Key=made.key, Body=sound)
    team.archive("at last", now=told + WAIT + timedelta(hours=1))
    (row,) = team.rows(RECORDINGS)
    assert (row["status"], row["call_id"]) == ("downloaded", call.call_id)


def test_what_is_no_audio_failed_and_says_where_it_is_kept(team: Team) -> None:
    call = team.sinch.add_call({"result": "ANSWERED", "timestamp": "2026-03-04T12:00:00"}, ongoing=False)
    key = f"calls/20260304120000_{team.sinch.key}_{call.call_id}.mp3"
    team.s3.put_object(Bucket=team.bucket, Key=key, Body=b"<html>an error page</html>")

    failed = team.archive()

    assert list(failed) == [call.call_id]
    (row,) = team.rows(RECORDINGS)
    assert row["status"] == "failed"
    (kept,) = team.lake.list("raw/sinch/recordings")
    assert kept in row["error"]
    assert team.lake.read(kept).data == b"<html>an error page</html>"
    assert team.archive("again") == {}


def test_a_bucket_that_is_not_there_is_named(team: Team) -> None:
    with pytest.raises(BucketRefusedError, match="no bucket nowhere-at-all"):
        list(Landing(team.s3).files("nowhere-at-all", ""))


def test_no_callback_at_all_is_set_aside(team: Team) -> None:
    team.receive(b'{"event": "dice"}', b"no JSON")
    team.archive()
    paths = [path for path in team.lake.list("raw/sinch/callbacks") if "/rejected/" in path]
    assert sorted(team.lake.read(path).data for path in paths) == [b"no JSON", b'{"event": "dice"}']
    assert team.rows(CALLS) == []


@pytest.mark.parametrize("seed", range(4))
def test_any_order_and_repetition_of_callbacks_gives_the_same_rows(team: Team, tmp_path: Path, seed: int) -> None:
    team.sinch.place_call(5, start=NOON, record=team.options(), custom="one")
    team.sinch.place_call(5, start=NOON + timedelta(minutes=1), record=team.options(), notify="twice")
    team.sinch.place_call(5, start=NOON + timedelta(minutes=2), record=team.options(), uploads=False)
    contents = list(team.application.contents)
    now = datetime.now(UTC)
    expected = rows_of(team, LocalStorage(tmp_path / "in-order"), [contents], now)

    chance = random.Random(seed)
    mixed = contents + chance.choices(contents, k=len(contents) // 2)
    chance.shuffle(mixed)
    cuts = sorted(chance.sample(range(len(mixed)), 3))
    batches = [mixed[first:last] for first, last in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]
    assert rows_of(team, LocalStorage(tmp_path / "mixed"), batches, now) == expected


def rows_of(team: Team, lake: LocalStorage, batches: list[list[bytes]], now: datetime) -> list[Any]:
    """What a lake comes to hold where callbacks come in some batches, with a round after each."""
    there = Team(team.sinch, team.application, team.bucket, team.s3, lake)
    for number, batch in enumerate(batches):
        there.receive(*batch, at=now)
        there.archive(f"run-{number}", now=now + WAIT + timedelta(minutes=1 + number))
    return [lasting(there.rows(table)) for table in (CALLS, RECORDINGS)]


@pytest.mark.parametrize("destination", ["azure://account/container/a.mp3", "https://elsewhere.example/a.mp3"])
def test_what_lies_where_nobody_may_fetch_it_failed_and_names_the_place(team: Team, destination: str) -> None:
    call_id = "1ce0ffee-ca11-ca11-ca11-abcdef000053"
    notify = {"event": "notify", "callid": call_id, "version": 1, "type": "recording_available"}
    team.receive(json.dumps(notify | {"destination": destination}).encode())
    failed = team.archive()
    assert list(failed) == [call_id]
    (row,) = team.rows(RECORDINGS)
    assert (row["status"], row["call_id"], row["uri"]) == ("failed", call_id, destination)
    scheme, _, rest = destination.partition("://")
    assert f"{scheme}://{rest.split('/')[0]}" in row["error"]


def test_a_file_at_an_address_of_sinchs_is_fetched(team: Team) -> None:
    made = team.sinch.place_call(5, start=NOON, record=team.options(), notify="never")
    (recording,) = team.sinch.recordings
    sound = team.s3.get_object(Bucket=team.bucket, Key=recording.key)["Body"].read()
    name = recording.key.rpartition("/")[2]
    with serving(f"/calling/v1/recording/{name}", sound) as url:
        destination = f"{url}/calling/v1/recording/{name}"
        notify = {"event": "notify", "callid": made.call_id, "version": 1, "type": "recording_available"}
        team.receive(json.dumps(notify | {"destination": destination}).encode())
        # The connection's host is the one that may be asked.
        with SinchClient(Application(team.sinch.key, team.sinch.secret), url) as client:
            source = Source(Landing(team.s3), client, team.sinch.key)
            take_in_round(team.lake, source, "run", (), datetime.now(UTC), WAIT)
    (row,) = team.rows(RECORDINGS)
    assert (row["status"], row["uri"], row["start_time"]) == ("downloaded", destination, NOON)
    assert team.lake.read(row["audio_path"]).data == sound


@contextmanager
def serving(path: str, content: bytes) -> Iterator[str]:
    """A server that gives one file to who signs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == path and "application " in self.headers["Authorization"]
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(content) if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing, which would be on the standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_two_rounds_at_a_time_take_turns(team: Team) -> None:
    team.sinch.place_call(5, start=NOON, record=team.options())
    team.receive_all()
    with inbox.draining(team.lake, "sinch", "another run"), pytest.raises(LeaseHeldError, match="another run"):
        team.round("this run")
    assert team.archive("this run") == {}


class KilledError(BaseException):
    """What no code of ours handles: the end of a process."""


class KilledAtWrite:
    """A lake whose process is killed before one of its writes.

    Args:
        lake: The lake.
        write: Which write, from 0.
    """

    def __init__(self, lake: LocalStorage, write: int) -> None:
        self._lake = lake
        self.left = write

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._lake, name)
        if name not in ("put", "compare_and_swap", "publish", "publish_if", "delete"):
            return attribute

        def write(*arguments: Any) -> Any:
            if self.left == 0:
                raise KilledError
            self.left -= 1
            return attribute(*arguments)

        return write


def test_a_round_that_is_killed_before_any_of_its_writes_is_made_up_for(team: Team, tmp_path: Path) -> None:
    team.sinch.place_call(5, start=NOON, record=team.options(transcriptionOptions={"enabled": True}))
    team.sinch.place_call(5, start=NOON + timedelta(minutes=1), record=team.options(), notify="never")
    whole = Team(team.sinch, team.application, team.bucket, team.s3, LocalStorage(tmp_path / "whole"))
    whole.receive_all()
    counting = KilledAtWrite(LocalStorage(tmp_path / "whole"), -1)
    Team(team.sinch, team.application, team.bucket, team.s3, counting).archive("run")
    expected = [lasting(whole.rows(table)) for table in (CALLS, RECORDINGS)]
    audio = list(whole.lake.list("audio"))
    assert len(audio) == 6

    for write in range(-1 - counting.left):
        lake = LocalStorage(tmp_path / f"killed-{write}")
        there = Team(team.sinch, team.application, team.bucket, team.s3, lake)
        there.receive_all()
        killed = Team(team.sinch, team.application, team.bucket, team.s3, KilledAtWrite(lake, write))
        with pytest.raises(KilledError):
            killed.archive("run")
        # The same run again, as Airflow tries it.
        assert there.archive("run") == {}, write
        assert [lasting(there.rows(table)) for table in (CALLS, RECORDINGS)] == expected, write
        assert list(lake.list("audio")) == audio, write
        assert {row["status"] for row in there.rows(SESSIONS)} == {"complete"}, write
        assert len(list(lake.list("raw/sinch/transcripts"))) == 1, write


def test_the_recordings_page_shows_both_providers_alike(team: Team, tmp_path: Path) -> None:
    call = team.sinch.place_call(6, start=NOON, record=team.options(), notify="never")
    team.archive()
    index = SearchIndex(team.lake, tmp_path / "state")
    (found,) = find(index, number="5550100001", since="2026-03-04", to="2026-03-05").conversations
    assert (found.provider, found.telephony_session_id, found.status) == ("sinch", call.call_id, "complete")
    assert (found.result, found.to_phone_number) == ("ANSWERED", "+15550100002")


def test_a_bucket_that_a_callback_names_and_nobody_may_read_holds_back_nothing_else(team: Team) -> None:
    call = team.sinch.place_call(5, start=NOON, record=team.options())
    notify = {"event": "notify", "callid": "elsewhere", "version": 1, "type": "recording_available"}
    team.receive_all()
    team.receive(json.dumps(notify | {"destination": "s3://of-another-team/a.mp3"}).encode())
    with pytest.raises(BucketRefusedError, match="no bucket of-another-team"):
        team.round()
    assert [row["call_id"] for row in team.rows(RECORDINGS)] == [call.call_id]
    assert list(team.lake.list(layout.inbox_folder("sinch")))

    team.s3.create_bucket(Bucket="of-another-team")
    assert team.archive() == {}
    assert list(team.lake.list(layout.inbox_folder("sinch"))) == []
