from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.ringcentral import Fault, QuotaLimit, Sandbox, Session
from sandbox.ringcentral.faults import AnswerKind
from tests.archive.archived_day import (
    CONFIG,
    DAY,
    NEXT_DAY,
    PATIENCE,
    Row,
    content_requests,
    downloads,
    ids,
    plan_session,
    rows,
    session_across_midnight,
    session_with,
    upsert,
)
from tests.archive.conftest import Connect
from tests.conftest import StartSandbox
from tests.ringcentral.scripted_server import Answer, ScriptedServer
from voxlake.archive.download import RecordingsFailedError, download_session
from voxlake.archive.plan import SessionRef
from voxlake.lake import layout
from voxlake.lake.lease import lease
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.errors import PermissionDeniedError, RateLimitedError


def audio_path(recording_id: str, day: datetime = DAY) -> str:
    return layout.recording_audio(recording_id, day.date(), "audio/mpeg")


def held(storage: Storage) -> list[str]:
    return list(storage.list("audio"))


def of(found: list[Row], recording_id: str) -> Row:
    (row,) = [row for row in found if row["recording_id"] == recording_id]
    return row


def change(storage: Storage, recording_id: str, **values: Any) -> None:
    """Lands a recording once more, as if the call log told other things of it now."""
    row = of(rows(storage, RECORDINGS), recording_id)
    upsert(storage, RECORDINGS, row | {"extracted_at": row["extracted_at"] + timedelta(seconds=1), **values})


