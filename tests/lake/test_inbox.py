from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from tests.lake.contenders import Lake
from voxlake.lake.inbox import Event, acknowledge, append, draining, sweep_acknowledged
from voxlake.lake.lease import LeaseHeldError
from voxlake.lake.local import LocalStorage
from voxlake.lake.storage import Storage

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
WRITERS = 3
EACH = 40


def test_events_come_out_as_they_went_in_and_in_order(storage: Storage) -> None:
    first = Event(b'{"a": "\xc3\xa4"}', NOON, "sub-1")
    second = Event(b"\xff\x00 no text\n", NOON + timedelta(microseconds=1), "sub-2")
    third = Event(b"{}", NOON, "sub-1")
    append(storage, "ringcentral", [first, second])
    append(storage, "ringcentral", [third])
    append(storage, "sinch", [Event(b"{}", NOON, "other")])
    with draining(storage, "ringcentral", "test") as deliveries:
        assert [delivery.events for delivery in deliveries] == [(first, second), (third,)]


def test_what_is_not_acknowledged_comes_again(storage: Storage) -> None:
    append(storage, "ringcentral", [Event(b"1", NOON, "sub")])
    append(storage, "ringcentral", [Event(b"2", NOON, "sub")])
    with draining(storage, "ringcentral", "killed") as deliveries:
        one = next(deliveries)
        acknowledge(storage, one)
        acknowledge(storage, one)
    assert _bodies(storage) == [b"2"]


def test_two_do_not_drain_at_a_time(storage: Storage) -> None:
    append(storage, "ringcentral", [Event(b"1", NOON, "sub")])
    with draining(storage, "ringcentral", "one"):
        with pytest.raises(LeaseHeldError, match="one"), draining(storage, "ringcentral", "two"):
            pytest.fail("two drain")
        with draining(storage, "sinch", "two") as others:
            assert list(others) == []


def test_the_acknowledged_lie_for_a_week(storage: Storage) -> None:
    append(storage, "ringcentral", [Event(b"1", NOON, "sub")])
    with draining(storage, "ringcentral", "one") as deliveries:
        for delivery in deliveries:
            acknowledge(storage, delivery)
    append(storage, "ringcentral", [Event(b"2", NOON, "sub")])
    now = datetime.now(UTC)
    assert sweep_acknowledged(storage, now + timedelta(days=6)) == 0
    assert sweep_acknowledged(storage, now + timedelta(days=8)) == 1
    assert _bodies(storage) == [b"2"]


def test_processes_that_write_and_drain_at_once_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    context = get_context("spawn")
    writers = [context.Process(target=_write, args=(lake, number)) for number in range(WRITERS)]
    drains = [context.Process(target=_drain, args=(lake, number, tmp_path / f"drained{number}")) for number in range(2)]
    for process in (*writers, *drains):
        process.start()
    for process in (*writers, *drains):
        process.join()
    assert [process.exitcode for process in (*writers, *drains)] == [0] * (WRITERS + 2)
    got = [line for number in range(2) for line in (tmp_path / f"drained{number}").read_text().split()]
    assert sorted(got) == sorted(f"{writer}-{number}" for writer in range(WRITERS) for number in range(EACH))
    assert _bodies(lake.open()) == []


def test_people_can_read_it(tmp_path: Path) -> None:
    lake = LocalStorage(tmp_path)
    path = append(lake, "ringcentral", [Event(b'{"uuid": "7"}', NOON, "sub")])
    (line,) = (tmp_path / path).read_text().splitlines()
    expected: dict[str, Any] = {"received_at": "2026-03-04T12:00:00+00:00", "source": "sub", "body": '{"uuid": "7"}'}
    assert json.loads(line) == expected


def _bodies(storage: Storage) -> list[bytes]:
    with draining(storage, "ringcentral", "look") as deliveries:
        return [event.body for delivery in deliveries for event in delivery.events]


def _write(lake: Lake, writer: int) -> None:
    storage = lake.open()
    for number in range(EACH):
        append(storage, "ringcentral", [Event(f"{writer}-{number}".encode(), NOON, "sub")])
    append(storage, "ringcentral", [Event(b"end", NOON, "sub")])


def _drain(lake: Lake, number: int, result: Path) -> None:
    """Drains until the ends of all writers have been seen, by whichever of the drains."""
    storage, drained = lake.open(), []
    ends = lake.folder.parent
    while len(list(ends.glob("end-*"))) < WRITERS:
        try:
            with draining(storage, "ringcentral", f"drain {number}") as deliveries:
                for delivery in deliveries:
                    drained += [event.body.decode() for event in delivery.events if event.body != b"end"]
                    if b"end" in {event.body for event in delivery.events}:
                        (ends / f"end-{delivery.path.rpartition('/')[2]}").touch()
                    acknowledge(storage, delivery)
        except LeaseHeldError:
            continue
    result.write_text("\n".join(drained))
