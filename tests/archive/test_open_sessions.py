from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxlake.archive import open_sessions
from voxlake.archive.open_sessions import FIRST_LOOK, GIVE_UP, OpenSessions
from voxlake.ringcentral.notifications import Notification, parse_notification

CAPTURED = Path(__file__).resolve().parents[1] / "ringcentral" / "events"
STREAMS = [
    [parse_notification(line) for line in path.read_bytes().splitlines()] for path in sorted(CAPTURED.glob("*.ndjson"))
]
STREAM = STREAMS[0]
SESSION = STREAM[0].telephony_session_id
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def told(notifications: list[Notification], known: OpenSessions | None = None) -> OpenSessions:
    return reduce(lambda so_far, one: open_sessions.heard(so_far, one, NOON), notifications, known or OpenSessions())


def ids_due(known: OpenSessions, now: datetime) -> list[str]:
    return [one.told.telephony_session_id for one in open_sessions.due(known, now)]


def test_a_session_that_is_over_is_looked_for_when_the_call_log_may_have_it() -> None:
    assert ids_due(told(STREAM[:-1]), NOON + HOUR) == []
    known = told(STREAM)
    assert ids_due(known, NOON + FIRST_LOOK - SECOND) == []
    assert ids_due(known, NOON + FIRST_LOOK) == [SESSION]
    assert open_sessions.next_look(known) == NOON + FIRST_LOOK


@given(events=st.permutations([one for stream in STREAMS for one in stream]))
def test_sessions_among_one_another_in_any_order_are_all_due(events: list[Notification]) -> None:
    known = told(events)
    assert set(ids_due(known, NOON + FIRST_LOOK)) == {stream[0].telephony_session_id for stream in STREAMS}


def test_what_is_known_survives_the_lake() -> None:
    known = open_sessions.handed(told([one for stream in STREAMS for one in stream]), [SESSION], "run")
    assert open_sessions.parsed(open_sessions.serialized(known)) == known


def test_a_session_that_was_handed_on_is_due_no_more_and_known_to_its_run() -> None:
    known = open_sessions.handed(told(STREAM), [SESSION], "run")
    assert ids_due(known, NOON + HOUR) == []
    assert open_sessions.handed_to(known, "run") == [SESSION]
    assert open_sessions.handed_to(known, "another") == []


def test_an_event_that_comes_late_changes_nothing_and_one_that_is_new_does() -> None:
    handed = open_sessions.handed(told(STREAM[1:]), [SESSION], "run")
    assert ids_due(told([STREAM[0], STREAM[3], STREAM[-1]], handed), NOON + HOUR) == []
    ended = STREAM[-1]
    later = parse_notification(_changed(ended.sequence + 1))
    assert ids_due(told([later], handed), NOON + HOUR) == [SESSION]


def test_looks_are_further_and_further_apart_up_to_five_minutes() -> None:
    known = told(STREAM)
    now, waits = NOON + FIRST_LOOK, []
    while not open_sessions.given_up(known, now):
        known = open_sessions.not_there_yet(known, [SESSION], now)
        look = open_sessions.next_look(known)
        assert look is not None
        waits.append(look - now)
        now = look
    assert waits[:3] == [7.5 * SECOND, 11.25 * SECOND, 16.875 * SECOND]
    assert max(waits) == 5 * MINUTE
    assert waits == sorted(waits)
    assert now > NOON + GIVE_UP


def test_what_does_not_come_is_given_up_and_dropped() -> None:
    known = told(STREAM)
    late = NOON + GIVE_UP + SECOND
    assert open_sessions.given_up(known, NOON + GIVE_UP) == []
    assert open_sessions.given_up(known, late) == [SESSION]
    assert open_sessions.tidied(known, late, 4 * HOUR).sessions == {}


def test_what_is_not_heard_of_any_more_is_dropped_after_the_longest_call() -> None:
    known = told(STREAM[:3])
    assert open_sessions.tidied(known, NOON + 4 * HOUR - SECOND, 4 * HOUR) == known
    assert open_sessions.tidied(known, NOON + 4 * HOUR, 4 * HOUR).sessions == {}


def test_what_was_handed_on_is_dropped_after_an_hour() -> None:
    known = open_sessions.handed(told(STREAM), [SESSION], "run")
    assert open_sessions.tidied(known, NOON + HOUR - SECOND, 4 * HOUR) == known
    assert open_sessions.tidied(known, NOON + HOUR, 4 * HOUR).sessions == {}


@pytest.mark.parametrize(
    ("run", "until", "now", "is_waited_for"),
    [
        ("", None, NOON, False),
        ("other", NOON + FIRST_LOOK, NOON, True),
        ("me", NOON + FIRST_LOOK, NOON, False),
        # Comes too late for this session.
        ("other", NOON + MINUTE, NOON, False),
        # Said that it would look, and has not: it was killed.
        ("other", NOON - 3 * MINUTE, NOON, False),
    ],
)
def test_one_run_waits_for_the_next_look(run: str, until: datetime | None, now: datetime, is_waited_for: bool) -> None:
    known = OpenSessions(told(STREAM).sessions, run, until)
    assert open_sessions.is_waited_for(known, "me", now) is is_waited_for


def _changed(sequence: int) -> bytes:
    line = (CAPTURED / "pstn-to-rc.ndjson").read_bytes().splitlines()[-1]
    return line.replace(b'"sequence": 12', f'"sequence": {sequence}'.encode())