def test_every_recording_is_fetched_once(sandbox: Sandbox, client: RingCentralClient, storage: Storage) -> None:
    recordings = session_with(sandbox, 3).recordings
    session = plan_session(client, storage, session_with(sandbox, 3))
    before = datetime.now(UTC) - timedelta(milliseconds=1)

    download_session(client, storage, session, "run", 1, PATIENCE)

    assert content_requests(sandbox) == ids(recordings)
    outcomes = downloads(storage, "run", session)
    for recording, row in zip(recordings, outcomes, strict=True):
        content = sandbox.content_of(recording.id)
        assert storage.read(row["audio_path"]).data == content
        assert row["recording_id"] == recording.id
        assert row["audio_path"] == audio_path(recording.id)
        assert (row["status"], row["error"], row["attempts"]) == ("downloaded", None, 1)
        assert (row["content_type"], row["codec"], row["sample_rate"], row["channels"]) == (
            "audio/mpeg",
            "mp3",
            16_000,
            1,
        )
        assert (row["size_bytes"], row["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert abs(row["duration_ms"] - recording.duration_ms) <= 1
        assert before <= row["downloaded_at"] <= datetime.now(UTC)
    assert held(storage) == sorted(audio_path(recording.id) for recording in recordings)


def test_what_is_published_is_not_fetched_again(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    session = plan_session(client, lake, session_with(sandbox, 2))
    download_session(client, lake, session, "run", 1, PATIENCE)
    upsert(lake, RECORDINGS, *downloads(lake, "run", session))

    download_session(client, lake, session, "another run", 1, PATIENCE)

    assert len(content_requests(sandbox)) == 2
    assert downloads(lake, "another run", session) == []


def test_audio_that_nobody_published_is_adopted(sandbox: Sandbox, client: RingCentralClient, storage: Storage) -> None:
    first, second = ids(session_with(sandbox, 2).recordings)
    session = plan_session(client, storage, session_with(sandbox, 2))
    storage.put(audio_path(first), sandbox.content_of(first))
    version = storage.version(audio_path(first))

    download_session(client, storage, session, "run", 1, PATIENCE)

    assert content_requests(sandbox) == [second]
    assert storage.version(audio_path(first)) == version
    row = of(downloads(storage, "run", session), first)
    assert (row["status"], row["audio_path"]) == ("downloaded", audio_path(first))
    assert row["sha256"] == hashlib.sha256(sandbox.content_of(first)).hexdigest()
    assert (row["codec"], row["size_bytes"]) == ("mp3", len(sandbox.content_of(first)))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("html", "an HTML page"),
        ("json", "JSON"),
        ("empty", "an empty body"),
        ("error", "CMN-201"),
    ],
)
def test_what_is_not_audio_is_not_stored_and_holds_no_other_recording_back(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage, kind: AnswerKind, reason: str
) -> None:
    first, second, third = ids(session_with(sandbox, 3).recordings)
    session = plan_session(client, storage, session_with(sandbox, 3))
    sandbox.faults.add(Fault("content", kind, id=second))

    with pytest.raises(RecordingsFailedError, match=f"session {session.telephony_session_id}: recording {second}: "):
        download_session(client, storage, session, "run", 1, PATIENCE)

    assert held(storage) == [audio_path(first), audio_path(third)]
    outcomes = downloads(storage, "run", session)
    assert [row["status"] for row in outcomes] == ["downloaded", "failed", "downloaded"]
    row = of(outcomes, second)
    assert reason in row["error"]
    assert (row["audio_path"], row["sha256"], row["downloaded_at"]) == (None, None, None)

    sandbox.faults.clear()
    download_session(client, storage, session, "run", 2, PATIENCE)

    assert content_requests(sandbox) == [first, second, third, second]
    assert [(row["status"], row["error"]) for row in downloads(storage, "run", session)] == [("downloaded", None)] * 3
    assert of(downloads(storage, "run", session), second)["attempts"] == 2


def test_a_body_that_only_begins_like_audio_is_not_stored(sandbox: Sandbox, connect: Connect, storage: Storage) -> None:
    (recording_id,) = ids(session_with(sandbox, 1).recordings)
    with ScriptedServer().running() as media:
        client = connect(sandbox, media_url=media.url)
        session = plan_session(client, storage, session_with(sandbox, 1))
        media.script("/it", Answer(200, b"ID3\x04" + b"no frames " * 100, {"Content-Type": "audio/mpeg"}))
        change(storage, recording_id, content_uri=f"{media.url}/it")

        with pytest.raises(RecordingsFailedError, match=f"recording {recording_id}: "):
            download_session(client, storage, session, "run", 1, PATIENCE)

    assert held(storage) == []
    (row,) = downloads(storage, "run", session)
    kept = f"raw/ringcentral/recordings/date=2024-05-14/rejected/{recording_id}.mp3"
    said = f"damaged, as RingCentral sent it: {kept}: not MP3 or WAV audio but an ID3 tag"
    assert row["error"].startswith(said)
    assert storage.read(kept).data == b"ID3\x04" + b"no frames " * 100


def test_an_old_recording_that_is_gone_is_unavailable(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    first, second = ids(session_with(sandbox, 2).recordings)
    session = plan_session(client, storage, session_with(sandbox, 2))
    sandbox.delete_recording(first)

    download_session(client, storage, session, "run", 1, PATIENCE)

    row = of(downloads(storage, "run", session), first)
    assert (row["status"], row["audio_path"]) == ("unavailable", None)
    assert "404" in row["error"]
    assert held(storage) == [audio_path(second)]

    upsert(storage, RECORDINGS, *downloads(storage, "run", session))
    download_session(client, storage, session, "another run", 1, PATIENCE)
    assert content_requests(sandbox) == [first, second]


def start_without_recordings(start_sandbox: StartSandbox) -> tuple[Sandbox, Session]:
    """A sandbox of now that has recordings a day after their calls, and a session that began within that day."""
    sandbox = start_sandbox(replace(CONFIG, now=datetime.now(UTC), recording_delay=24 * 3600))
    # Of seven or eight sessions a day, one at least began within a day.
    found = sandbox.truth(sandbox.clock.now() - timedelta(hours=23, minutes=50), sandbox.clock.now()).sessions[-1]
    return sandbox, found


def test_a_recording_that_is_not_there_yet_is_looked_for_again_until_it_comes(
    start_sandbox: StartSandbox, connect: Connect, lake: LocalStorage
) -> None:
    sandbox, found = start_without_recordings(start_sandbox)
    client = connect(sandbox)
    session = plan_session(client, lake, found)

    before = datetime.now(UTC)
    look_again = download_session(client, lake, session, "run", 1, replace(PATIENCE, wait=timedelta(days=1)))

    assert look_again is not None
    assert timedelta(minutes=1) <= look_again - before <= timedelta(minutes=16)
    outcomes = downloads(lake, "run", session)
    assert {row["status"] for row in outcomes} == {"pending"}
    assert all(row["error"].startswith("not available yet: ") for row in outcomes)

    sandbox.clock.advance(24 * 3600)
    assert download_session(client, lake, session, "run", 1, replace(PATIENCE, wait=timedelta(days=1))) is None
    assert {(row["status"], row["error"]) for row in downloads(lake, "run", session)} == {("downloaded", None)}


def test_a_recording_that_fails_takes_the_wait_from_no_other_of_its_session(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    first, second, third = ids(session_with(sandbox, 3).recordings)
    session = plan_session(client, storage, session_with(sandbox, 3))
    sandbox.faults.add(Fault("content", "html", id=first))
    sandbox.faults.add(Fault("content", "not_found", id=second, times=1))
    patient = replace(PATIENCE, wait=timedelta(days=3650), retention=timedelta(days=3650))

    assert download_session(client, storage, session, "run", 1, patient) is not None
    assert [row["status"] for row in downloads(storage, "run", session)] == ["failed", "pending", "downloaded"]
    with pytest.raises(RecordingsFailedError, match=f"recording {first}: "):
        download_session(client, storage, session, "run", 1, patient)

    assert held(storage) == [audio_path(second), audio_path(third)]


def test_what_failed_is_asked_again_by_the_next_try_and_not_when_the_task_comes_back(
    start_sandbox: StartSandbox, connect: Connect, storage: Storage
) -> None:
    # One for the call log, two for the first recordings.
    sandbox = start_sandbox(replace(CONFIG, quotas={"heavy": QuotaLimit(3), "auth": QuotaLimit(50)}))
    client = connect(sandbox, max_wait=0)
    first, second, third = ids(session_with(sandbox, 3).recordings)
    session = plan_session(client, storage, session_with(sandbox, 3))
    sandbox.faults.add(Fault("content", "html", id=first))

    for _ in range(2):
        with pytest.raises(RateLimitedError):
            download_session(client, storage, session, "run", 1, PATIENCE)
    asked = content_requests(sandbox)
    another = connect(sandbox)
    sandbox.reset()
    sandbox.faults.add(Fault("content", "html", id=first))
    with pytest.raises(RecordingsFailedError, match=f"recording {first}: "):
        download_session(another, storage, session, "run", 1, PATIENCE)
    at_last = content_requests(sandbox)
    sandbox.reset()
    download_session(another, storage, session, "run", 2, PATIENCE)

    assert asked == [first, second]
    assert at_last == [third]
    assert content_requests(sandbox) == [first]


def test_a_recording_that_does_not_come_in_time_is_unavailable(
    start_sandbox: StartSandbox, connect: Connect, lake: LocalStorage
) -> None:
    sandbox, found = start_without_recordings(start_sandbox)
    client = connect(sandbox)
    session = plan_session(client, lake, found)

    assert download_session(client, lake, session, "run", 1, replace(PATIENCE, wait=timedelta(0))) is None

    outcomes = downloads(lake, "run", session)
    assert {(row["status"], row["unavailable_reason"]) for row in outcomes} == {("unavailable", "not_found")}
    assert all("404" in row["error"] for row in outcomes)

    # It came all the same, and a run of the same day comes by.
    upsert(lake, RECORDINGS, *outcomes)
    sandbox.clock.advance(24 * 3600)
    assert plan_session(client, lake, found) == session
    download_session(client, lake, session, "next run", 1, replace(PATIENCE, wait=timedelta(0)))
    assert {row["status"] for row in downloads(lake, "next run", session)} == {"downloaded"}


def test_two_runs_that_come_to_a_recording_at_once_fetch_it_once(
    sandbox: Sandbox, connect: Connect, storage: Storage
) -> None:
    found = session_with(sandbox, 3)
    clients = [connect(sandbox) for _ in range(4)]
    session = plan_session(clients[0], storage, found)
    start = threading.Barrier(len(clients))

    def run(number: int) -> datetime | None:
        start.wait()
        return download_session(clients[number], storage, session, f"run {number}", 1, PATIENCE)

    with ThreadPoolExecutor(len(clients)) as runs:
        looks = list(runs.map(run, range(len(clients))))

    assert sorted(content_requests(sandbox)) == sorted(ids(found.recordings))
    for number, look_again in enumerate(looks):
        outcomes = downloads(storage, f"run {number}", session)
        waiting = [row for row in outcomes if row["status"] == "pending"]
        assert all("is downloading it, or was killed doing so" in row["error"] for row in waiting)
        assert (look_again is not None) == bool(waiting)
        # Their next look finds what the others brought.
        assert download_session(clients[number], storage, session, f"run {number}", 1, PATIENCE) is None
        assert {row["status"] for row in downloads(storage, f"run {number}", session)} == {"downloaded"}
    assert sorted(content_requests(sandbox)) == sorted(ids(found.recordings))
    assert list(storage.list("leases")) == []


def test_what_a_killed_run_was_fetching_is_left_to_it_until_its_lease_ends(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    (recording_id,) = ids(session_with(sandbox, 1).recordings)
    session = plan_session(client, storage, session_with(sandbox, 1))
    path = layout.recording_lease(recording_id)
    with lease(storage, path, "run killed", timedelta(minutes=10)):
        left = storage.read(path).data
    storage.put(path, left)

    before = datetime.now(UTC)
    look_again = download_session(client, storage, session, "another", 1, PATIENCE)

    assert look_again is not None
    assert look_again - before < timedelta(minutes=1)
    (row,) = downloads(storage, "another", session)
    assert (row["status"], row["error"]) == ("pending", "run killed is downloading it, or was killed doing so")
    assert content_requests(sandbox) == []

    # The next try of the run itself goes on at once.
    assert download_session(client, storage, session, "killed", 2, PATIENCE) is None
    assert content_requests(sandbox) == [recording_id]
    assert list(storage.list("leases")) == []


def test_what_was_answered_before_the_quota_was_used_up_is_not_asked_again(
    start_sandbox: StartSandbox, connect: Connect, lake: LocalStorage
) -> None:
    # One request for the call log, two for recordings.
    sandbox = start_sandbox(replace(CONFIG, quotas={"heavy": QuotaLimit(3, window=3600)}, detailed_per_page_cap=None))
    client = connect(sandbox, max_wait=0)
    found = session_with(sandbox, 3)
    session = plan_session(client, lake, found)
    gone, there, _ = ids(found.recordings)
    sandbox.faults.add(Fault("content", "not_found", id=gone))

    for _ in range(2):
        with pytest.raises(RateLimitedError):
            download_session(client, lake, session, "run", 1, PATIENCE)
        outcomes = {row["recording_id"]: row["status"] for row in downloads(lake, "run", session)}
        assert outcomes == {gone: "unavailable", there: "downloaded"}
    assert content_requests(sandbox) == [gone, there]


def test_a_recording_that_failed_is_free_for_the_next(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    (recording_id,) = ids(session_with(sandbox, 1).recordings)
    session = plan_session(client, storage, session_with(sandbox, 1))
    sandbox.faults.add(Fault("content", "html", id=recording_id))
    with pytest.raises(RecordingsFailedError):
        download_session(client, storage, session, "run", 1, PATIENCE)
    sandbox.faults.clear()
    assert download_session(client, storage, session, "another", 1, PATIENCE) is None
    assert [row["status"] for row in downloads(storage, "another", session)] == ["downloaded"]


def test_audio_fetched_for_a_claim_of_the_next_day_is_held(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    (recording_id,) = ids(session_with(sandbox, 1).recordings)
    session = plan_session(client, lake, session_with(sandbox, 1))
    path = audio_path(recording_id, NEXT_DAY)
    lake.put(path, sandbox.content_of(recording_id))
    download_session(client, lake, session, "run", 1, PATIENCE)
    assert content_requests(sandbox) == []
    assert [row["audio_path"] for row in downloads(lake, "run", session)] == [path]


def test_no_foreign_host_is_asked(
    sandbox: Sandbox, client: RingCentralClient, start_sandbox: StartSandbox, lake: LocalStorage
) -> None:
    foreign = start_sandbox(CONFIG)
    first, second = ids(session_with(sandbox, 2).recordings)
    session = plan_session(client, lake, session_with(sandbox, 2))
    stated: str = of(rows(lake, RECORDINGS), first)["content_uri"]
    change(lake, first, content_uri=stated.replace(sandbox.media_url, foreign.media_url))

    with pytest.raises(RecordingsFailedError, match=f"recording {first}: .*host"):
        download_session(client, lake, session, "run", 1, PATIENCE)

    assert (foreign.requests, content_requests(sandbox)) == ((), [second])
    assert held(lake) == [audio_path(second)]


def test_a_recording_without_an_address_says_so(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    (recording_id,) = ids(session_with(sandbox, 1).recordings)
    session = plan_session(client, lake, session_with(sandbox, 1))
    change(lake, recording_id, content_uri=None)

    with pytest.raises(RecordingsFailedError, match=f"recording {recording_id}: .*no contentUri to fetch it from"):
        download_session(client, lake, session, "run", 1, PATIENCE)

    assert content_requests(sandbox) == []


def test_a_session_across_midnight_is_fetched_whole(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    recordings = session_across_midnight(sandbox).recordings
    session = plan_session(client, lake, session_across_midnight(sandbox))

    download_session(client, lake, session, "run", 1, PATIENCE)

    assert held(lake) == [audio_path(recording.id, recording.start_time) for recording in recordings]
    assert len({path.rsplit("/", 1)[0] for path in held(lake)}) == 2


def test_a_quota_that_is_used_up_midway_loses_nothing(
    start_sandbox: StartSandbox, connect: Connect, lake: LocalStorage
) -> None:
    sandbox = start_sandbox(replace(CONFIG, quotas={"heavy": QuotaLimit(3)}))
    first, second, third = ids(session_with(sandbox, 3).recordings)
    client = connect(sandbox, max_wait=0)
    session = plan_session(client, lake, session_with(sandbox, 3))

    with pytest.raises(RateLimitedError):
        download_session(client, lake, session, "run", 1, PATIENCE)

    assert held(lake) == [audio_path(first), audio_path(second)]
    assert [row["recording_id"] for row in downloads(lake, "run", session)] == [first, second]

    sandbox.clock.advance(60)
    download_session(connect(sandbox), lake, session, "run", 1, PATIENCE)

    assert content_requests(sandbox) == [first, second, third]
    assert [row["status"] for row in downloads(lake, "run", session)] == ["downloaded"] * 3


def test_a_permission_that_is_missing_is_no_fault_of_the_recordings(
    start_sandbox: StartSandbox, connect: Connect, lake: LocalStorage
) -> None:
    sandbox = start_sandbox(replace(CONFIG, app_scopes=("ReadCallLog",)))
    client = connect(sandbox)
    session = plan_session(client, lake, session_with(sandbox, 2))

    with pytest.raises(PermissionDeniedError, match="ReadCallRecording"):
        download_session(client, lake, session, "run", 1, PATIENCE)

    assert list(lake.list("outcomes")) == []
    assert {row["status"] for row in rows(lake, RECORDINGS)} == {"pending"}


def test_a_session_that_the_table_does_not_know_has_nothing_to_fetch(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    session = SessionRef("s-unknown", (DAY.date(),), ())

    download_session(client, lake, session, "run", 1, PATIENCE)

    assert (downloads(lake, "run", session), sandbox.requests) == ([], ())
