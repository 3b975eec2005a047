from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sandbox.ringcentral import Fault, Sandbox
from sandbox.ringcentral.audio import WAV_SAMPLE_RATE, encode_wav, samples_of
from tests.archive.archived_day import (
    DAY,
    NEXT_DAY,
    PATIENCE,
    Row,
    content_requests,
    files_of,
    ids,
    land_window,
    plan_session,
    rows,
    session_across_midnight,
    session_with,
    upsert,
)
from voxlake.archive.download import Patience, RecordingsFailedError, download_session
from voxlake.archive.merge import merge_session
from voxlake.archive.plan import SessionRef, plan_sessions
from voxlake.archive.publish import Published, SessionsFailedError, publish_run, raise_for_failed
from voxlake.lake import layout
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient

SILENT = "the download task ended without an outcome; its log says why"


def archive(client: RingCentralClient, storage: Storage, session: SessionRef, run_id: str) -> None:
    """Downloads and merges, as the two tasks of a session do."""
    download_session(client, storage, session, run_id, 1, PATIENCE)
    merge_session(storage, session, run_id)


def by_id(storage: Storage) -> dict[str, Row]:
    return {row["recording_id"]: row for row in rows(storage, RECORDINGS)}


def size_of(sandbox: Sandbox, *recording_ids: str) -> int:
    return sum(len(sandbox.content_of(recording_id)) for recording_id in recording_ids)


def table_versions(storage: Storage) -> dict[str, str | None]:
    return {path: storage.version(path) for path in storage.list("tables")}


def test_a_run_ends_in_the_tables(sandbox: Sandbox, client: RingCentralClient, storage: Storage) -> None:
    truths = [session_with(sandbox, 1), session_with(sandbox, 2)]
    sessions = [plan_session(client, storage, truth) for truth in truths]
    for session in sessions:
        archive(client, storage, session, "run")

    report = publish_run(storage, sessions, "run")

    assert report == Published(
        sessions=2,
        recordings={"downloaded": 3},
        merged=2,
        failed={},
        downloaded=3,
        downloaded_bytes=size_of(sandbox, *(one for truth in truths for one in ids(truth.recordings))),
    )
    raise_for_failed(report)
    assert {row["telephony_session_id"]: row["recording_ids"] for row in rows(storage, SESSIONS)} == {
        truth.telephony_session_id: ids(truth.recordings) for truth in truths
    }
    for truth in truths:
        for recording in truth.recordings:
            row = by_id(storage)[recording.id]
            assert row["status"] == "downloaded"
            assert storage.read(row["audio_path"]).data == sandbox.content_of(recording.id)
    assert plan_sessions(storage, {session.telephony_session_id: session.days for session in sessions}) == []


def test_publishing_again_changes_nothing(sandbox: Sandbox, client: RingCentralClient, storage: Storage) -> None:
    whole, silent = plan_session(client, storage, session_with(sandbox, 2)), session_with(sandbox, 1)
    sessions = [whole, plan_session(client, storage, silent)]
    archive(client, storage, whole, "run")
    report = publish_run(storage, sessions, "run")
    versions = table_versions(storage)

    assert report.merged == 1
    assert list(storage.list("outcomes")) == [], "what is in the tables is not kept a second time"
    assert publish_run(storage, sessions, "run") == replace(report, merged=0, downloaded=0, downloaded_bytes=0)
    assert table_versions(storage) == versions


