"""Many versions of rows in, the newest of each out: the arithmetic of the upsert, on whole columns."""

from __future__ import annotations

from bisect import bisect_left
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

_MOST_PIECES = 100


def merge_versions(table: Table, rows: pa.Table) -> pa.Table:
    """One row a key, sorted by time and key.

    The result does not depend on the order of the rows, on how often a version is repeated, or on which of them were
    merged before: `merge(a + merge(b + c))` is `merge(a + b + c)`. Two things are asked of the versions for that: those
    of a `set_key` come whole, and values that must be `alike` do not return to a row that had others since.

    Args:
        table: Whose keys and `versions` hold.
        rows: Rows of the table's schema.
    """
    newest, *others = table.versions
    groups = _group(table, newest, rows)
    winners = groups.order[groups.firsts]
    # Of a set that became smaller, what is not in its newest version goes.
    stays = _in_newest_set(table, newest, rows)[winners] if table.set_key else np.ones(len(winners), dtype=bool)
    by_time = (table.day_column, *table.key)
    order = pc.sort_indices(
        pa.table({name: rows[name].take(pa.array(winners[stays])) for name in by_time}),
        sort_keys=[(name, "ascending") for name in by_time],
    ).to_numpy()
    chosen = pa.array(winners[stays][order])
    sources = {name: (rows[name], chosen) for name in rows.column_names}
    for versions in others:
        alike = _without_unlike(rows, groups, versions)
        found = _group(table, versions, alike)
        # Both groupings are in the order of the key, so their rows lie side by side.
        chosen = pa.array(found.order[found.firsts][stays][order])
        sources |= {name: (alike[name], chosen) for name in versions.columns}
    # Each column is copied once, when it is known which rows it comes from and in which order.
    columns = [sources[name][0].take(sources[name][1]).combine_chunks() for name in table.schema.names]
    return pa.Table.from_arrays(columns, schema=table.schema)


def merge_into(table: Table, stored: pa.Table, rows: pa.Table) -> pa.Table:
    """`merge_versions` of both, where `stored` is such a result: only rows of a key or a set in `rows` merge anew.

    Returns:
        `stored` itself if `rows` say nothing new.
    """
    met = matching(stored, rows, table.set_key or table.key)
    known = stored.take(pa.array(met))
    merged = merge_versions(table, pa.concat_tables([known, rows]))
    if merged.equals(known):
        return stored
    rest = np.delete(np.arange(stored.num_rows), met)
    order = np.insert(rest, _places(table, stored, rest, merged), stored.num_rows + np.arange(merged.num_rows))
    both = pa.concat_tables([stored, merged])
    # Rows that stay side by side are not copied, but for each such run the columns get a piece more.
    runs = np.split(order, np.flatnonzero(np.diff(order) != 1) + 1)
    if len(runs) > _MOST_PIECES:
        return both.take(pa.array(order))
    return pa.concat_tables([both.slice(run[0], len(run)) for run in runs])


def matching(rows: pa.Table, others: pa.Table, names: Sequence[str]) -> Indices:
    """The numbers of the rows that are alike one of the others in some columns, none of which is null."""
    candidates: Indices = np.arange(rows.num_rows)
    ours, theirs = np.zeros(rows.num_rows, dtype=np.int64), np.zeros(others.num_rows, dtype=np.int64)
    # The last column of a key tells most apart, so the others are asked of few rows.
    for name in reversed(names):
        values = others[name].unique()
        place = pc.index_in(rows[name].take(pa.array(candidates)), value_set=values)
        among = place.is_valid().to_numpy()
        candidates = candidates[among]
        ours = ours[among] * len(values) + place.drop_null().to_numpy()
        theirs = theirs * len(values) + pc.index_in(others[name], value_set=values).to_numpy()
    return candidates[np.isin(ours, theirs)]


@dataclass(frozen=True)
class _Groups:
    """Rows by key, newest first: `order` holds row numbers, `number` each one's group, `firsts` where groups begin."""

    order: Indices
    number: Indices
    firsts: Indices


def _places(table: Table, stored: pa.Table, rest: Indices, merged: pa.Table) -> Indices:
    """Where among the rows `rest` of `stored` each of the merged ones belongs, by time and key."""
    times = stored[table.day_column].cast(pa.int64()).to_numpy()[rest]
    wanted = merged[table.day_column].cast(pa.int64()).to_numpy()
    places: Indices = np.searchsorted(times, wanted)
    ends = np.searchsorted(times, wanted, side="right")
    for number in np.flatnonzero(places < ends):
        key = tuple(merged[name][int(number)].as_py() for name in table.key)
        places[number] = bisect_left(
            range(len(rest)),
            key,
            lo=places[number],
            hi=ends[number],
            key=lambda place: tuple(stored[name][int(rest[place])].as_py() for name in table.key),
        )
    return places


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
    if name == "status":
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
