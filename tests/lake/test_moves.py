"""Rows whose versions lie on both sides of midnight."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from voxlake.lake import layout, tables, turns
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, LEGS, RECONCILIATION, RECORDINGS, SESSIONS, TABLES, Table
from voxlake.lake.storage import Storage, StoredObject, VersionConflictError

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
BEFORE, AFTER = MIDNIGHT - timedelta(minutes=2), MIDNIGHT + timedelta(minutes=3)
DAYS = [BEFORE.date(), AFTER.date()]


def call(start: datetime, modified: int, **values: Any) -> dict[str, Any]:
    at = MIDNIGHT + timedelta(hours=modified)
    key = {"account_id": "1", "call_id": "a"}
    return key | {"start_time": start, "last_modified_time": at, "extracted_at": at} | values


def legs(start: datetime, modified: int, count: int, **values: Any) -> list[dict[str, Any]]:
    return [
        call(start, modified, **values) | {"leg_index": index, "call_start_time": start, "start_time": BEFORE}
        for index in range(count)
    ]


def upsert(storage: Storage, table: Table, *rows: Mapping[str, Any]) -> int:
    return tables.upsert(storage, table, tables.to_arrow(table, rows))


def rows_of(storage: Storage, table: Table, day: date) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tables.read(storage, table, [day]).to_pylist()
    return found


@pytest.mark.parametrize(("first", "second"), [(BEFORE, AFTER), (AFTER, BEFORE)])
def test_a_call_moves_with_its_newest_version(storage: Storage, first: datetime, second: datetime) -> None:
    upsert(storage, CALLS, call(first, 1, recording_id="7", recording_seen_at=MIDNIGHT), call(BEFORE, 0, call_id="b"))
    assert upsert(storage, CALLS, call(second, 2, result="Accepted")) == 2
    (moved,) = [row for row in rows_of(storage, CALLS, second.date()) if row["call_id"] == "a"]
    assert (moved["start_time"], moved["result"], moved["recording_id"]) == (second, "Accepted", "7")
    assert "a" not in [row["call_id"] for row in rows_of(storage, CALLS, first.date())]
    assert [row["call_id"] for row in tables.read(storage, CALLS, DAYS).to_pylist()].count("b") == 1


def test_an_older_version_that_comes_late_does_not_move_a_call_back(storage: Storage) -> None:
    upsert(storage, CALLS, call(AFTER, 2))
    assert upsert(storage, CALLS, call(BEFORE, 1)) == 0
    assert [rows_of(storage, CALLS, day) != [] for day in DAYS] == [False, True]


def test_versions_on_both_sides_in_one_upsert_become_one_row(storage: Storage) -> None:
    assert upsert(storage, CALLS, call(AFTER, 2), call(BEFORE, 1)) == 1
    assert list(storage.list("tables")) == ["tables/calls/date=2026-11-21/calls.parquet"]


def test_legs_move_together_and_those_that_are_gone_leave_no_trace(storage: Storage) -> None:
    upsert(storage, LEGS, *legs(BEFORE, 1, 3, recording_id="7", recording_seen_at=MIDNIGHT))
    upsert(storage, LEGS, *legs(AFTER, 2, 2))
    assert rows_of(storage, LEGS, BEFORE.date()) == []
    assert [(row["leg_index"], row["recording_id"]) for row in rows_of(storage, LEGS, AFTER.date())] == [
        (0, "7"),
        (1, "7"),
    ]


def test_a_set_that_shrinks_removes_its_rows_on_the_other_day_though_no_key_is_the_same(storage: Storage) -> None:
    upsert(storage, LEGS, *legs(BEFORE, 1, 2)[1:])
    upsert(storage, LEGS, *legs(AFTER, 2, 1))
    assert [row["leg_index"] for row in tables.read(storage, LEGS, DAYS).to_pylist()] == [0]


def test_a_recording_lies_on_the_day_of_its_earliest_claim_with_the_outcome_of_the_other(storage: Storage) -> None:
    claim = {"provider": "ringcentral", "account_id": "1", "recording_id": "7", "status": "pending", "attempts": 0}
    upsert(storage, RECORDINGS, claim | {"call_id": "b", "start_time": AFTER})
    upsert(storage, RECORDINGS, claim | {"call_id": "b", "start_time": AFTER, "status": "downloaded", "attempts": 1})
    upsert(storage, RECORDINGS, claim | {"call_id": "a", "start_time": BEFORE})
    (row,) = tables.read(storage, RECORDINGS, DAYS).to_pylist()
    assert (row["start_time"], row["call_id"], row["status"]) == (BEFORE, "a", "downloaded")


def test_a_session_that_grew_leaves_its_old_day(storage: Storage) -> None:
    key = {"provider": "ringcentral", "account_id": "1", "telephony_session_id": "s-1"}
    upsert(storage, SESSIONS, key | {"start_time": AFTER, "recording_ids": ["2"], "merged_at": AFTER})
    upsert(storage, SESSIONS, key | {"start_time": BEFORE, "recording_ids": ["1", "2"], "merged_at": AFTER})
    assert [row["recording_ids"] for row in tables.read(storage, SESSIONS, DAYS).to_pylist()] == [["1", "2"]]


def test_what_a_killed_process_left_on_two_days_is_one_row_after_the_next_upsert(storage: Storage) -> None:
    for row in (call(BEFORE, 1), call(AFTER, 2)):
        path = layout.table_file("calls", row["start_time"].date())
        storage.put(path, tables.to_parquet(tables.to_arrow(CALLS, [row])))
    upsert(storage, CALLS, call(BEFORE, 1))
    assert [row["start_time"] for row in tables.read(storage, CALLS, DAYS).to_pylist()] == [AFTER]


def test_a_leftover_goes_though_its_day_was_looked_at_for_another_row_before(storage: Storage) -> None:
    for row in (call(BEFORE, 3), call(AFTER, 1)):
        path = layout.table_file("calls", row["start_time"].date())
        storage.put(path, tables.to_parquet(tables.to_arrow(CALLS, [row])))
    upsert(storage, CALLS, call(AFTER, 2), call(BEFORE, 2, call_id="b"))
    rows = tables.read(storage, CALLS, DAYS).to_pylist()
    assert [(row["call_id"], row["start_time"]) for row in rows] == [("a", BEFORE), ("b", BEFORE)]


class Interrupted(LocalStorage):
    """A lake where another process gets in before a day file is replaced or read, once each."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.before_swap: dict[str, Callable[[], object]] = {}
        self.before_read: dict[str, Callable[[], object]] = {}
        self.read_paths: list[str] = []

    def read(self, path: str) -> StoredObject:
        self.read_paths.append(path)
        self.before_read.pop(path, bool)()
        return super().read(path)

    def compare_and_swap(self, path: str, data: bytes, expected: str | None) -> None:
        self.before_swap.pop(path, bool)()
        super().compare_and_swap(path, data, expected)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a turn: the other process is run by the one whose turn it is."""
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 0)


OLD_DAY, NEW_DAY = (layout.table_file("calls", day) for day in DAYS)


@pytest.mark.usefixtures("impatient")
def test_a_version_that_arrives_while_its_row_is_removed_is_not_lost(tmp_path: Path) -> None:
    lake = Interrupted(tmp_path)
    upsert(lake, CALLS, call(BEFORE, 1))
    # The first swap of the old day is the removal, for the new version is written to the new day.
    lake.before_swap[OLD_DAY] = lambda: upsert(LocalStorage(tmp_path), CALLS, call(BEFORE, 3, result="newest"))
    upsert(lake, CALLS, call(AFTER, 2))
    (row,) = tables.read(lake, CALLS, DAYS).to_pylist()
    assert (row["start_time"], row["result"]) == (BEFORE, "newest")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("ours", "theirs"), [(1, 2), (2, 1)])
def test_versions_written_on_both_sides_at_once_become_one_row(tmp_path: Path, ours: int, theirs: int) -> None:
    lake = Interrupted(tmp_path)
    # We have looked at the other day, and see nothing there, when the other process writes to it.
    lake.before_swap[NEW_DAY] = lambda: upsert(LocalStorage(tmp_path), CALLS, call(BEFORE, theirs))
    upsert(lake, CALLS, call(AFTER, ours))
    (row,) = tables.read(lake, CALLS, DAYS).to_pylist()
    assert row["last_modified_time"] == MIDNIGHT + timedelta(hours=2)


def test_a_reader_does_not_miss_a_row_that_moves_to_a_day_it_has_read(tmp_path: Path) -> None:
    lake = Interrupted(tmp_path)
    upsert(lake, CALLS, call(AFTER, 1))
    lake.before_read[NEW_DAY] = lambda: upsert(LocalStorage(tmp_path), CALLS, call(BEFORE, 2))
    assert [row["start_time"] for row in tables.read(lake, CALLS, DAYS).to_pylist()] == [BEFORE]


def test_a_process_killed_before_it_removes_leaves_the_row_on_both_days_and_none_without(tmp_path: Path) -> None:
    lake = Interrupted(tmp_path)
    upsert(lake, CALLS, call(BEFORE, 1))

    def die() -> None:
        raise KeyboardInterrupt

    lake.before_swap[OLD_DAY] = die
    with pytest.raises(KeyboardInterrupt):
        upsert(lake, CALLS, call(AFTER, 2))
    assert [row["start_time"] for row in tables.read(lake, CALLS, DAYS).to_pylist()] == [BEFORE, AFTER]
    upsert(lake, CALLS, call(AFTER, 2))
    assert [row["start_time"] for row in tables.read(lake, CALLS, DAYS).to_pylist()] == [AFTER]


@pytest.mark.usefixtures("impatient")
def test_rows_that_never_come_to_rest_are_an_error_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_ROUNDS", 5)
    lake = Interrupted(tmp_path)
    versions = itertools.count(2)

    def write_there_first(path: str, start: datetime) -> None:
        def write() -> None:
            upsert(LocalStorage(tmp_path), CALLS, call(start, next(versions)))
            write_there_first(path, start)

        lake.before_read[path] = write

    write_there_first(OLD_DAY, BEFORE)
    write_there_first(NEW_DAY, AFTER)
    with pytest.raises(VersionConflictError, match="table calls: other processes kept moving the same rows"):
        upsert(lake, CALLS, call(AFTER, 1))


@pytest.mark.parametrize(
    ("table", "start", "neighbours"),
    [
        (CALLS, MIDNIGHT - timedelta(minutes=61), []),
        (CALLS, MIDNIGHT - timedelta(minutes=59), [MIDNIGHT]),
        (CALLS, MIDNIGHT + timedelta(minutes=59), [MIDNIGHT - timedelta(days=1)]),
        (SESSIONS, MIDNIGHT + timedelta(hours=12), [MIDNIGHT - timedelta(days=1), MIDNIGHT + timedelta(days=1)]),
        (RECONCILIATION, MIDNIGHT, []),
    ],
)
def test_only_days_that_a_row_may_have_come_from_are_looked_at(
    tmp_path: Path, table: Table, start: datetime, neighbours: list[datetime]
) -> None:
    lake = Interrupted(tmp_path)
    key = dict.fromkeys(table.key, "1")
    upsert(lake, table, key | {table.day_column: start} | ({"recording_ids": []} if table is SESSIONS else {}))
    own = layout.table_file(table.name, start.date())
    assert set(lake.read_paths) - {own} == {layout.table_file(table.name, day.date()) for day in neighbours}


def test_no_table_reaches_further_than_a_neighbour_day() -> None:
    assert all(timedelta(0) <= table.reach <= timedelta(days=1) for table in TABLES)
