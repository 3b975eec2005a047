"""How long one changed call-log record takes to get into a day of 100,000: Voxlake beside pandas and DuckDB.

Each program gets the same Parquet file of the day and the same changed rows (a record; or the legs of one) and must
leave a file of the day with one row a key. Voxlake does it by compare-and-swap, in a folder and in S3 (moto's server on
this machine, over HTTP); pandas and DuckDB write beside the file and rename, in a folder alone.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from moto.server import ThreadedMotoServer

from voxlake.lake import layout, tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.s3 import S3Storage
from voxlake.lake.schemas import CALLS, LEGS, Table
from voxlake.lake.storage import Storage
from voxlake.lake.versions import merge_versions

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
DAY = MIDNIGHT.date()
READ_AT = MIDNIGHT + timedelta(days=1)
LEGS_A_CALL = 3
PEOPLE = 400

_RESULTS = ("Accepted", "Call connected", "Missed", "Voicemail", "Hang Up", "Busy")
_REASONS = ("The call connected to and was accepted by this number.", "The call was not answered.")
_PLACES = ("San Francisco, CA", "Austin, TX", "Belmont, CA", "New York, NY")


def calls_of_a_day(count: int) -> pa.Table:
    """A day's `calls`, most columns filled, in the lake's order."""
    random = np.random.default_rng(3)
    started = np.sort(random.choice(24 * 3600 * 1000, count, replace=False))
    numbers = np.arange(count)
    columns = _shared(random, numbers, started) | {
        "session_id": _texts("40{:010d}", numbers * 7919 % 10**9),
        "cost_included": random.integers(0, 3, count) / 100,
        "cost_purchased": np.zeros(count),
        "extra": _texts('{{"message":{{"id":"{}","type":"VoiceMail"}}}}', numbers),
    }
    return _in_order(CALLS, columns)


def legs_of_a_day(count: int) -> pa.Table:
    """The `legs` of the same calls, three each."""
    random = np.random.default_rng(3)
    started = np.repeat(np.sort(random.choice(24 * 3600 * 1000, count, replace=False)), LEGS_A_CALL)
    index = np.tile(np.arange(LEGS_A_CALL), count)
    columns = _shared(random, np.repeat(np.arange(count), LEGS_A_CALL), started + index * 900) | {
        "leg_index": index,
        "master": index == 0,
        "leg_type": np.array(["PstnToSip", "FindMe", "Accept"], dtype=object)[index],
        "call_start_time": _times(started),
        "extra": _texts('{{"sipUuidInfo":"{:032x}"}}', started * 104729),
    }
    return _in_order(LEGS, columns)


def changed(table: Table, day: pa.Table, number: int) -> pa.Table:
    """The rows of the record that stands in the middle of the day, as a later read has them."""
    call_id = day["call_id"][day.num_rows // 2]
    rows = day.filter(pc.equal(day["call_id"], call_id)).to_pylist()
    later = READ_AT + timedelta(minutes=1 + number)
    changes = {"result": f"changed {number}", "last_modified_time": later, "extracted_at": later}
    return tables.to_arrow(table, [row | changes for row in rows])


def upsert_with_pandas(file: Path, table: Table, rows: pd.DataFrame) -> None:
    """What a notebook does: read all, append, keep the last of each key, write all."""
    day = pd.concat([pd.read_parquet(file), rows]).drop_duplicates(list(table.key), keep="last")
    scratch = file.with_suffix(".new")
    day.to_parquet(scratch, index=False)
    scratch.replace(file)


def upsert_with_duckdb(connection: duckdb.DuckDBPyConnection, file: Path, table: Table, rows: pa.Table) -> None:
    """The same in SQL: the day without the keys that are there anew, and the new rows."""
    scratch = file.with_suffix(".new")
    key = ", ".join(table.key)
    connection.register("incoming", rows)
    connection.execute(
        f"copy (from read_parquet('{file}') anti join incoming using ({key}) union all by name from incoming) "
        f"to '{scratch}' (format parquet)"
    )
    scratch.replace(file)


def main() -> None:
    """Prints one line a table and program: median milliseconds, and how many times Voxlake's folder that is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000, help="records in the day (default 100000)")
    parser.add_argument("--runs", type=int, default=9, help="upserts measured of each (default 9)")
    options = parser.parse_args()
    print(f"upsert of one changed record into a day of {options.calls:,}; median of {options.runs} runs")
    with tempfile.TemporaryDirectory(prefix="voxlake-bench-") as folder, _s3() as s3:
        for table, day in ((CALLS, calls_of_a_day(options.calls)), (LEGS, legs_of_a_day(options.calls))):
            _measure(table, day, Path(folder) / table.name, s3, options.runs)


