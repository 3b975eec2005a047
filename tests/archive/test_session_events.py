from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from voxlake.archive import open_sessions
from voxlake.archive.open_sessions import FIRST_LOOK, GIVE_UP
from voxlake.archive.session_events import (
    complete,
    listed_sessions,
    note_looks,
    stop_waiting,
    take_in,
    tidy,
    wait_for_next_look,
)
from voxlake.lake import layout
from voxlake.lake.inbox import Event, append
from voxlake.lake.local import LocalStorage
from voxlake.lake.storage import Storage

CAPTURED = Path(__file__).resolve().parents[1] / "ringcentral" / "events"
STREAM = (CAPTURED / "rc-to-pstn.ndjson").read_bytes().splitlines()
SESSION = "s-c23b203d62db4f6aaee00717bafa99be"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def received(storage: Storage, *bodies: bytes) -> None:
    append(storage, "ringcentral", [Event(body, NOON, "sub") for body in bodies])


@pytest.fixture
def over(storage: Storage) -> Storage:
    """A lake that knows of one session that is over."""
    received(storage, *STREAM)
    take_in(storage, "before")
    return storage


def test_events_of_many_deliveries_make_one_session(storage: Storage) -> None:
    for line in reversed(STREAM):
        received(storage, line)
    known = take_in(storage, "run")
    assert [one.told.telephony_session_id for one in open_sessions.due(known, NOON + FIRST_LOOK)] == [SESSION]
    assert list(storage.list(layout.inbox_folder("ringcentral"))) == []
    assert len(list(storage.list(layout.acknowledged_folder("ringcentral")))) == len(STREAM)


def test_who_is_killed_before_it_acknowledges_loses_nothing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    received(storage, *STREAM)
    with monkeypatch.context() as patch:
        patch.setattr("voxlake.archive.session_events.acknowledge", _killed)
        with pytest.raises(KeyboardInterrupt):
            take_in(storage, "run")
    assert len(list(storage.list(layout.inbox_folder("ringcentral")))) == 1
    known = take_in(storage, "run")
    assert set(known.sessions) == {SESSION}
    assert open_sessions.due(known, NOON + FIRST_LOOK)[0].told.last_sequence == len(STREAM) + 1


def test_an_event_that_is_none_does_not_stop_the_others(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    received(storage, b"{}", *STREAM, b"\xff")
    assert set(take_in(storage, "run").sessions) == {SESSION}
    assert "body is missing" in caplog.text


def test_a_run_that_is_tried_again_knows_what_it_took(over: Storage) -> None:
    note_looks(over, [SESSION], [SESSION], "run", NOON + FIRST_LOOK)
    assert open_sessions.handed_to(take_in(over, "run"), "run") == [SESSION]
    assert open_sessions.handed_to(take_in(over, "another"), "another") == []


def test_one_run_waits_and_another_takes_its_place_when_it_stops(over: Storage) -> None:
    look = NOON + FIRST_LOOK
    assert wait_for_next_look(over, "first", NOON) == look
    assert wait_for_next_look(over, "second", NOON) is None
    stop_waiting(over, "second")
    assert wait_for_next_look(over, "second", NOON) is None
    stop_waiting(over, "first")
    assert wait_for_next_look(over, "second", NOON) == look


def test_nobody_waits_where_nothing_is_to_be_looked_for(over: Storage) -> None:
    note_looks(over, [SESSION], [SESSION], "run", NOON + FIRST_LOOK)
    assert wait_for_next_look(over, "run", NOON) is None


def test_what_never_comes_is_given_up_with_a_word(over: Storage, caplog: pytest.LogCaptureFixture) -> None:
    late = NOON + GIVE_UP + timedelta(seconds=1)
    assert tidy(over, late, 4 * HOUR).sessions == {}
    assert f"session {SESSION} is over, but not complete in the call log" in caplog.text
    assert wait_for_next_look(over, "run", late) is None


@pytest.mark.parametrize(
    ("records", "is_complete"),
    [
        ([], False),
        ([{"telephonySessionId": SESSION}], False),
        ([{"telephonySessionId": SESSION, "recording": {"id": "1"}}], False),
        ([{"telephonySessionId": SESSION, "recording": {"id": "1"}, "legs": [{"recording": {"id": "2"}}]}], True),
        (
            [
                {"telephonySessionId": SESSION, "recording": {"id": "1"}},
                {"telephonySessionId": SESSION, "recording": {"id": "2"}},
            ],
            True,
        ),
        (
            [
                {"telephonySessionId": SESSION, "recording": {"id": "1"}, "result": "In Progress"},
                {"telephonySessionId": SESSION, "recording": {"id": "2"}},
            ],
            False,
        ),
        (
            [{"telephonySessionId": SESSION, "finished": False, "legs": [{"recording": {"id": n}} for n in "12"]}],
            False,
        ),
        (["no record", {"telephonySessionId": 5}, {"telephonySessionId": SESSION, "legs": "none"}], False),
    ],
)
def test_a_session_is_complete_when_the_call_log_has_all_that_its_events_named(
    tmp_path: Path, records: list[Any], is_complete: bool
) -> None:
    lake = LocalStorage(tmp_path)
    (party,) = json.loads(STREAM[-1])["body"]["parties"]
    naming = json.loads(STREAM[-1])
    naming["body"]["parties"] = [{**party, "recordings": [{"id": "1", "active": False}, {"id": "2", "active": False}]}]
    received(lake, *STREAM[:-1], json.dumps(naming).encode())
    due = open_sessions.due(take_in(lake, "run"), NOON + FIRST_LOOK)
    folder = layout.raw_call_log_folder(NOON, NOON + HOUR, NOON + HOUR)
    lake.put(layout.raw_page(folder, 1), gzip.compress(json.dumps({"records": records}).encode()))
    assert complete(due, listed_sessions(lake, [folder])) == ([SESSION] if is_complete else [])


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
