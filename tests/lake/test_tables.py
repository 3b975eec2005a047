from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from voxlake.lake import days, tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS, TABLES, Table
from voxlake.lake.storage import Storage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = NOON.date()


def call(call_id: str, **values: Any) -> dict[str, Any]:
    return {"account_id": "1", "call_id": call_id, "start_time": NOON, "extracted_at": NOON} | values


def recording(recording_id: str, **values: Any) -> dict[str, Any]:
    key = {"provider": "ringcentral", "account_id": "1", "recording_id": recording_id}
    return key | {"start_time": NOON, "status": "pending", "attempts": 0, "extracted_at": NOON} | values


def upsert(storage: Storage, table: Table, *rows: Mapping[str, Any]) -> int:
    return tables.upsert(storage, table, tables.to_arrow(table, rows))


def rows_of(storage: Storage, table: Table, *wanted: date) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tables.read(storage, table, wanted or [DAY]).to_pylist()
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


def test_a_leg_that_takes_the_place_of_another_does_not_inherit_its_recording(storage: Storage) -> None:
    def leg(start: datetime, **values: Any) -> dict[str, Any]:
        return call("a", start_time=start, leg_index=1, call_start_time=NOON) | values

    upsert(storage, LEGS, leg(NOON, recording_id="7", recording_seen_at=NOON))
    upsert(storage, LEGS, leg(NOON - timedelta(seconds=1), extracted_at=NOON + timedelta(hours=1)))
    assert [row["recording_id"] for row in rows_of(storage, LEGS)] == [None]


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


def test_a_read_of_a_few_rows_finds_them_in_whatever_row_group(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "_ROW_GROUP", 7)
    upsert(storage, CALLS, *(call(f"{number:02}", start_time=NOON + timedelta(seconds=number)) for number in range(30)))
    for wanted in ([], ["00"], ["06", "07"], ["29", "03", "04"], [f"{number:02}" for number in range(30)]):
        found = tables.read(storage, CALLS, [DAY], pc.field("call_id").isin(pa.array(wanted, pa.string())))
        assert found["call_id"].to_pylist() == sorted(wanted)
        assert found.schema.equals(CALLS.schema, check_metadata=True)


def test_rows_where_the_condition_is_null_are_not_read(storage: Storage) -> None:
    upsert(storage, CALLS, call("a", duration_ms=None), call("b", duration_ms=2000))
    assert tables.read(storage, CALLS, [DAY], pc.field("duration_ms") > 1000)["call_id"].to_pylist() == ["b"]


def test_a_read_decodes_only_row_groups_that_have_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "_ROW_GROUP", 10)
    # In no order, so that the smallest and largest ids of a row group do not tell.
    rows = [call(f"{number * 37 % 100:02}", start_time=NOON + timedelta(seconds=number)) for number in range(100)]
    data = tables.to_parquet(tables.to_arrow(CALLS, rows))
    decoded = []
    read_row_groups = pq.ParquetFile.read_row_groups

    def watch(file: pq.ParquetFile, row_groups: list[int], **options: Any) -> pa.Table:
        decoded.extend(row_groups)
        return read_row_groups(file, row_groups, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", watch)
    wanted = pc.field("call_id").isin(["37", "74", "00"])
    assert tables.from_parquet(CALLS, data, wanted)["call_id"].to_pylist() == ["00", "37", "74"]
    assert decoded == [0]


@pytest.mark.parametrize(
    ("where", "expected"),
    [(None, ["a", "b"]), (pc.field("result") == "Missed", ["a"]), (pc.field("result") == "no such", [])],
)
def test_a_read_of_some_columns_has_just_these(
    storage: Storage, where: pc.Expression | None, expected: list[str]
) -> None:
    upsert(storage, CALLS, call("a", result="Missed"), call("b", result="Accepted"))
    found = tables.read(storage, CALLS, [DAY, DAY + timedelta(days=1)], where, columns=["start_time", "call_id"])
    assert found.column_names == ["start_time", "call_id"]
    assert tables.read(storage, CALLS, [], where, columns=["call_id"]).column_names == ["call_id"]
    assert found["call_id"].to_pylist() == expected


def test_a_column_that_an_older_file_lacks_may_be_asked_for(storage: Storage) -> None:
    old = tables.to_arrow(CALLS, [call("a")]).drop_columns(["cost_included"])
    storage.put("tables/calls/date=2026-11-20/calls.parquet", tables.to_parquet(old))
    cost = pc.field("cost_included")
    assert tables.read(storage, CALLS, [DAY], cost.is_null(), ["cost_included"]).to_pylist() == [
        {"cost_included": None}
    ]
    assert tables.read(storage, CALLS, [DAY], cost > 1).num_rows == 0


def test_calls_of_before_there_were_several_providers_are_ringcentrals(storage: Storage) -> None:
    before = tables.to_arrow(CALLS, [call("old")]).drop_columns(["provider"])
    storage.put("tables/calls/date=2026-11-20/calls.parquet", tables.to_parquet(before))
    assert [row["provider"] for row in rows_of(storage, CALLS)] == ["ringcentral"]
    upsert(storage, CALLS, call("new", provider="sinch", start_time=NOON + timedelta(hours=1)))
    rows = tables.read(storage, CALLS, [DAY], pc.field("call_id") == "old", ["provider", "call_id"]).to_pylist()
    assert rows == [{"provider": "ringcentral", "call_id": "old"}]
    assert [row["provider"] for row in rows_of(storage, CALLS)] == ["ringcentral", "sinch"]
