"""Many versions of rows in, the newest of each out: the arithmetic of the upsert, on whole columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from voxlake.lake.schemas import STATUS_RANK, Table

Indices = npt.NDArray[np.int64]


def merge_versions(table: Table, rows: pa.Table) -> pa.Table:
    """One row a key, sorted by time and key.

    The result does not depend on the order of the rows, nor on how often a version is repeated.

    Args:
        table: Whose keys and `versions` hold.
        rows: Rows of the table's schema.
    """
    if table.set_key:
        rows = _keep_newest_sets(table, rows)
    newest: dict[str, Any] = {}
    for versions in table.versions:
        groups = _group(rows, table.key, versions.newest_first)
        for name in versions.columns or _columns_not_named(table):
            column = rows[name]
            if name in versions.kept:
                column = _fill_from_older(column, groups)
            newest[name] = column.take(pa.array(groups.order[groups.firsts]))
    merged = pa.Table.from_arrays([newest[name] for name in table.schema.names], schema=table.schema)
    by_time = [(table.day_column, "ascending"), *((name, "ascending") for name in table.key)]
    return merged.take(pc.sort_indices(merged, sort_keys=by_time)).combine_chunks()


@dataclass(frozen=True)
class _Groups:
    """Rows by key, newest first: `order` holds row numbers, `number` each one's group, `firsts` where groups begin."""

    order: Indices
    number: Indices
    firsts: Indices


def _group(rows: pa.Table, key: Sequence[str], newest_first: Sequence[str]) -> _Groups:
    sortable = {name: rows[name] for name in key}
    sortable |= {f"newest_{name}": _comparable(rows[name], name) for name in newest_first}
    order = pc.sort_indices(
        pa.table(sortable),
        sort_keys=[
            *((name, "ascending") for name in key),
            *((f"newest_{name}", "descending") for name in newest_first),
        ],
    )
    begins = np.zeros(rows.num_rows, dtype=bool)
    begins[:1] = True
    for name in key:
        column = rows[name].take(order).combine_chunks()
        begins[1:] |= pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
    return _Groups(order.to_numpy(), np.cumsum(begins) - 1, np.flatnonzero(begins))


def _comparable(column: Any, name: str) -> Any:
    if name == "status" and set(column.unique().to_pylist()) <= {None, *STATUS_RANK}:
        return pc.index_in(column, value_set=pa.array(STATUS_RANK))
    if pa.types.is_list(column.type):
        return pc.list_value_length(column)
    return column


def _fill_from_older(column: Any, groups: _Groups) -> Any:
    known = np.flatnonzero(column.is_valid().to_numpy()[groups.order])
    of_group = np.full(len(groups.firsts), -1, dtype=np.int64)
    group_numbers, newest_known = np.unique(groups.number[known], return_index=True)
    of_group[group_numbers] = groups.order[known[newest_known]]
    source = np.empty(len(groups.order), dtype=np.int64)
    source[groups.order] = of_group[groups.number]
    fill = column.take(pa.array(source, mask=source < 0))
    return pc.coalesce(column, fill)


def _keep_newest_sets(table: Table, rows: pa.Table) -> pa.Table:
    (versions,) = table.versions
    for name in versions.kept:
        filled = _fill_from_older(rows[name], _group(rows, table.key, versions.newest_first))
        rows = rows.set_column(rows.column_names.index(name), table.schema.field(name), filled)
    sets = _group(rows, table.set_key, versions.newest_first)
    newest_of_set = pa.array(sets.order[sets.firsts][sets.number])
    keep = np.ones(rows.num_rows, dtype=bool)
    for name in versions.newest_first:
        column = rows[name].take(pa.array(sets.order))
        winner = rows[name].take(newest_of_set)
        same = pc.or_(pc.fill_null(pc.equal(column, winner), False), pc.and_(pc.is_null(column), pc.is_null(winner)))
        keep &= same.to_numpy()
    return rows.take(pa.array(sets.order[keep]))


def _columns_not_named(table: Table) -> list[str]:
    named = {name for versions in table.versions for name in versions.columns}
    return [name for name in table.schema.names if name not in named]
