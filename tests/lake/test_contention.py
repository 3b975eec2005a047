"""Processes that upsert the same days at once, in a folder and in S3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lake.contenders import Lake, Row, run_at_once
from voxlake.lake import tables
from voxlake.lake.schemas import CALLS, LEGS, Table
from voxlake.lake.versions import merge_versions

if TYPE_CHECKING:
    import pyarrow as pa

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
PROCESSES = 8
VERSIONS = 200
MOVES = 30


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """An empty lake that other processes can open."""
    if request.param == "local":
        return Lake(tmp_path / "lake")
    return Lake(tmp_path, request.getfixturevalue("s3_endpoint"), request.getfixturevalue("s3_bucket"))


def versions_of_one_day(process: int) -> tuple[Table, Sequence[Sequence[Row]]]:
    """Of its own calls and of calls that all processes write; each version says who wrote it and when."""
    batches = []
    for number in range(VERSIONS):
        own, modified = number % 2, NOON + timedelta(seconds=number * 7 % VERSIONS, milliseconds=process)
        batches.append(
            [
                {
                    "account_id": "1",
                    "call_id": f"{process}-{number % 50}" if own else f"shared-{number % 10}",
                    "start_time": NOON + timedelta(minutes=number % 10),
                    "last_modified_time": modified,
                    "result": f"{process}/{number}",
                    "recording_id": f"{process}-{number}" if number % 3 else None,
                    "recording_seen_at": modified if number % 3 else None,
                    "extracted_at": modified,
                }
            ]
        )
    return CALLS, batches


def test_processes_that_write_one_day_lose_no_row_and_repeat_none(lake: Lake) -> None:
    run_at_once(lake, versions_of_one_day, PROCESSES)
    expected = at_once(CALLS, (versions_of_one_day(process)[1] for process in range(PROCESSES)))
    assert expected.num_rows == PROCESSES * 25 + 5
    assert tables.read(lake.open(), CALLS, [NOON.date()]).equals(expected)


def legs_on_both_sides_of_midnight(process: int) -> tuple[Table, Sequence[Sequence[Row]]]:
    """Versions of the same three records, which begin before midnight in every other one."""
    batches = []
    for number in range(MOVES):
        modified = NOON + timedelta(seconds=number * 7 % MOVES, milliseconds=process)
        start = MIDNIGHT + timedelta(minutes=(number + process) % 2 * 2 - 1)
        batches.append(
            [
                {
                    "account_id": "1",
                    "call_id": f"shared-{number % 3}",
                    "leg_index": index,
                    "start_time": MIDNIGHT + timedelta(seconds=index),
                    "call_start_time": start,
                    "last_modified_time": modified,
                    "result": f"{process}/{number}",
                    "recording_id": f"{process}-{number}" if number % 3 else None,
                    "recording_seen_at": modified if number % 3 else None,
                    "extracted_at": modified,
                }
                for index in range(2)
            ]
        )
    return LEGS, batches


@pytest.mark.parametrize("processes", [2, 8])
def test_processes_that_write_both_sides_of_midnight_leave_each_row_once(lake: Lake, processes: int) -> None:
    run_at_once(lake, legs_on_both_sides_of_midnight, processes)
    expected = at_once(LEGS, (legs_on_both_sides_of_midnight(process)[1] for process in range(processes)))
    assert expected.num_rows == 6
    days = [(MIDNIGHT - timedelta(days=1)).date(), MIDNIGHT.date()]
    assert tables.read(lake.open(), LEGS, days).equals(expected)


def at_once(table: Table, batches: Iterable[Sequence[Sequence[Row]]]) -> pa.Table:
    rows = [row for of_process in batches for batch in of_process for row in batch]
    return merge_versions(table, tables.to_arrow(table, rows))
