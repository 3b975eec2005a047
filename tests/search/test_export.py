from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.search.archive import ANA, CUSTOMER, MIDNIGHT, NOON, NOW, Row, call, empty, find, ids, put_calls
from voxlake.search.export import export_csv, export_parquet
from voxlake.search.index import SearchIndex
from voxlake.search.query import QueryError, parse_query


def as_csv(index: SearchIndex, *, numbers: bool = True, **params: str) -> list[Row]:
    content = b"".join(export_csv(index, parse_query(params, NOW), numbers=numbers))
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def as_parquet(index: SearchIndex, *, numbers: bool = True, **params: str) -> pa.Table:
    return pq.read_table(io.BytesIO(b"".join(export_parquet(index, parse_query(params, NOW), numbers=numbers))))


def put_some(index: SearchIndex) -> None:
    """More than a page, on two days, and one that the searches here do not find."""
    starts = [MIDNIGHT + timedelta(minutes=number - 40) for number in range(80)]
    put_calls(index.storage, *(call(f"s-{number}", start) for number, start in enumerate(starts)))
    put_calls(index.storage, call("other", NOON, result="Missed"))


def test_all_that_a_search_finds_in_its_order(index: SearchIndex) -> None:
    put_some(index)
    expected = [f"s-{number}" for number in range(80)]

    for sort, order, ordered in (
        ("start", "desc", expected[::-1]),
        ("start", "asc", expected),
        ("legs", "asc", expected),
    ):
        params = {"result": "accepted", "sort": sort, "order": order, "page": "2"}
        assert [row["telephony_session_id"] for row in as_csv(index, **params)] == ordered
        assert as_parquet(index, **params)["telephony_session_id"].to_pylist() == ordered


def test_a_row(index: SearchIndex) -> None:
    put_calls(index.storage, call("s-1", from_name='"Zoë", Müller\nGmbH'))

    (row,) = as_csv(index, tz="Europe/Berlin")

    assert row == {
        "provider": "ringcentral",
        "telephony_session_id": "s-1",
        "start_time": "2026-11-20T13:00:00.000+01:00",
        "duration_ms": "60000",
        "direction": "Inbound",
        "result": "Accepted",
        "from_phone_number": CUSTOMER,
        "from_name": '"Zoë", Müller\nGmbH',
        "from_extension_number": "",
        "to_phone_number": ANA,
        "to_name": "Ana Abel",
        "to_extension_number": "101",
        "calls": "1",
        "legs": "0",
        "recordings": "0",
        "status": "",
        "has_audio": "False",
    }
    (typed,) = as_parquet(index, tz="Europe/Berlin").to_pylist()
    assert list(typed) == list(row)
    assert (typed["start_time"], typed["duration_ms"], typed["has_audio"]) == (NOON, 60_000, False)


def test_nothing_found_is_a_header(index: SearchIndex) -> None:
    assert as_csv(index) == []
    assert as_parquet(index).num_rows == 0
    put_some(index)
    assert as_csv(index, number="999999999") == []
    assert as_parquet(index, number="999999999").num_rows == 0


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('=HYPERLINK("http://evil.example","x")', '\'=HYPERLINK("http://evil.example","x")'),
        ("@SUM(1)", "'@SUM(1)"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-1", "'-1"),
        ("\t=1", "'\t=1"),
        ("＝1", "'＝1"),
        ("+49301234567", "+49301234567"),
        ("a=b", "a=b"),
    ],
)
def test_no_cell_is_a_formula(index: SearchIndex, name: str, cell: str) -> None:
    put_calls(index.storage, call("s-1", to_name=name))

    (row,) = as_csv(index)

    assert row["to_name"] == cell
    assert row["from_phone_number"] == CUSTOMER
    # A program that reads Parquet calculates nothing.
    assert as_parquet(index)["to_name"].to_pylist() == [name]


_CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_CELLS)
def test_any_text_comes_out_as_it_is_but_for_the_apostrophe(local_index: SearchIndex, name: str) -> None:
    empty(local_index.storage)
    put_calls(local_index.storage, call("s-1", to_name=name))

    (row,) = as_csv(local_index)

    assert row["to_name"].removeprefix("'") == name.removeprefix("'")
    assert row["to_name"][0] not in "=-@\t\r\n"


def test_numbers_are_masked_for_those_who_may_not_see_them(index: SearchIndex) -> None:
    put_calls(index.storage, call("s-1", from_name=CUSTOMER))

    for row in (*as_csv(index, numbers=False), *as_parquet(index, numbers=False).to_pylist()):
        assert (row["from_phone_number"], row["from_name"]) == ("+4420•••••18", "+4420•••••18")
        assert row["to_phone_number"] == "+1650•••••01"
    assert as_csv(index, numbers=False, number="7946") == []
    for export in (export_csv, export_parquet):
        with pytest.raises(QueryError):
            export(index, parse_query({"sort": "to_number"}, NOW), numbers=False)


def test_an_export_is_what_was_there_when_it_began(local_index: SearchIndex, tmp_path: Path) -> None:
    put_some(local_index)
    pieces = export_csv(local_index, parse_query({}, NOW), numbers=True)
    empty(local_index.storage)
    for file in (tmp_path / "state").rglob("*.parquet"):
        file.unlink()

    assert b"".join(pieces).count(b"\n") == 82
    assert ids(find(local_index)) == []


def test_times_near_a_change_of_the_clocks(index: SearchIndex) -> None:
    put_calls(index.storage, call("s-1", datetime.fromisoformat("2026-10-25T00:30:00+00:00")))
    put_calls(index.storage, call("s-2", datetime.fromisoformat("2026-10-25T01:30:00+00:00")))

    rows = as_csv(index, tz="Europe/Berlin", order="asc")

    assert [row["start_time"] for row in rows] == ["2026-10-25T02:30:00.000+02:00", "2026-10-25T02:30:00.000+01:00"]
