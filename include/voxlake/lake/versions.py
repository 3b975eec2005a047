"""Many versions of rows in, the newest of each out: the arithmetic of the upsert, on whole columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from voxlake.lake.schemas import STATUS_RANK, Table, Versions

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def merge_versions(table: Table, rows: pa.Table) -> pa.Table:
    """One row a key, sorted by time and key.

    The result does not depend on the order of the rows, on how often a version is repeated, or on which of them were
    merged before: `merge(a + merge(b + c))` is `merge(a + b + c)`.

    Args:
        table: Whose keys and `versions` hold.
        rows: Rows of the table's schema.
    """
    newest, *others = table.versions
    groups = _group(table, newest, rows)
    winners = groups.order[groups.firsts]
    # Of a set that became smaller, what is not in its newest version goes.
    stays = _in_newest_set(table, newest, rows)[winners] if table.set_key else np.ones(len(winners), dtype=bool)
    columns = {name: rows[name].take(pa.array(winners[stays])) for name in rows.column_names}
    for versions in others:
        alike = _without_unlike(rows, groups, versions)
        found = _group(table, versions, alike)
        # Both groupings are in the order of the key, so their rows lie side by side.
        chosen = pa.array(found.order[found.firsts][stays])
        columns |= {name: alike[name].take(chosen) for name in versions.columns}
    merged = pa.Table.from_arrays([columns[name] for name in table.schema.names], schema=table.schema)
    by_time = [(table.day_column, "ascending"), *((name, "ascending") for name in table.key)]
    return merged.take(pc.sort_indices(merged, sort_keys=by_time)).combine_chunks()


@dataclass(frozen=True)
class _Groups:
    """Rows by key, newest first: `order` holds row numbers, `number` each one's group, `firsts` where groups begin."""

    order: Indices
    number: Indices
    firsts: Indices


def _group(table: Table, versions: Versions, rows: pa.Table) -> _Groups:
    groups, tied = _sort(rows, table.key, versions.newest_first, ())
    if tied:
        content = versions.columns or _columns_not_named(table)
        groups, _ = _sort(rows, table.key, versions.newest_first, content)
    return groups


def _sort(
    rows: pa.Table, key: Sequence[str], newest_first: Sequence[str], content: Sequence[str]
) -> tuple[_Groups, bool]:
    """Rows by key, newest first, and whether two of one key are equally new."""
    ranked = [_ranked(rows, name) for name in newest_first]
    ranked += [(_as_text(rows[name]), "descending") for name in content if name not in key]
    sortable = [*((rows[name], "ascending") for name in key), *ranked]
    names = [str(number) for number in range(len(sortable))]
    order = pc.sort_indices(
        pa.Table.from_arrays([column for column, _ in sortable], names=names),
        sort_keys=list(zip(names, (direction for _, direction in sortable), strict=True)),
    )
    same_key = _same_as_before((rows[name] for name in key), order)
    tied = same_key & _same_as_before((column for column, _ in ranked), order)
    begins = ~same_key
    groups = _Groups(order.to_numpy(), np.cumsum(begins) - 1, np.flatnonzero(begins))
    return groups, bool(tied.any())


def _ranked(rows: pa.Table, name: str) -> tuple[Any, str]:
    if name.startswith("-"):
        return rows[name[1:]], "ascending"
    column = rows[name]
    if name == "status" and set(column.unique().to_pylist()) <= {None, *STATUS_RANK}:
        return pc.index_in(column, value_set=pa.array(STATUS_RANK)), "descending"
    if pa.types.is_list(column.type):
        return pc.list_value_length(column), "descending"
    return column, "descending"


def _as_text(column: Any) -> Any:
    # Arrow does not sort lists; the tables that have some are small, and seldom tied.
    if pa.types.is_list(column.type):
        return pa.array([None if value is None else repr(value) for value in column.to_pylist()], pa.string())
    return column


def _same_as_before(columns: Iterable[Any], order: Any) -> Flags:
    """Whether each row has the values of the row before it, in an order; two nulls are the same."""
    same = np.ones(len(order), dtype=bool)
    same[:1] = False
    for column in columns:
        in_order = column.take(order)
        same[1:] &= _same(in_order[1:], in_order[:-1])
    return same


def _same(left: Any, right: Any) -> Flags:
    equal = pc.fill_null(pc.equal(left, right), False)
    same: Flags = pc.or_(equal, pc.and_(pc.is_null(left), pc.is_null(right))).to_numpy(zero_copy_only=False)
    return same


def _in_newest_set(table: Table, newest: Versions, rows: pa.Table) -> Flags:
    """Whether each row belongs to the newest version of its set."""
    sets, _ = _sort(rows, table.set_key, newest.newest_first, ())
    newest_of_set = pa.array(sets.order[sets.firsts][sets.number])
    order = pa.array(sets.order)
    belongs = np.ones(rows.num_rows, dtype=bool)
    for name in newest.newest_first:
        belongs[sets.order] &= _same(rows[name].take(order), rows[name].take(newest_of_set))
    return belongs


def _without_unlike(rows: pa.Table, groups: _Groups, versions: Versions) -> pa.Table:
    """The rows, with the columns of `versions` null where a row is not alike the newest of its key."""
    if not versions.alike:
        return rows
    newest_of_key = pa.array(groups.order[groups.firsts][groups.number])
    order = pa.array(groups.order)
    alike = np.ones(rows.num_rows, dtype=bool)
    for name in versions.alike:
        alike[groups.order] &= _same(rows[name].take(order), rows[name].take(newest_of_key))
    for name in versions.columns:
        position = rows.column_names.index(name)
        known = pc.if_else(pa.array(alike), rows[name], pa.scalar(None, rows[name].type))
        rows = rows.set_column(position, rows.schema.field(name), known)
    return rows


def _columns_not_named(table: Table) -> list[str]:
    named = {name for versions in table.versions for name in versions.columns}
    return [name for name in table.schema.names if name not in named]
