from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from sandbox.ringcentral import Sandbox, Session, tone_of
from sandbox.ringcentral.audio import WAV_SAMPLE_RATE, encode_wav, samples_of
from tests.archive.archived_day import (
    DAY,
    NEXT_DAY,
    PATIENCE,
    Row,
    downloads,
    files_of,
    ids,
    land_window,
    merges,
    plan_session,
    rows,
    session_across_midnight,
    session_with,
    upsert,
)
from tests.archive.listening import SAMPLE_RATE, decode, tones_within
from voxlake.archive.download import download_session
from voxlake.archive.merge import MergeOptions, merge_session
from voxlake.archive.plan import plan_sessions
from voxlake.archive.publish import publish_run
from voxlake.audio.merge import Target
from voxlake.audio.probe import NotAudioError
from voxlake.lake import layout
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import LEGS, RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage, VersionConflictError
from voxlake.ringcentral.client import RingCentralClient

HALF_A_FRAME_MS = 1000 * 576 / SAMPLE_RATE / 2


def store(storage: Storage, sandbox: Sandbox, session: Session, *numbers: int) -> None:
    """Puts the audio of recordings of a session into the lake, as `download` would."""
    for number in numbers:
        recording = session.recordings[number]
        path = layout.recording_audio(recording.id, recording.start_time.date(), recording.content_type)
        storage.put(path, sandbox.content_of(recording.id))


def session_files(storage: Storage) -> list[str]:
    """The merged files; each has its waveform beside it."""
    paths = list(storage.list("audio/sessions"))
    files = [path for path in paths if not path.endswith(".peaks.json")]
    assert [path for path in paths if path not in files] == [f"{path.rsplit('.', 1)[0]}.peaks.json" for path in files]
    return files