def test_a_run_publishes_its_own_outcomes_only(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> None:
    ours = plan_session(client, lake, session_with(sandbox, 1))
    theirs = plan_session(client, lake, session_with(sandbox, 2))
    archive(client, lake, theirs, "another run")
    archive(client, lake, theirs, "run")
    archive(client, lake, ours, "run")

    report = publish_run(lake, [ours], "run")

    assert (report.recordings, report.merged) == ({"downloaded": 1}, 1)
    assert {row["status"] for row in rows(lake, RECORDINGS) if row["recording_id"] in theirs.recording_ids} == {
        "pending"
    }


def test_a_download_that_left_no_outcome_is_failed_with_that_as_its_reason(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    session = plan_session(client, storage, session_with(sandbox, 2))

    report = publish_run(storage, [session], "run")

    assert [(row["status"], row["error"]) for row in rows(storage, RECORDINGS)] == [("failed", SILENT)] * 2
    first, second = session.recording_ids
    assert report == Published(
        sessions=1,
        recordings={"failed": 2},
        merged=0,
        failed={session.telephony_session_id: f"recording {first}: {SILENT}; recording {second}: {SILENT}"},
    )
    with pytest.raises(SessionsFailedError) as raised:
        raise_for_failed(report)
    assert str(raised.value).splitlines() == [
        "1 of 1 sessions are not archived whole; all others are. Clear the failed tasks, or run the interval again, "
        "to try just these:",
        f"  {session.telephony_session_id}: {report.failed[session.telephony_session_id]}",
    ]


def test_a_failed_recording_is_reported_and_the_next_run_makes_good(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_with(sandbox, 3)
    first, second, third = ids(truth.recordings)
    session = plan_session(client, storage, truth)
    sandbox.faults.add(Fault("content", "html", id=second, times=1))
    with pytest.raises(RecordingsFailedError):
        download_session(client, storage, session, "run", 1, PATIENCE)
    merge_session(storage, session, "run")

    report = publish_run(storage, [session], "run")

    assert (report.recordings, report.merged, report.partial) == ({"downloaded": 2, "failed": 1}, 1, 1)
    assert (report.downloaded, report.downloaded_bytes) == (2, size_of(sandbox, first, third))
    assert report.failed == {session.telephony_session_id: f"recording {second}: {by_id(storage)[second]['error']}"}
    assert "an HTML page" in by_id(storage)[second]["error"]
    (row,) = rows(storage, SESSIONS)
    assert (row["status"], row["recording_ids"]) == ("partial", [first, third])

    (again,) = plan_sessions(storage, {session.telephony_session_id: session.days})
    archive(client, storage, again, "next run")
    report = publish_run(storage, [again], "next run")

    assert report == Published(
        sessions=1,
        recordings={"downloaded": 3},
        merged=1,
        failed={},
        downloaded=1,
        downloaded_bytes=size_of(sandbox, second),
    )
    (row,) = rows(storage, SESSIONS)
    assert (row["status"], row["recording_ids"]) == ("complete", [first, second, third])
    assert content_requests(sandbox) == [first, second, third, second]


def test_a_recording_that_the_provider_has_no_more_fails_nobody(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    truths = [session_with(sandbox, 1), session_with(sandbox, 2)]
    sessions = [plan_session(client, lake, truth) for truth in truths]
    for truth in truths:
        sandbox.delete_recording(truth.recordings[0].id)
    for session in sessions:
        archive(client, lake, session, "run")

    report = publish_run(lake, sessions, "run")

    assert report == Published(
        sessions=2,
        recordings={"downloaded": 1, "unavailable": 2},
        merged=1,
        failed={},
        downloaded=1,
        downloaded_bytes=size_of(sandbox, truths[1].recordings[1].id),
        unavailable={"not_found": 2},
        partial=1,
    )
    assert plan_sessions(lake, {session.telephony_session_id: session.days for session in sessions}) == []


def test_what_is_held_but_not_merged_is_reported(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    session = plan_session(client, lake, session_with(sandbox, 2))
    download_session(client, lake, session, "run", 1, PATIENCE)

    report = publish_run(lake, [session], "run")

    assert report.failed == {
        session.telephony_session_id: "its recordings are held, but not merged; the log of the task merge says why"
    }
    merge_session(lake, session, "run")
    assert publish_run(lake, [session], "run").failed == {}


def test_the_recording_that_another_run_has_under_way_is_not_blamed(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_with(sandbox, 3)
    session = plan_session(client, storage, truth)
    archive(client, storage, session, "run")
    of_ours = by_id(storage)[truth.recordings[0].id]
    upsert(storage, RECORDINGS, of_ours | {"recording_id": "999", "start_time": of_ours["start_time"] + timedelta(1)})
    upsert(
        storage, RECORDINGS, of_ours | {"recording_id": "998", "start_time": of_ours["start_time"] + timedelta(0, 1)}
    )

    report = publish_run(storage, [session], "run")

    assert (report.recordings, report.merged, report.failed) == ({"downloaded": 3}, 1, {})
    assert (by_id(storage)["998"]["status"], by_id(storage)["999"]["status"]) == ("pending", "pending")
    (planned,) = plan_sessions(storage, {session.telephony_session_id: session.days})
    assert {"998", "999"} < set(planned.recording_ids)


def test_what_another_run_downloaded_meanwhile_counts(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    session = plan_session(client, lake, session_with(sandbox, 2))
    archive(client, lake, session, "another run")
    publish_run(lake, [session], "another run")

    assert publish_run(lake, [session], "run") == Published(1, {"downloaded": 2}, 0, {})


def test_a_session_whose_first_recording_lands_last_moves_to_the_day_of_that(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_across_midnight(sandbox)
    session_id = truth.telephony_session_id
    windows = {"first": (NEXT_DAY, NEXT_DAY + timedelta(minutes=5)), "second": (truth.start_time, NEXT_DAY)}
    for run_id, (start, end) in windows.items():
        (session,) = plan_sessions(storage, land_window(client, storage, start, end).sessions)
        archive(client, storage, session, run_id)
        assert publish_run(storage, [session], run_id).failed == {}

    (row,) = rows(storage, SESSIONS)
    assert (row["audio_path"], row["recording_ids"]) == (
        layout.session_audio(session_id, DAY.date(), "audio/mpeg"),
        ids(truth.recordings),
    )
    assert list(storage.list("audio/sessions")) == files_of(row)


def test_a_file_that_becomes_an_mp3_leaves_no_wav_behind(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    truth = session_with(sandbox, 2)
    session = plan_session(client, lake, truth)
    wav, mp3 = truth.recordings
    samples = samples_of(wav.id, wav.duration_ms, WAV_SAMPLE_RATE)
    lake.put(layout.recording_audio(wav.id, DAY.date(), "audio/wav"), encode_wav(samples, WAV_SAMPLE_RATE))
    sandbox.faults.add(Fault("content", "html", id=mp3.id, times=1))
    with pytest.raises(RecordingsFailedError):
        download_session(client, lake, session, "run", 1, PATIENCE)
    merge_session(lake, session, "run")
    publish_run(lake, [session], "run")
    assert [row["content_type"] for row in rows(lake, SESSIONS)] == ["audio/wav"]

    archive(client, lake, session, "next run")
    publish_run(lake, [session], "next run")

    (row,) = rows(lake, SESSIONS)
    assert row["content_type"] == "audio/mpeg"
    assert list(lake.list("audio/sessions")) == files_of(row)


@pytest.mark.parametrize("first", ["more", "less"])
def test_two_runs_of_which_one_knew_less_leave_one_file(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, first: str
) -> None:
    session = wav_and_mp3(sandbox, client, lake)
    merge_session(lake, session, "less")
    archive(client, lake, session, "more")

    for run_id in sorted(("more", "less"), key=lambda run_id: run_id != first):
        publish_run(lake, [session], run_id)

    (row,) = rows(lake, SESSIONS)
    assert row["recording_ids"] == list(session.recording_ids)
    assert list(lake.list("audio/sessions")) == files_of(row)


def test_a_publish_that_was_killed_half_way_leaves_nothing_behind_when_it_is_done_again(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = wav_and_mp3(sandbox, client, lake)
    merge_session(lake, session, "run")
    publish_run(lake, [session], "run")
    archive(client, lake, session, "next run")

    class KilledError(BaseException):
        pass

    def kill(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "delete", kill)
        with pytest.raises(KilledError):
            publish_run(lake, [session], "next run")
    publish_run(lake, [session], "next run")

    (row,) = rows(lake, SESSIONS)
    assert list(lake.list("audio/sessions")) == files_of(row)


def wav_and_mp3(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> SessionRef:
    """A session of two recordings, planned, of which the lake holds the first already, as a WAV."""
    truth = session_with(sandbox, 2)
    session = plan_session(client, lake, truth)
    wav = truth.recordings[0]
    samples = samples_of(wav.id, wav.duration_ms, WAV_SAMPLE_RATE)
    lake.put(layout.recording_audio(wav.id, DAY.date(), "audio/wav"), encode_wav(samples, WAV_SAMPLE_RATE))
    return session


def test_a_session_that_another_run_moved_to_the_day_before_is_not_taken_for_unmerged(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_across_midnight(sandbox)
    (session,) = plan_sessions(
        storage, land_window(client, storage, NEXT_DAY, NEXT_DAY + timedelta(minutes=5)).sessions
    )
    land_window(client, storage, truth.start_time, NEXT_DAY)
    archive(client, storage, session, "run")

    assert publish_run(storage, [session], "run").failed == {}
    (row,) = rows(storage, SESSIONS)
    assert (row["start_time"].date(), row["recording_ids"]) == (DAY.date(), list(session.recording_ids))


def test_a_recording_that_the_task_gave_up_waiting_for_says_that_it_is_not_available(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    truth = session_with(sandbox, 1)
    session = plan_session(client, lake, truth)
    sandbox.delete_recording(truth.recordings[0].id)
    assert (
        download_session(client, lake, session, "run", 1, Patience(timedelta(days=36500), timedelta(days=36500)))
        is not None
    )

    publish_run(lake, [session], "run")

    (row,) = rows(lake, RECORDINGS)
    assert row["status"] == "failed"
    assert row["error"].startswith("not available yet: ")


def test_the_whole_day_is_archived_whole(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> None:
    end = NEXT_DAY + timedelta(minutes=5)
    landed = land_window(client, lake, DAY, end)
    sessions = plan_sessions(lake, landed.sessions)
    for session in sessions:
        archive(client, lake, session, "run")

    report = publish_run(lake, sessions, "run")

    truth = sandbox.truth(DAY, end)
    assert report == Published(
        sessions=len(truth.sessions),
        recordings={"downloaded": len(truth.recordings)},
        merged=len(truth.sessions),
        failed={},
        downloaded=len(truth.recordings),
        downloaded_bytes=size_of(sandbox, *ids(truth.recordings)),
    )
    assert [(row["telephony_session_id"], row["recording_ids"], row["status"]) for row in rows(lake, SESSIONS)] == [
        (session.telephony_session_id, ids(session.recordings), "complete") for session in truth.sessions
    ]
    assert sorted(content_requests(sandbox)) == sorted(ids(truth.recordings))
    assert plan_sessions(lake, landed.sessions) == []


def test_no_sessions_publish_nothing(lake: LocalStorage) -> None:
    report = publish_run(lake, [], "run")

    assert report == Published(0, {}, 0, {})
    raise_for_failed(report)
    assert list(lake.list("")) == []


@pytest.mark.parametrize(("count", "shown", "more"), [(20, 20, None), (21, 20, "  … and 1 more: ")])
def test_the_report_of_a_run_names_twenty_sessions_and_counts_the_rest(
    count: int, shown: int, more: str | None
) -> None:
    failed = {f"s-{number}": f"reason {number}" for number in range(count)}

    with pytest.raises(SessionsFailedError) as raised:
        raise_for_failed(Published(50, {"failed": count}, 0, failed))

    first, *lines = str(raised.value).splitlines()
    assert first.startswith(f"{count} of 50 sessions are not archived whole; all others are. ")
    assert lines[:shown] == [f"  {session}: {reason}" for session, reason in failed.items()][:shown]
    assert lines[shown:] == ([] if more is None else [f"{more}see status and error in the table recordings"])
