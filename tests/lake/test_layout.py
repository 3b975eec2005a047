from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from voxlake.lake import layout


def test_raw_folder_is_on_the_utc_day_of_its_start() -> None:
    east = timezone(timedelta(hours=3))
    start, end = datetime(2026, 11, 20, 1, 0, tzinfo=east), datetime(2026, 11, 20, 2, 0, tzinfo=east)
    read = datetime(2026, 11, 20, 5, 0, 7, 123456, tzinfo=UTC)
    folder = layout.raw_call_log_folder(start, end, read)
    assert folder == (
        "raw/ringcentral/call_log/date=2026-11-19/20261119T220000.000Z--20261119T230000.000Z--20261120T050007.123Z"
    )
    assert layout.extracted_at(folder) == datetime(2026, 11, 20, 5, 0, 7, 123000, tzinfo=UTC)


def test_a_folder_without_a_time_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'raw/x' is not a folder of raw call-log pages"):
        layout.extracted_at("raw/x")


def test_paths_are_those_that_users_rely_on() -> None:
    day = date(2026, 11, 20)
    assert layout.table_file("calls", day) == "tables/calls/date=2026-11-20/calls.parquet"
    assert layout.recording_audio("1662272004", day, "audio/mpeg") == (
        "audio/recordings/provider=ringcentral/date=2026-11-20/1662272004.mp3"
    )
    assert layout.damaged_recording("1662272004", day, "audio/wav") == (
        "raw/ringcentral/recordings/date=2026-11-20/rejected/1662272004.wav"
    )
    assert layout.session_audio("s-a0d1z1876", day, "audio/wav") == (
        "audio/sessions/provider=ringcentral/date=2026-11-20/s-a0d1z1876.wav"
    )


@pytest.mark.parametrize(
    "identifier",
    ["../../x", "a/b", "a\\b", "C:", "", ".hidden", "a.b", "-rf", "ä", "１", "x" * 129, "a\n", "a\0", "nul", "COM1"],
)
def test_an_id_that_is_no_id_never_becomes_a_path(identifier: str) -> None:
    assert not layout.is_safe_id(identifier)
    with pytest.raises(ValueError, match="cannot be part of a path"):
        layout.recording_audio(identifier, date(2026, 11, 20), "audio/mpeg")
    with pytest.raises(ValueError, match="cannot be part of a path"):
        layout.damaged_recording(identifier, date(2026, 11, 20), "audio/mpeg")


@pytest.mark.parametrize("identifier", ["x" * 128, "s-a0d1z1876", "console", "com", "nul-1", "VgLcd1KWffJVzUA"])
def test_an_id_as_ringcentral_makes_them_becomes_a_path(identifier: str) -> None:
    assert f"/{identifier}.mp3" in layout.recording_audio(identifier, date(2026, 11, 20), "audio/mpeg")


def test_outcomes_of_a_run_lie_together_whatever_its_run_id() -> None:
    path = layout.outcome("backfill__2026-11-19T01:00:00+00:00", "merge", "s-1")
    assert path == "outcomes/ringcentral/backfill__2026-11-19T01-00-00+00-00/merge/s-1.parquet"
    assert path.startswith(layout.outcomes_folder("backfill__2026-11-19T01:00:00+00:00", "merge"))


def test_another_provider_has_the_same_paths_beside_those_of_ringcentral() -> None:
    day = date(2026, 11, 20)
    assert layout.recording_audio("a-1", day, "audio/mpeg", "sinch") == (
        "audio/recordings/provider=sinch/date=2026-11-20/a-1.mp3"
    )
    assert layout.session_audio("a", day, "audio/wav", "sinch") == "audio/sessions/provider=sinch/date=2026-11-20/a.wav"
    assert layout.session_peaks("a", day, "sinch") == "audio/sessions/provider=sinch/date=2026-11-20/a.peaks.json"
    assert layout.damaged_recording("a-1", day, None, "sinch") == (
        "raw/sinch/recordings/date=2026-11-20/rejected/a-1.bin"
    )
    assert layout.recording_lease("a-1", "sinch") == "leases/sinch/recordings/a-1.json"
    assert layout.outcome("run", "merge", "a", "sinch") == "outcomes/sinch/run/merge/a.parquet"
    assert layout.is_audio_file(layout.recording_audio("a-1", day, "audio/mpeg", "sinch"))


def test_an_id_that_people_chose_is_itself_in_a_path_or_a_digest() -> None:
    assert layout.safe_id("daily-standup") == "daily-standup"
    digest = layout.safe_id("the team's room / 2")
    assert layout.is_safe_id(digest)
    assert digest != layout.safe_id("the team's room / 3")


def test_what_is_given_to_listeners_is_audio_and_nothing_else() -> None:
    day = date(2026, 11, 20)
    made = [layout.session_audio("s-1", day, kind) for kind in layout.SESSION_SUFFIXES]
    made += [layout.recording_audio("1", day, kind) for kind in layout.AUDIO_SUFFIXES]
    assert all(map(layout.is_audio_file, made))
    assert layout.is_peaks_file(layout.session_peaks("s-1", day))
    for other in (
        layout.session_peaks("s-1", day),
        layout.table_file("sessions", day),
        layout.damaged_recording("1", day, "audio/mpeg"),
        made[0] + "\n",
        "/" + made[0],
        made[0].replace("s-1", "../s-1"),
        made[0].replace("audio/sessions", "audio/../tables"),
    ):
        assert not layout.is_audio_file(other), other
    assert not any(map(layout.is_peaks_file, made))


def test_the_day_of_a_tables_file_is_read_from_its_path() -> None:
    day = date(2026, 11, 20)
    assert layout.day_of_table_file(layout.table_file("access_log", day)) == day
    for other in ("tables/calls/date=2026-11-20/legs.parquet", "tables/calls/.scratch/x", "tables/calls/calls.parquet"):
        assert layout.day_of_table_file(other) is None
