from __future__ import annotations

import random
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxlake.lake import tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS, TABLES, Table
from voxlake.lake.storage import Storage
from voxlake.lake.versions import merge_versions

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = NOON.date()


def call(call_id: str, **values: Any) -> dict[str, Any]:
    return {"account_id": "1", "call_id": call_id, "start_time": NOON, "extracted_at": NOON} | values


def recording(recording_id: str, **values: Any) -> dict[str, Any]:
    key = {"provider": "ringcentral", "account_id": "1", "recording_id": recording_id}
    return key | {"start_time": NOON, "status": "pending", "attempts": 0, "extracted_at": NOON} | values


def upsert(storage: Storage, table: Table, *rows: Mapping[str, Any]) -> int:
    return tables.upsert(storage, table, tables.to_arrow(table, rows))


def rows_of(storage: Storage, table: Table, *days: date) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tables.read(storage, table, days or [DAY]).to_pylist()
    return found


def test_rows_go_to_the_day_of_their_start(storage: Storage) -> None:
    written = upsert(storage, CALLS, call("late", start_time=NOON + timedelta(hours=13)), call("noon"))
    assert written == 2
    assert [row["call_id"] for row in rows_of(storage, CALLS)] == ["noon"]
    assert [row["call_id"] for row in rows_of(storage, CALLS, DAY, DAY + timedelta(days=1))] == ["noon", "late"]
    assert list(storage.list("tables")) == [
        "tables/calls/date=2026-11-20/calls.parquet",
        "tables/calls/date=2026-11-21/calls.parquet",
    ]


def test_the_same_rows_again_write_nothing(storage: Storage) -> None:
    assert upsert(storage, CALLS, call("a"), call("b")) == 1
    version = storage.version("tables/calls/date=2026-11-20/calls.parquet")
    assert upsert(storage, CALLS, call("b"), call("a"), call("a")) == 0
    assert storage.version("tables/calls/date=2026-11-20/calls.parquet") == version


def test_no_rows_make_no_file(storage: Storage) -> None:
    assert upsert(storage, CALLS) == 0
    assert list(storage.list("tables")) == []


def test_a_row_of_no_day_is_refused(storage: Storage) -> None:
    with pytest.raises(ValueError, match="table calls: a row without start_time"):
        upsert(storage, CALLS, call("a", start_time=None))


def test_the_newer_version_stays_whichever_comes_first(storage: Storage) -> None:
    old = call("a", result="In Progress", last_modified_time=NOON)
    new = call("a", result="Accepted", last_modified_time=NOON + timedelta(seconds=1), extracted_at=NOON)
    upsert(storage, CALLS, new)
    upsert(storage, CALLS, old | {"extracted_at": NOON + timedelta(hours=1)})
    assert [row["result"] for row in rows_of(storage, CALLS)] == ["Accepted"]


def test_a_recording_id_that_the_source_drops_is_kept(storage: Storage) -> None:
    upsert(storage, CALLS, call("a", recording_id="7"))
    upsert(storage, CALLS, call("a", recording_id=None, result="changed", extracted_at=NOON + timedelta(days=100)))
    (row,) = rows_of(storage, CALLS)
    assert (row["recording_id"], row["result"]) == ("7", "changed")


def test_legs_of_a_record_are_replaced_as_a_whole(storage: Storage) -> None:
    def legs(extracted_at: datetime, *indices: int) -> list[dict[str, Any]]:
        shared = {"account_id": "1", "call_id": "a", "call_start_time": NOON, "extracted_at": extracted_at}
        return [shared | {"leg_index": index, "recording_id": None} for index in indices]

    first = legs(NOON, 0, 1, 2)
    first[1]["recording_id"] = "7"
    upsert(storage, LEGS, *first)
    upsert(storage, LEGS, *legs(NOON + timedelta(hours=1), 0, 1))
    assert [(row["leg_index"], row["recording_id"]) for row in rows_of(storage, LEGS)] == [(0, None), (1, "7")]


def test_landing_a_recording_again_does_not_forget_its_outcome(storage: Storage) -> None:
    upsert(storage, RECORDINGS, recording("7"))
    upsert(storage, RECORDINGS, recording("7", status="downloaded", audio_path="audio/7.mp3", attempts=2))
    upsert(storage, RECORDINGS, recording("7", call_id="b", extracted_at=NOON + timedelta(hours=1)))
    (row,) = rows_of(storage, RECORDINGS)
    assert (row["status"], row["audio_path"], row["attempts"], row["call_id"]) == ("downloaded", "audio/7.mp3", 2, "b")


@pytest.mark.parametrize("later", ["pending", "failed", "unavailable"])
def test_a_recording_that_is_held_stays_held(storage: Storage, later: str) -> None:
    upsert(storage, RECORDINGS, recording("7", status="downloaded", attempts=1))
    upsert(storage, RECORDINGS, recording("7", status=later, attempts=5, error="gone"))
    assert [(row["status"], row["error"]) for row in rows_of(storage, RECORDINGS)] == [("downloaded", None)]


