"""The tables: rows in and out, upserted a UTC day at a time by compare-and-swap."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tenacity import (
    before_sleep_log,
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from voxlake.lake import layout
from voxlake.lake.schemas import Table
from voxlake.lake.storage import ObjectMissingError, Storage, VersionConflictError
from voxlake.lake.versions import merge_versions

log = logging.getLogger(__name__)


def to_arrow(table: Table, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as the table's Arrow schema has them; a column that a row leaves out is null.

    Raises:
        pyarrow.ArrowInvalid: A value does not fit its column.
    """
    return pa.Table.from_pylist(list(rows), schema=table.schema)


def read(storage: Storage, table: Table, days: Iterable[date], where: pc.Expression | None = None) -> pa.Table:
    """The rows of some UTC days, all or those that `where` holds for; days without a file have none."""
    parts = [part for day in sorted(set(days)) if (part := _read_day(storage, table, day, where)[0]) is not None]
    return pa.concat_tables(parts) if parts else table.schema.empty_table()


def upsert(storage: Storage, table: Table, rows: pa.Table) -> int:
    """Puts rows into their days; of two versions of a row the newer stays, and no row is lost to a parallel upsert.

    Args:
        storage: The lake.
        table: Which table.
        rows: Rows of the table's schema, in any order, with repetitions or not.

    Returns:
        How many day files were written (a day that has all of it already is left alone).

    Raises:
        ValueError: A row has no time in the table's day column.
        VersionConflictError: Other processes kept replacing the day's file for all our tries.
    """
    days = rows[table.day_column].cast(pa.date32())
    if days.null_count:
        raise ValueError(f"table {table.name}: a row without {table.day_column} belongs to no day")
    written = 0
    for day in sorted(days.unique().to_pylist()):
        written += _upsert_day(storage, table, day, rows.filter(pc.equal(days, pa.scalar(day))))
    return written


def discard(storage: Storage, table: Table, days: Iterable[date], where: pc.Expression) -> None:
    """Removes the rows of some UTC days that `where` holds for, such as those of a row that moved to another day.

    Raises:
        VersionConflictError: Other processes kept replacing the day's file for all our tries.
    """
    for day in sorted(set(days)):
        _discard_day(storage, table, day, where)


_until_nobody_interferes = retry(
    retry=retry_if_exception_type(VersionConflictError),
    # With a wait that is drawn at random, each round of contenders for one file lets at least one of them through.
    wait=wait_random_exponential(multiplier=0.02, max=1),
    stop=stop_after_attempt(100),
    before_sleep=before_sleep_log(log, logging.DEBUG),
    reraise=True,
)


@_until_nobody_interferes
def _discard_day(storage: Storage, table: Table, day: date, where: pc.Expression) -> None:
    stored, version = _read_day(storage, table, day)
    if stored is None:
        return
    kept = stored.filter(~where)
    if kept.num_rows < stored.num_rows:
        storage.compare_and_swap(layout.table_file(table.name, day), to_parquet(kept), version)


@_until_nobody_interferes
def _upsert_day(storage: Storage, table: Table, day: date, rows: pa.Table) -> bool:
    stored, version = _read_day(storage, table, day)
    merged = merge_versions(table, rows if stored is None else pa.concat_tables([stored, rows]))
    if stored is not None and merged.equals(stored):
        return False
    storage.compare_and_swap(layout.table_file(table.name, day), to_parquet(merged), version)
    return True


def to_parquet(rows: pa.Table) -> bytes:
    """The rows as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(rows, file, compression="zstd")
    return file.getvalue()


def from_parquet(table: Table, data: bytes, where: pc.Expression | None = None) -> pa.Table:
    """The rows of a Parquet file of the table, this release's or an earlier one's."""
    return _conform(pq.read_table(pa.BufferReader(data), filters=where), table.schema)


def _read_day(
    storage: Storage, table: Table, day: date, where: pc.Expression | None = None
) -> tuple[pa.Table | None, str | None]:
    try:
        stored = storage.read(layout.table_file(table.name, day))
    except ObjectMissingError:
        return None, None
    return from_parquet(table, stored.data, where), stored.version


def _conform(stored: pa.Table, schema: pa.Schema) -> pa.Table:
    # A file of an earlier release may lack a column; its rows have null there.
    columns: Sequence[Any] = [
        stored[field.name].cast(field.type)
        if field.name in stored.column_names
        else pa.nulls(stored.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
