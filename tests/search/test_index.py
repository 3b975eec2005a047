from __future__ import annotations

import multiprocessing
import os
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.search.archive import (
    MIDNIGHT,
    NOON,
    call,
    find,
    ids,
    leg,
    merged,
    put_calls,
    put_legs,
    put_recordings,
    put_sessions,
    recording,
)
from voxlake.lake import layout, tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.s3 import Encryption, S3Storage
from voxlake.lake.schemas import CALLS
from voxlake.search.index import Database, DayFileError, Files, SearchIndex, paths

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from mypy_boto3_s3 import S3Client

CALLS_FILE = layout.table_file("calls", NOON.date())


def files(index: SearchIndex, tmp_path: Path) -> dict[str, int]:
    """The days in the index, and when their files were made."""
    return {file.name[:10]: file.stat().st_mtime_ns for file in (tmp_path / "state").rglob("*.parquet")}


def test_only_days_that_changed_are_read_again(index: SearchIndex, tmp_path: Path) -> None:
    days = [NOON - timedelta(days=number) for number in range(6)]
    put_calls(index.storage, *(call(f"s-{number}", day) for number, day in enumerate(days)))
    assert find(index).total == 6
    before = files(index, tmp_path)
    assert sorted(before) == sorted(str(day.date()) for day in days)

    assert find(index).total == 6
    assert files(index, tmp_path) == before

    put_calls(index.storage, call("new", days[1] + timedelta(minutes=1)))
    assert find(index).total == 7
    after = files(index, tmp_path)
    # A conversation over midnight makes a day depend on those around it.
    changed = {day for day in after if after[day] != before[day]}
    assert changed == {str(days[number].date()) for number in (0, 1, 2)}


def test_any_of_the_tables_makes_a_day_anew(index: SearchIndex) -> None:
    record = call("s-1")
    put_calls(index.storage, record)
    assert find(index).conversations[0].legs == 0
    put_legs(index.storage, leg(record))
    assert find(index).conversations[0].legs == 1
    put_recordings(index.storage, recording("s-1", "r1"))
    assert find(index).conversations[0].status == "pending"
    put_sessions(index.storage, merged("s-1", "r1"))
    assert find(index).conversations[0].status == "complete"


def test_a_day_that_is_gone_is_found_no_more(index: SearchIndex) -> None:
    put_calls(index.storage, call("s-1"), call("s-2", MIDNIGHT + timedelta(hours=1)))
    assert find(index).total == 2

    index.storage.delete(CALLS_FILE)

    assert ids(find(index)) == ["s-2"]


def test_files_of_an_earlier_release_lack_columns(index: SearchIndex) -> None:
    rows = tables.to_arrow(CALLS, [call("old")]).drop_columns(["to_extension_number", "direction"])
    index.storage.put(CALLS_FILE, tables.to_parquet(rows))
    put_calls(index.storage, call("new", MIDNIGHT))

    found = {one.telephony_session_id: one for one in find(index).conversations}

    assert (found["old"].direction, found["old"].to_extension_number) == (None, None)
    assert (found["new"].direction, found["new"].to_extension_number) == ("Inbound", "101")


def test_what_is_no_day_file_is_left_alone(index: SearchIndex) -> None:
    put_calls(index.storage, call("s-1"))
    for path in (
        "tables/calls/date=2026-11-20/.hidden",
        "tables/calls/readme.txt",
        "tables/calls/date=x/calls.parquet",
    ):
        index.storage.put(path, b"not Parquet")

    assert find(index).total == 1


def test_a_damaged_file_is_named(index: SearchIndex) -> None:
    index.storage.put(CALLS_FILE, b"not Parquet")

    with pytest.raises(DayFileError, match=CALLS_FILE):
        find(index)


def test_two_lakes_share_the_folder(tmp_path: Path) -> None:
    indexes = [SearchIndex(LocalStorage(tmp_path / name), tmp_path / "state") for name in ("a", "b")]
    for number, index in enumerate(indexes):
        put_calls(index.storage, call(f"s-{number}"))

    assert [ids(find(index)) for index in indexes] == [["s-0"], ["s-1"]]


def test_the_folder_is_for_its_owner_alone(local_index: SearchIndex, tmp_path: Path) -> None:
    put_calls(local_index.storage, call("s-1"))
    find(local_index)

    (file,) = (tmp_path / "state").rglob("*.parquet")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_folders_with_the_signs_of_a_pattern(tmp_path: Path) -> None:
    index = SearchIndex(LocalStorage(tmp_path / "la'ke"), tmp_path / "st[a]te*?'")
    put_calls(index.storage, call("s-1"))

    assert find(index).total == 1