def test_of_two_claims_of_one_time_always_the_same_one_stays(storage: Storage) -> None:
    claims = [recording("7", call_id="a", leg_index=1), recording("7", call_id="b"), recording("7", call_id="a")]
    for order in (claims, claims[::-1]):
        upsert(storage, RECORDINGS, *order)
        assert [row["call_id"] for row in rows_of(storage, RECORDINGS)] == ["a"]


def test_a_merge_that_knew_fewer_recordings_does_not_hide_one_that_knew_more(storage: Storage) -> None:
    key = {"provider": "ringcentral", "account_id": "1", "telephony_session_id": "s-1", "start_time": NOON}
    upsert(storage, SESSIONS, key | {"recording_ids": ["1", "2"], "merged_at": NOON})
    upsert(storage, SESSIONS, key | {"recording_ids": ["1"], "merged_at": NOON + timedelta(minutes=1)})
    assert [row["recording_ids"] for row in rows_of(storage, SESSIONS)] == [["1", "2"]]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_says_what_it_means_in_the_file_itself(tmp_path: Path, table: Table) -> None:
    tables.to_parquet(table.schema.empty_table())
    (tmp_path / "t.parquet").write_bytes(tables.to_parquet(table.schema.empty_table()))
    schema = pq.read_schema(tmp_path / "t.parquet")
    assert [field.metadata[b"description"].decode() for field in schema] == [c.description for c in table.columns]
    assert all(column.description.endswith(".") for column in table.columns)


def test_a_file_that_lacks_a_column_is_read_with_nulls(storage: Storage) -> None:
    old = tables.to_arrow(CALLS, [call("a", extra="{}")]).drop_columns(["cost_included"])
    storage.put("tables/calls/date=2026-11-20/calls.parquet", tables.to_parquet(old))
    upsert(storage, CALLS, call("b", cost_included=1.5))
    assert [(row["call_id"], row["cost_included"]) for row in rows_of(storage, CALLS)] == [("a", None), ("b", 1.5)]


def test_duckdb_and_pandas_read_the_tables(tmp_path: Path) -> None:
    lake = LocalStorage(tmp_path)
    upsert(lake, CALLS, call("a", duration_ms=1500), call("b", start_time=NOON + timedelta(days=1)))
    query = f"select call_id, date::varchar from read_parquet('{tmp_path}/tables/calls/**/*.parquet') order by 1"  # noqa: S608 - a path of ours
    assert duckdb.sql(query).fetchall() == [("a", "2026-11-20"), ("b", "2026-11-21")]
    frame = pq.read_table(tmp_path / "tables" / "calls").to_pandas()
    assert str(frame["start_time"].dtype) == "datetime64[ms, UTC]"


versions = st.lists(
    st.builds(
        lambda call_id, modified, extracted, recording_id: call(
            str(call_id),
            last_modified_time=None if modified is None else NOON + timedelta(seconds=modified),
            extracted_at=NOON + timedelta(seconds=extracted),
            # What a version says follows from when it was current, as at the source.
            result=f"{call_id}/{modified}/{extracted}",
            recording_id=None if recording_id else f"{call_id}-{modified}-{extracted}",
        ),
        st.integers(0, 3),
        st.none() | st.integers(0, 3),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda row: (row["call_id"], row["last_modified_time"], row["extracted_at"]),
)


@settings(max_examples=150, deadline=None)
@given(rows=versions, seed=st.integers(0, 1000))
def test_any_order_and_any_repetition_of_versions_gives_the_same_table(rows: list[dict[str, Any]], seed: int) -> None:
    at_once = merge_versions(CALLS, tables.to_arrow(CALLS, rows))
    shuffled = rows + rows[: len(rows) // 2]
    random.Random(seed).shuffle(shuffled)
    one_by_one = CALLS.schema.empty_table()
    for row in shuffled:
        one_by_one = merge_versions(CALLS, pa.concat_tables([one_by_one, tables.to_arrow(CALLS, [row])]))
    for column in ("call_id", "result", "last_modified_time", "extracted_at"):
        assert one_by_one[column].to_pylist() == at_once[column].to_pylist()
    assert at_once["call_id"].to_pylist() == sorted({row["call_id"] for row in rows})


def _contend(lake: Path, worker: int) -> None:
    storage = LocalStorage(lake)
    for number in range(10):
        upsert(
            storage, CALLS, call(f"{worker}-{number}"), call("shared", extracted_at=NOON + timedelta(seconds=number))
        )


def test_processes_that_write_one_day_lose_no_row(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        list(pool.map(_contend, [tmp_path] * 4, range(4)))
    rows = rows_of(LocalStorage(tmp_path), CALLS)
    expected = {f"{worker}-{number}" for worker in range(4) for number in range(10)} | {"shared"}
    assert sorted(row["call_id"] for row in rows) == sorted(expected)
