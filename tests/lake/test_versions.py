"""Any order, any grouping and any repetition of versions gives the same tables."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lake.histories import MIDNIGHT, Row, groups, histories
from voxlake.lake import tables, versions
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, CONVERSATIONS, LEGS, RECORDINGS, SESSIONS, Table
from voxlake.lake.versions import merge_into, merge_versions

WITH_HISTORIES = [CALLS, LEGS, RECORDINGS, SESSIONS, CONVERSATIONS]
DAYS = [(MIDNIGHT + timedelta(days=shift)).date() for shift in range(-2, 3)]

each_table = pytest.mark.parametrize("table", WITH_HISTORIES, ids=lambda table: table.name)


def arrow(table: Table, units: Iterable[Iterable[Row]]) -> pa.Table:
    return tables.to_arrow(table, [row for unit in units for row in unit])


def merge(table: Table, *parts: pa.Table) -> pa.Table:
    return merge_versions(table, pa.concat_tables(parts))


@each_table
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_merging_is_commutative_associative_and_idempotent(table: Table, data: st.DataObject) -> None:
    units = data.draw(histories(table))
    first, second, third = (arrow(table, units[number::3]) for number in range(3))
    merged = merge(table, first, second, third)
    assert merge(table, third, first, second).equals(merged)
    assert merge(table, merge(table, first, second), third).equals(merged)
    assert merge(table, first, merge(table, second, third)).equals(merged)
    assert merge(table, merged).equals(merged)
    assert merge(table, merged, second).equals(merged)


@each_table
@settings(max_examples=100, deadline=None)
@given(data=st.data(), most_pieces=st.sampled_from([0, 100]))
def test_merging_into_what_is_merged_already_is_merging_all(
    table: Table, data: st.DataObject, most_pieces: int
) -> None:
    units = data.draw(histories(table))
    cut = data.draw(st.integers(0, len(units)))
    stored, rows = merge_versions(table, arrow(table, units[:cut])), arrow(table, units[cut:])
    expected = merge(table, stored, rows)
    with mock.patch.object(versions, "_MOST_PIECES", most_pieces):
        merged = merge_into(table, stored, rows)
    assert merged.equals(expected)
    assert (merged is stored) == expected.equals(stored)


@each_table
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_upserts_in_any_order_and_grouping_leave_the_same_day_files(table: Table, data: st.DataObject) -> None:
    units = data.draw(histories(table))
    expected = merge_versions(table, arrow(table, units))
    with tempfile.TemporaryDirectory() as folder:
        lake = LocalStorage(Path(folder))
        for rows in data.draw(groups(units, most=5)):
            tables.upsert(lake, table, tables.to_arrow(table, rows))
        for day in DAYS:
            of_day = pc.equal(expected[table.day_column].cast(pa.date32()), pa.scalar(day))
            assert tables.read(lake, table, [day]).equals(expected.filter(of_day))
        assert tables.read(lake, table, DAYS).num_rows == expected.num_rows