def assert_row_and_file_agree(storage: Storage, row: Row) -> None:
    data = storage.read(row["audio_path"]).data
    assert (row["size_bytes"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    samples = decode(data)
    waveform = json.loads(storage.read(row["peaks_path"]).data)
    assert waveform["duration"] == pytest.approx(row["duration_ms"] / 1000, abs=0.04)
    assert [chapter["recording_id"] for chapter in row["chapters"]] == row["recording_ids"]
    tones = [tone for chapter in row["chapters"] for tone in tones_within(samples, chapter)]
    assert tones == [tone_of(recording_id) for recording_id in row["recording_ids"] for _ in ("start", "end")]


def just_before(
    monkeypatch: pytest.MonkeyPatch, storage: Storage, method: str, meanwhile: Callable[[], Any], *, once: bool = True
) -> None:
    """Has something happen right before a merge calls a method of the lake, the first time or always."""
    call = getattr(storage, method)

    def interposed(*arguments: Any) -> Any:
        if once:
            monkeypatch.undo()
        meanwhile()
        return call(*arguments)

    monkeypatch.setattr(storage, method, interposed)


def test_the_recordings_play_in_the_order_they_happened(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_with(sandbox, 4)
    session = plan_session(client, storage, truth)
    download_session(client, storage, session, "run", 1, PATIENCE)

    path = merge_session(storage, session, "run")

    assert path == layout.session_audio(truth.telephony_session_id, DAY.date(), "audio/mpeg")
    assert session_files(storage) == [path]
    samples = decode(storage.read(path).data)
    (row,) = merges(storage, "run", session)
    tones = [tones_within(samples, chapter)[0] for chapter in row["chapters"]]
    assert tones == [tone_of(recording.id) for recording in truth.recordings]
    parts = [len(decode(sandbox.content_of(recording.id))) for recording in truth.recordings]
    assert abs(len(samples) - sum(parts)) <= 576 / 2
    assert_row_and_file_agree(storage, row)


def test_the_row_tells_what_the_file_holds(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> None:
    truth = session_with(sandbox, 4)
    assert len(truth.records) == 2
    session = plan_session(client, lake, truth)
    download_session(client, lake, session, "run", 1, PATIENCE)

    path = merge_session(lake, session, "run")

    (row,) = merges(lake, "run", session)
    master = truth.records[0].master
    recordings = downloads(lake, "run", session)
    assert row == row | {
        "provider": "ringcentral",
        "account_id": recordings[0]["account_id"],
        "telephony_session_id": truth.telephony_session_id,
        "start_time": recordings[0]["start_time"],
        "end_time": recordings[-1]["start_time"] + timedelta(milliseconds=recordings[-1]["duration_ms"]),
        "direction": master.direction,
        "from_phone_number": master.from_.phone_number,
        "to_phone_number": master.to.phone_number,
        "call_ids": ids(truth.records),
        "recording_ids": ids(truth.recordings),
        "status": "complete",
        "audio_path": path,
        "content_type": "audio/mpeg",
    }
    assert_row_and_file_agree(lake, row)

    starts = np.cumsum([0, *(recording.duration_ms for recording in truth.recordings)])
    assert row["duration_ms"] == pytest.approx(starts[-1], abs=HALF_A_FRAME_MS + 1)
    carriers = {leg.recording.id: leg for call in truth.records for leg in reversed(call.legs) if leg.recording}
    for recording, chapter, start, end in zip(truth.recordings, row["chapters"], starts, starts[1:], strict=False):
        leg = carriers[recording.id]
        assert chapter == chapter | {
            "recording_id": recording.id,
            "extension_id": str(leg.extension.id),
            "from_name": leg.from_.name or leg.from_.phone_number,
            "to_name": leg.to.name or leg.to.phone_number,
        }
        assert (chapter["start_ms"], chapter["end_ms"]) == pytest.approx((start, end), abs=HALF_A_FRAME_MS + 1)


def test_what_is_missing_makes_the_file_partial_until_it_arrives(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_with(sandbox, 3)
    session = plan_session(client, storage, truth)
    store(storage, sandbox, truth, 0, 2)

    path = merge_session(storage, session, "run")

    (row,) = merges(storage, "run", session)
    first, second, third = ids(truth.recordings)
    assert (row["status"], row["recording_ids"]) == ("partial", [first, third])
    assert_row_and_file_agree(storage, row)

    upsert(storage, SESSIONS, row)
    store(storage, sandbox, truth, 1)
    assert merge_session(storage, session, "next run") == path

    (row,) = merges(storage, "next run", session)
    assert (row["status"], row["recording_ids"]) == ("complete", [first, second, third])
    assert_row_and_file_agree(storage, row)
    upsert(storage, SESSIONS, row)
    assert [found["recording_ids"] for found in rows(storage, SESSIONS)] == [[first, second, third]]


def test_a_recording_that_will_never_come_leaves_the_file_partial(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    truth = session_with(sandbox, 2)
    session = plan_session(client, lake, truth)
    sandbox.delete_recording(truth.recordings[0].id)
    download_session(client, lake, session, "run", 1, PATIENCE)
    upsert(lake, RECORDINGS, *downloads(lake, "run", session))

    merge_session(lake, session, "run")

    (row,) = merges(lake, "run", session)
    assert (row["status"], row["recording_ids"]) == ("partial", [truth.recordings[1].id])
    assert row["start_time"] < row["end_time"]


def test_where_nothing_is_held_nothing_is_made(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    session = plan_session(client, storage, session_with(sandbox, 2))

    assert merge_session(storage, session, "run") is None
    assert (session_files(storage), list(storage.list("outcomes"))) == ([], [])
    assert f"session {session.telephony_session_id}: no recording is held" in caplog.text


def test_merging_again_makes_the_same_file(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> None:
    truth = session_with(sandbox, 2)
    session = plan_session(client, lake, truth)
    store(lake, sandbox, truth, 0, 1)
    path = merge_session(lake, session, "run")
    assert path is not None
    data = lake.read(path).data

    assert merge_session(lake, session, "run") == path
    assert lake.read(path).data == data


def test_recordings_of_two_formats_become_one_mp3(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    truth = session_with(sandbox, 2)
    session = plan_session(client, lake, truth)
    store(lake, sandbox, truth, 0)
    wav = truth.recordings[1]
    samples = samples_of(wav.id, wav.duration_ms, WAV_SAMPLE_RATE)
    lake.put(layout.recording_audio(wav.id, DAY.date(), "audio/wav"), encode_wav(samples, WAV_SAMPLE_RATE))

    path = merge_session(lake, session, "run")

    assert path == layout.session_audio(session.telephony_session_id, DAY.date(), "audio/mpeg")
    (row,) = merges(lake, "run", session)
    assert row["duration_ms"] == sum(recording.duration_ms for recording in truth.recordings)
    assert_row_and_file_agree(lake, row)


def test_what_does_not_play_is_left_out_and_named_by_its_path_in_the_lake(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_with(sandbox, 3)
    session = plan_session(client, storage, truth)
    store(storage, sandbox, truth, 0, 2)
    first, second, third = ids(truth.recordings)
    path = layout.recording_audio(second, DAY.date(), "audio/mpeg")
    storage.put(path, b"<html>")

    merge_session(storage, session, "run")

    (row,) = merges(storage, "run", session)
    assert (row["status"], row["recording_ids"]) == ("partial", [first, third])
    ((recording_id, reason, detail),) = (lack.values() for lack in row["missing"])
    assert (recording_id, reason) == (second, "unplayable")
    assert detail.startswith(f"{path}: not MP3 or WAV audio but a web page")
    assert_row_and_file_agree(storage, row)


def test_where_nothing_plays_the_merge_fails_and_leaves_nothing(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_with(sandbox, 2)
    session = plan_session(client, storage, truth)
    path = layout.recording_audio(truth.recordings[1].id, DAY.date(), "audio/mpeg")
    storage.put(path, b"<html>")

    with pytest.raises(NotAudioError, match=f"^{path}: not MP3 or WAV audio but a web page"):
        merge_session(storage, session, "run")

    assert (session_files(storage), list(storage.list("outcomes"))) == ([], [])


def test_a_recording_that_breaks_off_is_in_the_file_as_far_as_it_plays(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_with(sandbox, 3)
    session = plan_session(client, storage, truth)
    store(storage, sandbox, truth, 0, 2)
    second = truth.recordings[1]
    content = sandbox.content_of(second.id)
    storage.put(layout.recording_audio(second.id, DAY.date(), "audio/mpeg"), content[: len(content) // 2])

    merge_session(storage, session, "run")

    (row,) = merges(storage, "run", session)
    assert (row["status"], row["recording_ids"]) == ("partial", ids(truth.recordings))
    ((recording_id, reason, detail),) = (lack.values() for lack in row["missing"])
    assert (recording_id, reason) == (second.id, "truncated")
    plays, states = map(float, re.fullmatch(r"plays (\S+) s of the (\S+) s that its header states", detail).groups())
    assert (plays, states) == pytest.approx((second.duration_ms / 2000, second.duration_ms / 1000), abs=0.2)
    assert_row_and_file_agree(storage, row)


def test_a_file_that_is_not_what_was_downloaded_any_more_makes_the_session_partial(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_with(sandbox, 2)
    session = plan_session(client, storage, truth)
    download_session(client, storage, session, "run", 1, PATIENCE)
    upsert(storage, RECORDINGS, *downloads(storage, "run", session))
    # One bit, in the middle of the coded audio: no decoder notices.
    path = downloads(storage, "run", session)[1]["audio_path"]
    data = bytearray(storage.read(path).data)
    data[len(data) // 2] ^= 1
    storage.put(path, bytes(data))

    merge_session(storage, session, "run")

    (row,) = merges(storage, "run", session)
    assert (row["status"], row["recording_ids"]) == ("partial", ids(truth.recordings))
    ((recording_id, reason, detail),) = (lack.values() for lack in row["missing"])
    assert (recording_id, reason) == (truth.recordings[1].id, "damaged")
    assert "is not what was downloaded: its SHA-256 is" in detail


@pytest.mark.parametrize(
    ("kind", "seconds", "reason"), [("Automatic", 61, "short"), ("Automatic", 59, None), ("OnDemand", 61, None)]
)
def test_an_automatic_recording_that_is_much_shorter_than_its_leg_makes_the_session_partial(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, kind: str, seconds: int, reason: str | None
) -> None:
    truth = session_with(sandbox, 2)
    session = plan_session(client, lake, truth)
    store(lake, sandbox, truth, 0, 1)
    changed = rows(lake, RECORDINGS)
    for row, recording in zip(changed, truth.recordings, strict=False):
        row |= {"type": kind, "claimed_ms": recording.duration_ms + 1000 * seconds, "extracted_at": datetime.now(UTC)}
    upsert(lake, RECORDINGS, *changed)

    merge_session(lake, session, "run", MergeOptions(tolerance=timedelta(minutes=1)))

    (merged,) = merges(lake, "run", session)
    assert merged["status"] == ("complete" if reason is None else "partial")
    assert {lack["reason"] for lack in merged["missing"]} == ({reason} if reason else set())
    assert_row_and_file_agree(lake, merged)


def test_on_the_timeline_each_recording_plays_when_it_was_made(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    truth = session_with(sandbox, 4)
    session = plan_session(client, lake, truth)
    store(lake, sandbox, truth, 0, 1, 2, 3)

    merge_session(lake, session, "run", MergeOptions(timeline=True))

    (row,) = merges(lake, "run", session)
    began = truth.recordings[0].start_time
    for recording, chapter in zip(truth.recordings, row["chapters"], strict=True):
        start_ms = (recording.start_time - began) / timedelta(milliseconds=1)
        assert chapter["start_ms"] == pytest.approx(start_ms, abs=HALF_A_FRAME_MS + 1)
        assert chapter["end_ms"] - chapter["start_ms"] == pytest.approx(recording.duration_ms, abs=HALF_A_FRAME_MS + 1)
    assert row["duration_ms"] > sum(recording.duration_ms for recording in truth.recordings) + 1_000
    assert_row_and_file_agree(lake, row)


def test_another_format_takes_the_place_of_the_file_that_was_there(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    truth = session_with(sandbox, 2)
    session = plan_session(client, lake, truth)
    store(lake, sandbox, truth, 0, 1)
    for run_id, kind in (("first", "auto"), ("second", "flac"), ("third", "opus"), ("fourth", "auto")):
        merge_session(lake, session, run_id, MergeOptions(target=Target(kind)))
        publish_run(lake, [session], run_id)

        (row,) = rows(lake, SESSIONS)
        assert list(lake.list("audio/sessions")) == files_of(row)
        assert row["content_type"] == {"auto": "audio/mpeg", "flac": "audio/flac", "opus": "audio/ogg"}[kind]
        assert row["duration_ms"] == pytest.approx(sum(part.duration_ms for part in truth.recordings), abs=20)
        assert_row_and_file_agree(lake, row)


def test_a_session_across_midnight_is_one_file_on_the_day_it_began(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    truth = session_across_midnight(sandbox)
    session = plan_session(client, storage, truth)
    store(storage, sandbox, truth, 0, 1, 2)

    path = merge_session(storage, session, "run")

    assert path == layout.session_audio(truth.telephony_session_id, DAY.date(), "audio/mpeg")
    (row,) = merges(storage, "run", session)
    assert (row["recording_ids"], row["call_ids"]) == (ids(truth.recordings), ids(truth.records))
    assert row["start_time"] < NEXT_DAY < row["end_time"]
    assert_row_and_file_agree(storage, row)


def test_a_recording_from_before_midnight_that_lands_last_moves_the_file_to_its_day(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    truth = session_across_midnight(sandbox)
    session_id = truth.telephony_session_id

    def archive(run_id: str, start: datetime, end: datetime) -> str | None:
        landed = land_window(client, lake, start, end)
        (session,) = plan_sessions(lake, {session_id: landed.sessions[session_id]})
        download_session(client, lake, session, run_id, 1, PATIENCE)
        upsert(lake, RECORDINGS, *downloads(lake, run_id, session))
        path = merge_session(lake, session, run_id)
        upsert(lake, SESSIONS, *merges(lake, run_id, session))
        return path

    assert archive("first", NEXT_DAY, NEXT_DAY + timedelta(minutes=5)) == layout.session_audio(
        session_id, NEXT_DAY.date(), "audio/mpeg"
    )
    path = archive("second", truth.start_time, NEXT_DAY)

    assert path == layout.session_audio(session_id, DAY.date(), "audio/mpeg")
    row = rows(lake, SESSIONS)[0]
    assert (row["audio_path"], row["recording_ids"]) == (path, ids(truth.recordings))
    assert_row_and_file_agree(lake, row)
    assert plan_sessions(lake, {session_id: [NEXT_DAY.date()]}) == []


def test_two_merges_that_know_different_recordings_end_with_the_file_that_has_all(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = session_with(sandbox, 3)
    session = plan_session(client, storage, truth)
    store(storage, sandbox, truth, 0)

    def the_other_run() -> None:
        store(storage, sandbox, truth, 1, 2)
        merge_session(storage, session, "the other run")

    just_before(monkeypatch, storage, "publish_if", the_other_run)
    merge_session(storage, session, "this run")

    ours, theirs = merges(storage, "this run", session), merges(storage, "the other run", session)
    for order in (ours + theirs, theirs + ours):
        upsert(storage, SESSIONS, *order)
        (row,) = rows(storage, SESSIONS)
        assert row["recording_ids"] == ids(truth.recordings)
        assert_row_and_file_agree(storage, row)
    assert len(session_files(storage)) == 1


@pytest.mark.parametrize("method", ["version", "publish_if"])
def test_a_merge_that_planned_one_day_does_not_replace_one_that_knew_two(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    truth = session_across_midnight(sandbox)
    session_id = truth.telephony_session_id
    landed = land_window(client, lake, truth.start_time, NEXT_DAY)
    (one_day,) = plan_sessions(lake, landed.sessions)
    assert one_day.days == (DAY.date(),)
    store(lake, sandbox, truth, 0)
    both_days = []

    def the_other_run() -> None:
        landed = land_window(client, lake, NEXT_DAY, NEXT_DAY + timedelta(minutes=5))
        both_days.extend(plan_sessions(lake, landed.sessions))
        store(lake, sandbox, truth, 1, 2)
        merge_session(lake, both_days[0], "the other run")

    just_before(monkeypatch, lake, method, the_other_run)
    merge_session(lake, one_day, "this run")

    assert [session.telephony_session_id for session in both_days] == [session_id]
    upsert(lake, SESSIONS, *merges(lake, "this run", one_day), *merges(lake, "the other run", both_days[0]))
    (row,) = rows(lake, SESSIONS)
    assert row["recording_ids"] == ids(truth.recordings)
    assert_row_and_file_agree(lake, row)


def test_the_row_of_the_last_file_wins_though_both_have_all_recordings(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = session_with(sandbox, 2)
    session = plan_session(client, lake, truth)
    store(lake, sandbox, truth, 0, 1)
    compare_and_swap = lake.compare_and_swap

    def swap_and_be_replaced(path: str, data: bytes, expected: str | None) -> None:
        # Our files are there, our row is not yet: another run knows other names and replaces the files.
        monkeypatch.undo()
        compare_and_swap(path, data, expected)
        assert path.endswith(".peaks.json")
        later = {"from_name": "Somebody else", "extracted_at": datetime.now(UTC)}
        upsert(lake, LEGS, *(row | later for row in rows(lake, LEGS)))
        merge_session(lake, session, "the other run")

    monkeypatch.setattr(lake, "compare_and_swap", swap_and_be_replaced)
    merge_session(lake, session, "this run")

    ours, theirs = merges(lake, "this run", session), merges(lake, "the other run", session)
    assert ours[0]["sha256"] != theirs[0]["sha256"]
    upsert(lake, SESSIONS, *theirs, *ours)
    (row,) = rows(lake, SESSIONS)
    assert {chapter["from_name"] for chapter in row["chapters"]} == {"Somebody else"}
    assert_row_and_file_agree(lake, row)


def test_merges_at_the_same_moment_end_with_one_file(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = session_with(sandbox, 2)
    session = plan_session(client, storage, truth)
    store(storage, sandbox, truth, 0, 1)
    both_have_looked = Barrier(2)
    waits = iter([True, True])  # Whoever comes third was overtaken, and nobody is there to wait for.
    just_before(
        monkeypatch, storage, "publish_if", lambda: next(waits, False) and both_have_looked.wait(timeout=30), once=False
    )

    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda run_id: merge_session(storage, session, run_id), ["one", "two"]))

    assert paths == session_files(storage) * 2
    upsert(storage, SESSIONS, *merges(storage, "one", session), *merges(storage, "two", session))
    (row,) = rows(storage, SESSIONS)
    assert row["recording_ids"] == ids(truth.recordings)
    assert_row_and_file_agree(storage, row)


def test_a_merge_that_is_always_overtaken_gives_up(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = session_with(sandbox, 1)
    session = plan_session(client, lake, truth)
    store(lake, sandbox, truth, 0)
    path = layout.session_audio(session.telephony_session_id, DAY.date(), "audio/mpeg")
    overtaken = []

    def overtake() -> None:
        overtaken.append(path)
        lake.put(path, bytes([len(overtaken)]))

    just_before(monkeypatch, lake, "publish_if", overtake, once=False)

    with pytest.raises(VersionConflictError, match=path):
        merge_session(lake, session, "run")

    assert len(overtaken) == 10
    assert list(lake.list("outcomes")) == []