def _measure(table: Table, day: pa.Table, folder: Path, s3: Storage, runs: int) -> None:
    local = LocalStorage(folder / "lake")
    for lake in (local, s3):
        tables.upsert(lake, table, day)
    file = folder / "lake" / layout.table_file(table.name, DAY)
    others = {name: folder / f"{name}.parquet" for name in ("pandas", "duckdb")}
    for copy in others.values():
        copy.write_bytes(file.read_bytes())
    connection = duckdb.connect()
    programs: Mapping[str, Callable[[pa.Table], object]] = {
        "voxlake, folder": lambda rows: tables.upsert(local, table, rows),
        "voxlake, S3": lambda rows: tables.upsert(s3, table, rows),
        "pandas": lambda rows: upsert_with_pandas(others["pandas"], table, rows.to_pandas()),
        "duckdb": lambda rows: upsert_with_duckdb(connection, others["duckdb"], table, rows),
    }
    spent: dict[str, list[float]] = {name: [] for name in programs}
    # In turns, so that what else the machine does meets all of them; the first turn warms up.
    for number in range(runs + 1):
        rows = changed(table, day, number)
        for name, program in programs.items():
            began = time.perf_counter()
            program(rows)
            spent[name].append((time.perf_counter() - began) * 1000)
    expected = merge_versions(table, pa.concat_tables([day, rows]))
    for lake in (local, s3):
        if not tables.read(lake, table, [DAY]).equals(expected):
            raise SystemExit(f"{table.name} in {lake.url} is not what merging all versions gives")
    for name, copy in others.items():
        if pq.read_metadata(copy).num_rows != expected.num_rows:
            raise SystemExit(f"{table.name} by {name} has another number of rows")
    print(f"\n{table.name}: {expected.num_rows:,} rows, {file.stat().st_size / 1e6:.1f} MB")
    medians = {name: statistics.median(times[1:]) for name, times in spent.items()}
    for name, median in medians.items():
        ratio = median / medians["voxlake, folder"]
        least, most = min(spent[name][1:]), max(spent[name][1:])
        print(f"  {name:<16} {median:8.0f} ms   ({least:.0f} to {most:.0f})   {ratio:5.1f} x")


def _shared(random: np.random.Generator, numbers: Any, started: Any) -> dict[str, Any]:
    count = len(numbers)
    caller, called = random.integers(0, PEOPLE, count), random.integers(0, PEOPLE, count)
    recorded = numbers % 4 == 0
    ended = started + 1000 + random.integers(30_000, 900_000, count)
    # Ids do not rise with time: a file cannot be searched by their smallest and largest.
    scattered = numbers.astype("uint64") * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(16)
    columns: dict[str, Any] = {
        "account_id": _texts("{}", np.full(count, 37439510)),
        "call_id": _texts("AZ{:012x}Ui", scattered),
        "telephony_session_id": _texts("s-a0{:012x}z18f0a1b2c3dz{:08x}0000", scattered, numbers),
        "party_id": _texts("p-a0{:012x}z18f0a1b2c3dz{:08x}0000-2", scattered, numbers),
        "extension_id": _texts("{}", 62264425008 + caller),
        "type": _texts("Voice", numbers),
        "direction": _one_of(random, ("Inbound", "Outbound"), count),
        "transport": _one_of(random, ("PSTN", "VoIP"), count),
        "action": _one_of(random, ("Phone Call", "VoIP Call", "Transfer"), count),
        "result": _one_of(random, _RESULTS, count),
        "reason": _one_of(random, ("Accepted", "Connected", "No Answer"), count),
        "reason_description": _one_of(
            random, ("The call connected to and was accepted by this number.", "No answer."), count
        ),
        "internal_type": _one_of(random, ("LongDistance", "Local", "TollFreeNumber"), count),
        "start_time": _times(started),
        "duration_ms": ended - started,
        "recording_id": pa.array(_texts("16622{:08d}", numbers), mask=~recorded),
        "recording_seen_at": pa.array(np.full(count, READ_AT.timestamp() * 1000, dtype="int64"), mask=~recorded).cast(
            CALLS.schema.field("recording_seen_at").type
        ),
        # A record and all its legs are changed as one.
        "last_modified_time": _times(3_600_000 + numbers * 600),
        "extracted_at": _times(np.full(count, 24 * 3600 * 1000)),
    }
    for side, who in (("from", caller), ("to", called)):
        columns |= {
            f"{side}_phone_number": _texts("+1650{:07d}", random.integers(10**6, 10**7, count)),
            f"{side}_name": _texts("Person Number {}", who),
            f"{side}_extension_number": _texts("{}", 1000 + who),
            f"{side}_extension_id": _texts("{}", 62264425008 + who),
            f"{side}_location": _one_of(random, _PLACES, count),
            f"{side}_device_id": _texts("{}", 802636000 + who),
        }
    return columns


def _in_order(table: Table, columns: Mapping[str, Any]) -> pa.Table:
    count = len(columns["call_id"])
    arrays = [
        pa.array(columns[f.name]).cast(f.type) if f.name in columns else pa.nulls(count, f.type) for f in table.schema
    ]
    by_time = [(table.day_column, "ascending"), *((name, "ascending") for name in table.key)]
    return pa.Table.from_arrays(arrays, schema=table.schema).sort_by(by_time)


def _texts(template: str, *values: Any) -> Any:
    return np.array(
        [template.format(*items) for items in zip(*(v.tolist() for v in values), strict=True)], dtype=object
    )


def _one_of(random: np.random.Generator, choices: tuple[str, ...], count: int) -> Any:
    return np.array(choices, dtype=object)[random.integers(0, len(choices), count)]


def _times(milliseconds: Any) -> pa.Array:
    return pa.array(milliseconds + int(MIDNIGHT.timestamp() * 1000), pa.int64()).cast(pa.timestamp("ms", tz="UTC"))


@contextmanager
def _s3() -> Iterator[Storage]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",  # noqa: S106 - a server of ours
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="bench")
    try:
        yield S3Storage(client, "bench")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
