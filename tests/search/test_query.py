from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.archive import NOW
from voxlake.search.query import (
    DIRECTIONS,
    ORDERS,
    SORTS,
    STATUSES,
    QueryError,
    SearchQuery,
    digits,
    parse_query,
    query_params,
)

_DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
_TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=40)


@st.composite
def queries(draw: st.DrawFn) -> SearchQuery:
    since, until = sorted((draw(_DAYS), draw(_DAYS)))
    return SearchQuery(
        since,
        until,
        tz=draw(st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland", "America/St_Johns"])),
        number=draw(st.sampled_from(["", "+1 (650) 555-0101", "0101"])),
        name=draw(_TEXT.filter(lambda text: sum(character.isdigit() for character in text) < 7)),
        extension=draw(_TEXT),
        direction=draw(st.sampled_from(["", *DIRECTIONS])),
        result=draw(_TEXT),
        recorded=draw(st.sampled_from([None, True, False])),
        status=draw(st.sampled_from(["", *STATUSES])),
        min_seconds=draw(st.integers(0, 600_000)),
        sort=draw(st.sampled_from(SORTS)),
        order=draw(st.sampled_from(ORDERS)),
        page=draw(st.integers(1, 10_000_000)),
    )


@given(queries())
def test_a_link_leads_to_its_search(query: SearchQuery) -> None:
    assert parse_query(query_params(query), NOW) == query


def test_a_link_to_another_page_or_order() -> None:
    query = parse_query({"number": "0101", "page": "3"}, NOW)

    assert query_params(query, page=4)["page"] == "4"
    assert query_params(query, page=1, sort="duration") == {
        "from": "2026-10-24",
        "to": "2026-11-22",
        "number": "0101",
        "sort": "duration",
    }


def test_without_params_it_is_the_last_30_days_of_the_reader() -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)

    assert parse_query({}, late) == SearchQuery(date(2026, 10, 24), date(2026, 11, 22))
    there = parse_query({"tz": "Asia/Tokyo", "to": " ", "name": ""}, late)
    assert (there.since, there.until) == (date(2026, 10, 25), date(2026, 11, 23))
    assert parse_query({"from": "2026-12-24"}, late).until == date(2026, 12, 24)


def test_days_are_those_of_the_zone() -> None:
    query = parse_query({"from": "2026-10-25", "to": "2026-10-25", "tz": "Europe/Berlin"}, NOW)

    # The clocks went back: the day had 25 hours.
    assert query.start == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert query.end == datetime(2026, 10, 25, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("params", "field", "expected"),
    [
        ({"from": "20.11.2026"}, "from", "2026-11-20"),
        ({"from": "2026-02-30"}, "from", "2026-11-20"),
        ({"to": "20261120"}, "to", "2026-11-20"),
        ({"to": "1999-12-31"}, "to", "2000 to 2099"),
        ({"from": "2026-11-21", "to": "2026-11-20"}, "from", "after the last day"),
        ({"tz": "../../etc/passwd"}, "tz", "Europe/Berlin"),
        ({"tz": "/etc/localtime"}, "tz", "Europe/Berlin"),
        ({"tz": "Europe"}, "tz", "Europe/Berlin"),
        ({"tz": "a\x00b"}, "tz", "Europe/Berlin"),
        ({"number": "anonymous"}, "number", "digits"),
        ({"name": "x" * 101}, "name", "100 characters"),
        ({"name": "a\x00b"}, "name", "control"),
        ({"name": "650 555 0101"}, "name", "number"),
        ({"direction": "inbound'--"}, "direction", "Inbound, Outbound"),
        ({"recorded": "true"}, "recorded", "yes, no"),
        ({"status": "well"}, "status", "complete"),
        ({"min_seconds": "-1"}, "min_seconds", "whole number"),
        ({"min_seconds": "1e9"}, "min_seconds", "whole number"),
        ({"min_seconds": "٣"}, "min_seconds", "whole number"),
        ({"sort": "start; drop table calls"}, "sort", "duration"),
        ({"order": "up"}, "order", "desc, asc"),
        ({"page": "0"}, "page", "whole number"),
        ({"page": "9" * 5000}, "page", "whole number"),
    ],
)
def test_a_value_that_is_wrong_is_named(params: dict[str, str], field: str, expected: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_query(params, NOW)

    assert caught.value.field == field
    assert expected in caught.value.remedy
    assert len(caught.value.remedy) < 500
    assert caught.value.remedy.isprintable()


@given(st.dictionaries(st.sampled_from(["from", "to", "tz", "number", "name", "page", "sort", "x"]), st.text()))
def test_whatever_is_given_is_a_search_or_an_error_of_a_field(params: dict[str, str]) -> None:
    try:
        query = parse_query(params, NOW)
    except QueryError as error:
        wrong = error.field
    else:
        assert query.start < query.end
        return
    assert wrong in params


def test_digits_of_any_script_and_formatting() -> None:
    assert digits("+1 (650) 555-0101 ext") == "16505550101"
    assert digits("٦٥٠") == "650"
    assert digits("anonymous") == ""
