"""The tables: rows in and out, upserted a UTC day at a time by compare-and-swap.

A key is in one day's file only, though two versions of a row may lie on both sides of midnight: `upsert` moves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from voxlake.lake import layout
from voxlake.lake.days import discard_rows, discard_where, from_parquet, read_day, to_parquet, upsert_day
from voxlake.lake.schemas import Table
from voxlake.lake.storage import Storage, VersionConflictError
from voxlake.lake.versions import matching, merge_versions

__all__ = ["discard", "from_parquet", "read", "stored_days", "to_arrow", "to_parquet", "upsert"]

# Each round but the first answers another process that wrote the same rows on the other side of midnight just then.
_ROUNDS = 50


def to_arrow(table: Table, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as the table's Arrow schema has them; a column that a row leaves out is null.

    Raises:
        pyarrow.ArrowInvalid: A value does not fit its column.
    """
    return pa.Table.from_pylist(list(rows), schema=table.schema)


def read(
    storage: Storage,
    table: Table,
    days: Iterable[date],
    where: pc.Expression | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """The rows of some UTC days; days without a file have none.

    A row that an upsert moves to another of these days meanwhile is found, on its old day or on its new one or, for a
    moment, on both.

    Args:
        storage: The lake.
        table: Which table.
        days: Any number of days, in any order; the rows come by day and time.
        where: Only rows that this holds for, such as `pc.field("call_id").isin([…])`; a few of a large day are found
            without decoding the rest.
        columns: Only these columns, in this order.
    """
    wanted = sorted(set(days))
    parts = {day: read_day(storage, table, day, where, columns) for day in wanted}
    if len(wanted) > 1 and table.reach:
        # A row may have gone to a day that had been read from one that had not.
        for day, (_, version) in list(parts.items()):
            if storage.version(layout.table_file(table.name, day)) != version:
                parts[day] = read_day(storage, table, day, where, columns)
    found = [rows for rows, _ in parts.values() if rows is not None]
    if found:
        return pa.concat_tables(found)
    empty = table.schema.empty_table()
    return empty if columns is None else empty.select(columns)


def stored_days(storage: Storage, table: Table) -> list[date]:
    """The UTC days that a table has a file of, in order; an empty one counts too."""
    found = (layout.day_of_table_file(path) for path in storage.list(f"tables/{table.name}"))
    return sorted(day for day in found if day is not None)


def upsert(storage: Storage, table: Table, rows: pa.Table) -> int:
    """Puts rows into their days; of two versions of a row the newer stays, and no row is lost to a parallel upsert.

    Where a version has another UTC day than the one before it, the row moves: it is written to its new day and then
    removed from the old one. So a process that is killed in between leaves the row on both days, until it is upserted
    again, and a reader of both may meet it twice for that moment; nobody ever misses it. The neighbours of a row's day
    are looked at only where it lies within the table's `reach` of midnight.

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
    if rows[table.day_column].null_count:
        raise ValueError(f"table {table.name}: a row without {table.day_column} belongs to no day")
    rows = merge_versions(table, rows)
    written: set[date] = set()
    looked: dict[date, str | None] = {}
    # We look before the first write, so that an upsert that is alone never shows a row twice, and after the last: of
    # two that write both sides of midnight at once, the one that looks last sees both rows.
    for number in range(_ROUNDS):
        elsewhere = _elsewhere(storage, table, rows, looked)
        if number and not elsewhere:
            return len(written)
        known = rows
        if elsewhere:
            strays = pa.concat_tables(elsewhere.values())
            if number:
                known = rows.take(pa.array(matching(rows, strays, table.set_key or table.key)))
            rows = merge_versions(table, pa.concat_tables([known, strays]))
            looked.clear()
        by_day = _by_day(table, rows)
        changed = {day for day, ours in by_day.items() if upsert_day(storage, table, day, ours)}
        outdated = {day: _without(table, strays, by_day.get(day)) for day, strays in elsewhere.items()}
        outdated = {day: strays for day, strays in outdated.items() if strays.num_rows}
        # Whoever changed one of them meanwhile has a version to merge yet: the next round finds it, and what we wrote
        # ourselves before we knew of a newer version.
        discarded = {day for day, strays in outdated.items() if discard_rows(storage, table, day, strays)}
        written |= changed | discarded
        if number and not changed and not outdated and rows.equals(known):
            return len(written)
    raise VersionConflictError(
        f"table {table.name}: other processes kept moving the same rows between the days {sorted(_by_day(table, rows))}"
    )


def discard(storage: Storage, table: Table, days: Iterable[date], where: pc.Expression) -> None:
    """Removes the rows of some UTC days that `where` holds for.

    Raises:
        VersionConflictError: Other processes kept replacing the day's file for all our tries.
    """
    for day in sorted(set(days)):
        discard_where(storage, table, day, where)


def _by_day(table: Table, rows: pa.Table) -> dict[date, pa.Table]:
    return _split(rows, rows[table.day_column].cast(pa.date32()))


def _split(rows: pa.Table, days: pa.ChunkedArray) -> dict[date, pa.Table]:
    found = sorted(days.unique().to_pylist())
    if len(found) == 1:
        return {found[0]: rows}
    return {day: rows.filter(pc.equal(days, pa.scalar(day))) for day in found}


def _elsewhere(storage: Storage, table: Table, rows: pa.Table, looked: dict[date, str | None]) -> dict[date, pa.Table]:
    """Versions of the rows, or of their sets, on the days beside their own.

    Args:
        storage: The lake.
        table: Which table.
        rows: One a key.
        looked: The versions of day files that have no such row, as far as known; what is seen is added.
    """
    names = table.set_key or table.key
    elsewhere = {}
    for day, near in _near(table, rows).items():
        if day in looked and storage.version(layout.table_file(table.name, day)) == looked[day]:
            continue
        times = pc.min_max(near[table.day_column])
        reach = pa.scalar(table.reach, pa.duration("ms"))
        where = pc.field(table.day_column) >= pc.subtract(times["min"], reach)
        where &= pc.field(table.day_column) <= pc.add(times["max"], reach)
        for name in names:
            where &= pc.field(name).isin(near[name].unique())
        stored, looked[day] = read_day(storage, table, day, where)
        if stored is not None and (found := stored.take(pa.array(matching(stored, near, names)))).num_rows:
            elsewhere[day] = found
    return elsewhere


def _near(table: Table, rows: pa.Table) -> dict[date, pa.Table]:
    """The rows that may have a version on another day, by that day: the one before or after, as no reach is longer."""
    if not table.reach:
        return {}
    times = rows[table.day_column]
    own = times.cast(pa.date32())
    near: dict[date, list[pa.Table]] = {}
    for reach in (-table.reach, table.reach):
        other = pc.add(times, pa.scalar(reach, pa.duration("ms"))).cast(pa.date32())
        crossing = pc.not_equal(own, other)
        for day, those in _split(rows.filter(crossing), other.filter(crossing)).items():
            near.setdefault(day, []).append(those)
    return {day: pa.concat_tables(parts) for day, parts in sorted(near.items())}


def _without(table: Table, rows: pa.Table, others: pa.Table | None) -> pa.Table:
    """The rows whose key none of the others has."""
    if others is None:
        return rows
    stays = np.ones(rows.num_rows, dtype=bool)
    stays[matching(rows, others, table.key)] = False
    return rows.filter(pa.array(stays))
