"""One UTC day of a table: its Parquet file, read in part or whole, and replaced by compare-and-swap."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
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
from voxlake.lake.turns import turn
from voxlake.lake.versions import matching, merge_into

log = logging.getLogger(__name__)

# A read of a few rows decodes whole row groups, and each group makes the file larger and slower to write. Of 2,000 to
# 20,000 rows a group, this finds a session in 100,000 calls or 300,000 legs soonest, and 5,000 write 6 % slower.
_ROW_GROUP = 10_000

# Text of which nearly every row has its own is not worth a dictionary: the file is a fifth smaller without.
_APART = frozenset(
    {
        "call_id",
        "session_id",
        "telephony_session_id",
        "party_id",
        "recording_id",
        "conversation_id",
        "uri",
        "content_uri",
        "audio_path",
        "sha256",
        "extra",
    }
)

_until_nobody_interferes = retry(
    retry=retry_if_exception_type(VersionConflictError),
    # With a wait that is drawn at random, each round of contenders for one file lets at least one of them through.
    wait=wait_random_exponential(multiplier=0.02, max=1),
    stop=stop_after_attempt(100),
    before_sleep=before_sleep_log(log, logging.DEBUG),
    reraise=True,
)


def read_day(
    storage: Storage,
    table: Table,
    day: date,
    where: pc.Expression | None = None,
    columns: Sequence[str] | None = None,
) -> tuple[pa.Table | None, str | None]:
    """The rows of a day and the version of its file; None and None where there is no file."""
    try:
        stored = storage.read(layout.table_file(table.name, day))
    except ObjectMissingError:
        return None, None
    return from_parquet(table, stored.data, where, columns), stored.version


def upsert_day(storage: Storage, table: Table, day: date, rows: pa.Table) -> bool:
    """Merges rows into the day they belong to; whether the file had to be written.

    Args:
        storage: The lake.
        table: Which table.
        day: The UTC day of all the rows.
        rows: As `merge_versions` returns them.

    Raises:
        VersionConflictError: Other processes kept replacing the day's file for all our tries.
    """
    return _replace(storage, table, day, lambda stored: rows if stored is None else merge_into(table, stored, rows))


def discard_where(storage: Storage, table: Table, day: date, where: pc.Expression) -> bool:
    """Removes the rows of a day that `where` holds for; whether there was one.

    Raises:
        VersionConflictError: Other processes kept replacing the day's file for all our tries.
    """

    def discard(stored: pa.Table | None) -> pa.Table | None:
        if stored is None:
            return None
        kept = stored.filter(~where)
        return kept if kept.num_rows < stored.num_rows else stored

    return _replace(storage, table, day, discard)


def discard_rows(storage: Storage, table: Table, day: date, rows: pa.Table) -> bool:
    """Removes those of the rows that stand in the day just as they are here; whether there was one.

    A row that another process has changed meanwhile stays.

    Raises:
        VersionConflictError: Other processes kept replacing the day's file for all our tries.
    """
    outdated = {tuple(row[name] for name in table.key): row for row in rows.to_pylist()}

    def discard(stored: pa.Table | None) -> pa.Table | None:
        if stored is None:
            return None
        met = matching(stored, rows, table.key)
        known = zip(met.tolist(), stored.take(pa.array(met)).to_pylist(), strict=True)
        unchanged = [number for number, row in known if outdated[tuple(row[name] for name in table.key)] == row]
        stays = np.ones(stored.num_rows, dtype=bool)
        stays[unchanged] = False
        return stored.filter(pa.array(stays)) if unchanged else stored

    return _replace(storage, table, day, discard)


@_until_nobody_interferes
def _replace(storage: Storage, table: Table, day: date, change: Callable[[pa.Table | None], pa.Table | None]) -> bool:
    """Writes what `change` makes of the day's rows, unless that is what it was given."""
    path = layout.table_file(table.name, day)
    with turn(storage.url, path):
        stored, version = read_day(storage, table, day)
        changed = change(stored)
        if changed is stored:
            return False
        storage.compare_and_swap(path, to_parquet(changed), version)
        return True


def to_parquet(rows: pa.Table) -> bytes:
    """The rows as a Parquet file."""
    file = io.BytesIO()
    repetitive = [field.name for field in rows.schema if pa.types.is_string(field.type) and field.name not in _APART]
    pq.write_table(rows, file, compression="zstd", row_group_size=_ROW_GROUP, use_dictionary=repetitive)
    return file.getvalue()


def from_parquet(
    table: Table, data: bytes, where: pc.Expression | None = None, columns: Sequence[str] | None = None
) -> pa.Table:
    """The rows of a Parquet file of the table, this release's or an earlier one's.

    Args:
        table: Whose file it is.
        data: The file.
        where: Only rows that this holds for. What it asks about is decoded first, the other columns only of row groups
            that have such a row.
        columns: Only these columns, in this order.
    """
    schema = table.schema if columns is None else pa.schema([table.schema.field(name) for name in columns])
    file = pq.ParquetFile(pa.BufferReader(data))
    stored = set(file.schema_arrow.names)
    known = [name for name in schema.names if name in stored]
    if where is None:
        return _conform(table, file.read(columns=known), schema)
    row_groups, hits = _hits(table, data, where)
    return _conform(table, file.read_row_groups(row_groups, columns=known).filter(hits), schema)


def _hits(table: Table, data: bytes, where: pc.Expression) -> tuple[list[int], pa.Array]:
    """The row groups that have a row which `where` holds for, and for each of their rows whether it does."""
    file = ds.ParquetFileFormat().make_fragment(pa.BufferReader(data)).subset(where, schema=table.schema)
    # A scan decodes only the columns that its expressions name, and the answer is such an expression.
    answers = file.to_table(schema=table.schema, columns={"hit": where})["hit"]
    hits = pc.fill_null(answers, False).to_numpy()
    first, row_groups, parts = 0, [], [np.zeros(0, dtype=bool)]
    for group in file.row_groups:
        part = hits[first : first + group.num_rows]
        first += group.num_rows
        if part.any():
            row_groups.append(group.id)
            parts.append(part)
    return row_groups, pa.array(np.concatenate(parts))


def _conform(table: Table, stored: pa.Table, schema: pa.Schema) -> pa.Table:
    # A file of an earlier release may lack a column.
    absent = {column.name: column.absent for column in table.columns}
    columns: Sequence[Any] = [
        stored[field.name].cast(field.type)
        if field.name in stored.column_names
        else _repeated(absent[field.name], field.type, stored.num_rows)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _repeated(value: str | None, kind: pa.DataType, count: int) -> pa.Array:
    return pa.nulls(count, kind) if value is None else pa.repeat(pa.scalar(value, kind), count)
