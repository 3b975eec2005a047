"""The planned calls: the same every time, shaped like an office's day, with real-looking recordings."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
import requests

from sandbox.ringcentral import CallMix, SandboxConfig
from sandbox.ringcentral.audio import AudioStore, Mp3Settings
from sandbox.ringcentral.world import World
from tests.conftest import NOON, StartSandbox
from tests.sandbox.conftest import LogIn

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
DAY = timedelta(days=1)
BUSY = SandboxConfig(mix=CallMix(calls_per_day=1000))


@pytest.fixture(scope="module")
def busy_world() -> World:
    return World(BUSY)


def test_a_day_is_the_same_however_it_is_reached(busy_world: World) -> None:
    alone = World(BUSY).records(MIDNIGHT, MIDNIGHT + DAY)

    busy_world.records(MIDNIGHT - 5 * DAY, MIDNIGHT - 4 * DAY)

    assert busy_world.records(MIDNIGHT, MIDNIGHT + DAY) == alone
    pieces = [
        record
        for hour in range(24)
        for record in busy_world.records(MIDNIGHT + timedelta(hours=hour), MIDNIGHT + timedelta(hours=hour + 1))
    ]
    assert pieces == list(alone)


def test_seed_and_day_decide_every_byte(start_sandbox: StartSandbox, log_in: LogIn) -> None:
    def bytes_of(seed: int) -> tuple[str, str]:
        config = SandboxConfig(seed=seed, now=NOON, mix=CallMix(calls_per_day=30), audio_format="mixed")
        sandbox = start_sandbox(config)
        log = log_in(sandbox).get(
            f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log?view=Detailed&perPage=max", timeout=10
        )
        body = log.text.replace(sandbox.platform_url, "platform").replace(sandbox.media_url, "media")
        recordings = sandbox.truth(MIDNIGHT, NOON).recordings[:8]
        audio = b"".join(sandbox.content_of(recording.id) for recording in recordings)
        return hashlib.sha256(body.encode()).hexdigest(), hashlib.sha256(audio).hexdigest()

    first, again, other = bytes_of(3), bytes_of(3), bytes_of(4)

    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


def test_identifiers_lead_back_to_what_they_name(busy_world: World) -> None:
    for session in busy_world.sessions(MIDNIGHT, MIDNIGHT + DAY)[:300]:
        for record in session.records:
            assert busy_world.find_record(record.id) == record
        for recording in session.recordings:
            found = busy_world.find_recording(recording.id)
            assert found is not None
            assert found[0] == recording
            assert all(record in session.records for record in found[1])
    assert busy_world.find_record("VgLcd1KWffJVzUA") is None
    assert busy_world.find_record("") is None
    assert busy_world.find_recording("1662272004") is None
    assert World(SandboxConfig(seed=2)).find_record(record.id) is None


def test_identifiers_are_unique(busy_world: World) -> None:
    sessions = busy_world.sessions(MIDNIGHT, MIDNIGHT + 3 * DAY)

    for identifiers in (
        [record.id for session in sessions for record in session.records],
        [session.telephony_session_id for session in sessions],
        [recording.id for session in sessions for recording in session.recordings],
    ):
        assert len(set(identifiers)) == len(identifiers)


def test_the_day_has_business_hours_and_a_few_calls_at_night(busy_world: World) -> None:
    hours = Counter(record.start_time.hour for record in busy_world.records(MIDNIGHT, MIDNIGHT + DAY))

    in_business_hours = sum(hours[hour] for hour in range(8, 18))
    assert in_business_hours > 0.85 * hours.total()
    assert 0 < sum(hours[hour] for hour in range(6)) < 0.05 * hours.total()


def test_shares_are_kept(busy_world: World) -> None:
    sessions = busy_world.sessions(MIDNIGHT, MIDNIGHT + DAY)
    recorded = [session for session in sessions if session.recordings]
    transferred = [session for session in recorded if len(session.recordings) > 1]
    split = [session for session in transferred if len(session.records) > 1]

    assert 0.35 < len(recorded) / len(sessions) < 0.6
    assert 0.15 < len(transferred) / len(recorded) < 0.3
    assert 0.3 < len(split) / len(transferred) < 0.5
    assert {len(session.recordings) for session in transferred} == {2, 3, 4}
    faxes = [session for session in sessions if session.records[0].type == "Fax"]
    assert 0.02 < len(faxes) / len(sessions) < 0.06
    assert not any(session.recordings for session in faxes)


def test_recordings_of_a_session_follow_each_other(busy_world: World) -> None:
    for session in busy_world.sessions(MIDNIGHT, MIDNIGHT + DAY):
        for recording in session.recordings:
            assert 30_000 <= recording.duration_ms <= 90_000
            assert session.start_time <= recording.start_time
            assert recording.end_time <= session.end_time
        for earlier, later in pairwise(session.recordings):
            assert earlier.end_time < later.start_time
            assert int(earlier.id) < int(later.id)


def test_a_second_leg_often_repeats_the_recording_of_the_first(busy_world: World) -> None:
    records = [record for record in busy_world.records(MIDNIGHT, MIDNIGHT + DAY) if record.recordings]
    repeated = 0
    for record in records:
        assert record.master.recording == record.recordings[0]
        carried = Counter(leg.recording.id for leg in record.legs if leg.recording)
        assert max(carried.values()) <= 2
        repeated += carried[record.recordings[0].id] == 2

    assert 0.6 < repeated / len(records) < 0.8


def test_short_calls_are_flagged_and_have_no_recording(busy_world: World) -> None:
    legs = [leg for record in busy_world.records(MIDNIGHT, MIDNIGHT + DAY) for leg in record.legs]
    short = [leg for leg in legs if leg.short_recording]

    assert short
    assert all(leg.recording is None for leg in short)


def test_sessions_cross_midnight_and_are_found_from_both_sides() -> None:
    mix = CallMix(
        calls_per_day=2000, recorded_share=1, transferred_share=1, split_transfer_share=1, leg_seconds=(1800, 3600)
    )
    world = World(SandboxConfig(mix=mix))

    over_midnight = [
        session
        for session in world.sessions(MIDNIGHT, MIDNIGHT + DAY)
        if session.records[0].start_time < MIDNIGHT <= session.records[-1].start_time
    ]

    assert over_midnight
    for session in over_midnight:
        assert session.records[0] in world.records(MIDNIGHT - DAY, MIDNIGHT)
        assert session.records[1] in world.records(MIDNIGHT, MIDNIGHT + DAY)


def test_the_truth_holds_the_ended_part_of_a_session_under_way(busy_world: World) -> None:
    split = next(session for session in busy_world.sessions(MIDNIGHT, MIDNIGHT + DAY) if len(session.records) == 2)
    first = split.records[0]

    early, late = (
        busy_world.truth(first.start_time, first.start_time + timedelta(milliseconds=1), record.end_time)
        for record in split.records
    )

    assert [session.records for session in early.sessions] == [(first,)]
    assert early.recordings == first.recordings
    assert late.sessions == (split,)


def test_audio_is_kept_in_bounded_memory() -> None:
    config = SandboxConfig(mix=CallMix(calls_per_day=200), audio_format="wav")
    recordings = World(config).truth(MIDNIGHT, MIDNIGHT + DAY, MIDNIGHT + 2 * DAY).recordings
    store = AudioStore(Mp3Settings(16_000, 32_000), cache_bytes=3_000_000)

    contents = [store.content(recording) for recording in recordings[:5]]

    assert store.content(recordings[4]) is contents[4]
    assert store.content(recordings[0]) is not contents[0]
    assert store.content(recordings[0]) == contents[0]


@pytest.mark.parametrize(
    "bad",
    [
        {"calls_per_day": -1},
        {"recorded_share": 1.5},
        {"leg_seconds": (10, 20)},
        {"leg_seconds": (60, 30)},
        {"leg_seconds": (60, 7200)},
        {"transfer_recordings": (1, 4)},
        {"long_share": -0.1},
        {"long_seconds": (3600, 20_000)},
        {"rewritten_share": 2},
        {"rewrite_seconds": (0, 10)},
        {"unmoved_share": 1.1},
        {"repeated_record_share": -1},
        {"conversation_share": 3},
        {"linked_seconds": (60, 20_000)},
    ],
)
def test_a_mix_out_of_range_is_named(bad: dict[str, object]) -> None:
    name = next(iter(bad))

    with pytest.raises(ValueError, match=name):
        CallMix(**bad)  # type: ignore[arg-type]


def test_the_truth_is_served_over_http(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON))
    truth = sandbox.truth(MIDNIGHT, MIDNIGHT + DAY)

    served = requests.get(
        f"{sandbox.platform_url}/sandbox/truth",
        params={"dateFrom": "2026-03-03T00:00:00Z", "dateTo": "2026-03-04T00:00:00Z"},
        timeout=10,
    ).json()

    assert [call["id"] for call in served["calls"]] == [call.id for call in truth.calls]
    assert [session["telephonySessionId"] for session in served["sessions"]] == [
        session.telephony_session_id for session in truth.sessions
    ]
    flat = [recording for session in served["sessions"] for recording in session["recordings"]]
    assert [recording["id"] for recording in flat] == [recording.id for recording in truth.recordings]
    assert {recording["durationMs"] % 1000 for recording in flat} == {0}
    assert sandbox.requests == ()
    assert date.fromisoformat(served["calls"][0]["startTime"][:10]) == MIDNIGHT.date()