def test_what_is_superseded_goes_after_a_while(local_index: SearchIndex, tmp_path: Path) -> None:
    put_calls(local_index.storage, call("s-1"))
    find(local_index)
    (first,) = (tmp_path / "state").rglob("*.parquet")
    put_calls(local_index.storage, call("s-2"))
    find(local_index)
    # A search that had found it just before can still read it.
    assert first.exists()

    an_hour_ago = time.time() - 3600
    os.utime(first, (an_hour_ago, an_hour_ago))
    put_calls(local_index.storage, call("s-3"))
    find(local_index)

    assert not first.exists()
    assert find(local_index).total == 3


def test_it_does_not_grow_without_end(
    local_index: SearchIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxlake.search.index._MOST_BYTES", 100_000)
    days = [date(2026, 11, 22) - timedelta(days=number) for number in range(30)]
    put_calls(local_index.storage, *(call(f"s-{day}", NOON.replace(month=day.month, day=day.day)) for day in days))

    for day in days:
        assert find(local_index, since=str(day), to=str(day)).total == 1

    sizes = [file.stat().st_size for file in (tmp_path / "state").rglob("*.parquet")]
    assert sum(sizes) < 100_000 + max(sizes)
    assert find(local_index).total == 30


def test_a_file_that_is_removed_under_a_search_is_made_again(local_index: SearchIndex) -> None:
    put_calls(local_index.storage, call("s-1"))
    find(local_index)
    tries: list[Files] = []

    def read(database: Database, found: Files) -> list[tuple[str]]:
        tries.append(found)
        if len(tries) == 1:
            for file in found.values():
                file.unlink()
        return database.execute("select id from read_parquet($files)", {"files": paths(found)}).fetchall()

    assert local_index.read(NOON.date(), NOON.date(), read) == [("s-1",)]
    assert len(tries) == 2


def test_searches_while_days_are_replaced(local_index: SearchIndex) -> None:
    """Each search sees a state that was there: as many conversations as some write had left, and never fewer."""
    put_calls(local_index.storage, call("s-0"))
    done = threading.Event()

    def write() -> None:
        for number in range(1, 25):
            put_calls(local_index.storage, call(f"s-{number}"))
        done.set()

    def search() -> list[int]:
        totals = [find(local_index).total]
        while not done.is_set():
            totals.append(find(local_index).total)
        return totals

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search) for _ in range(3)]
        pool.submit(write).result()
        for totals in (one.result() for one in searches):
            assert totals == sorted(totals)
    assert find(local_index).total == 25


def _total(lake: Path, state: Path) -> int:
    return find(SearchIndex(LocalStorage(lake), state)).total


def test_processes_that_make_the_same_days_at_once(tmp_path: Path) -> None:
    index = SearchIndex(LocalStorage(tmp_path / "lake"), tmp_path / "state")
    days = [NOON - timedelta(days=number) for number in range(20)]
    put_calls(index.storage, *(call(f"s-{number}", day) for number, day in enumerate(days)))

    with multiprocessing.get_context("spawn").Pool(3) as pool:
        totals = pool.starmap(_total, [(tmp_path / "lake", tmp_path / "state")] * 3)

    assert totals == [20, 20, 20]
    assert len(list((tmp_path / "state").rglob("*.parquet"))) == 20
    assert not [file for file in (tmp_path / "state").rglob(".*") if file.name != ".lock"]


def test_an_encrypted_bucket(s3_client: S3Client, s3_bucket: str, tmp_path: Path) -> None:
    index = SearchIndex(S3Storage(s3_client, s3_bucket, encryption=Encryption("aws:kms")), tmp_path / "state")
    put_calls(index.storage, call("s-1"))
    assert find(index).total == 1
    put_calls(index.storage, call("s-2"))

    assert find(index).total == 2


@pytest.fixture
def requests(s3_client: S3Client) -> Iterator[list[str]]:
    """The names of the requests that are sent."""
    seen: list[str] = []

    def note(model: OperationModel, **_: object) -> None:
        seen.append(model.name)

    s3_client.meta.events.register("before-call.s3", note, unique_id="requests")
    yield seen
    s3_client.meta.events.unregister("before-call.s3", unique_id="requests")


def test_requests_to_a_bucket(s3_client: S3Client, s3_bucket: str, tmp_path: Path, requests: list[str]) -> None:
    index = SearchIndex(S3Storage(s3_client, s3_bucket), tmp_path / "state")
    put_calls(index.storage, *(call(f"s-{number}", NOON - timedelta(days=number)) for number in range(10)))
    requests.clear()

    find(index)
    assert sorted(requests) == ["GetObject"] * 10 + ["ListObjectsV2"] * 4
    requests.clear()
    find(index, number="555")
    assert requests == ["ListObjectsV2"] * 4
