from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.search.archive import (
    ANA,
    BEN,
    CUSTOMER,
    MIDNIGHT,
    NOON,
    call,
    find,
    ids,
    leg,
    merged,
    put_calls,
    put_legs,
    put_recordings,
    put_sessions,
    recording,
)
from voxlake.search.find import FoundConversation
from voxlake.search.index import SearchIndex
from voxlake.search.query import PAGE_SIZE, SORTS, QueryError


def test_an_empty_lake_has_nothing(index: SearchIndex) -> None:
    found = find(index, number="650")

    assert (found.conversations, found.total, found.total_ms, found.page, found.pages) == ((), 0, 0, 1, 1)


def test_a_conversation_is_all_that_shares_its_session(index: SearchIndex) -> None:
    first, second = call("s-1"), call("s-1", NOON + timedelta(seconds=30), 1, result="Missed", to_phone_number=BEN)
    put_calls(index.storage, second, first, call("s-2", NOON + timedelta(hours=1)))
    put_legs(index.storage, leg(first), leg(first, 1), leg(second))
    put_recordings(index.storage, recording("s-1", "r1"), recording("s-1", "r2", NOON + timedelta(seconds=30)))
    put_sessions(index.storage, merged("s-1", "r1", "r2"))

    found = find(index)

    assert ids(found) == ["s-2", "s-1"]
    assert (found.total, found.total_ms) == (2, 150_000)
    assert found.conversations[1] == FoundConversation(
        provider="ringcentral",
        telephony_session_id="s-1",
        day=date(2026, 11, 20),
        start_time=NOON,
        duration_ms=90_000,
        direction="Inbound",
        result="Accepted",
        from_phone_number=CUSTOMER,
        from_name="Zoë Müller",
        from_extension_number=None,
        to_phone_number=ANA,
        to_name="Ana Abel",
        to_extension_number="101",
        calls=2,
        legs=3,
        recordings=2,
        status="complete",
        has_audio=True,
    )


def test_what_the_source_has_no_session_for_is_found_by_its_other_ids(index: SearchIndex) -> None:
    put_calls(
        index.storage,
        call("a", telephony_session_id=None, session_id="40012345"),
        call("b", NOON + timedelta(minutes=1), telephony_session_id=None, call_id="AZ1"),
    )
    put_recordings(index.storage, recording("no-call", "r1", NOON + timedelta(minutes=2), status="pending"))

    assert ids(find(index)) == ["no-call", "AZ1", "40012345"]


@pytest.mark.parametrize(
    "number",
    ["+442079460018", "+44 20 7946 0018", "0044 20 7946-0018", "7946 0018", "(0102)", "6505550102", "1650555", "٧٩٤٦"],
)
def test_a_number_in_any_formatting_of_calls_and_legs(index: SearchIndex, number: str) -> None:
    mine = call("s-1")
    put_calls(index.storage, mine, call("s-2", from_phone_number="+4930123456", to_phone_number=None))
    put_legs(index.storage, leg(mine))

    assert ids(find(index, number=number)) == ["s-1"]


def test_digits_of_two_numbers_are_no_number(index: SearchIndex) -> None:
    put_calls(index.storage, call("s-1", from_phone_number="+111222", to_phone_number="+333444"))

    assert find(index, number="222333").total == 0


@pytest.mark.parametrize("name", ["müll", "MULLER", "Zoe  m", "brandt", "Ana Abel"])
def test_a_part_of_a_name_of_any_party(index: SearchIndex, name: str) -> None:
    mine = call("s-1")
    put_calls(index.storage, mine, call("s-2", from_name="%", to_name=None))
    put_legs(index.storage, leg(mine))

    assert ids(find(index, name=name)) == ["s-1"]


@pytest.mark.parametrize(
    "text",
    [
        "%",
        "_",
        "*",
        "' or 1=1 --",
        "'); drop table day_calls; --",
        "$files",
        "\\",
        '"',
        "a%b",
        "<script>alert(1)</script>",
    ],
)
def test_hostile_text_is_text(index: SearchIndex, text: str) -> None:
    put_calls(index.storage, call("s-1", from_name=f"x {text} y", result=text), call("s-2"))

    for params in ({"name": text}, {"result": text}, {"extension": text}):
        assert ids(find(index, **params)) == ([] if "extension" in params else ["s-1"])
    letters = "".join(character for character in text if not character.isdigit())
    assert find(index, number=f"{letters} 442").total == 2


def test_the_other_conditions(index: SearchIndex) -> None:
    inner = call("inner", NOON, direction="Outbound", result="Call connected", from_extension_number="7", duration_ms=1)
    put_calls(index.storage, inner, call("s-1", duration_ms=600_000))
    put_legs(index.storage, leg(inner, to_extension_number="B12"))

    assert ids(find(index, direction="Outbound")) == ["inner"]
    assert ids(find(index, result="call CONNECTED")) == ["inner"]
    assert ids(find(index, result="call")) == []
    assert ids(find(index, extension="101", min_seconds="600")) == ["s-1"]
    assert find(index, min_seconds="601").total == 0
    assert ids(find(index, extension="b12")) == ids(find(index, extension="7")) == ["inner"]
    assert find(index, extension="10").total == find(index, extension="1").total == 0


def test_recorded_or_not_and_what_became_of_it(index: SearchIndex) -> None:
    sessions = ["complete", "partial", "grown", "pending", "held", "failed", "unavailable", "none"]
    put_calls(index.storage, *(call(one, NOON + timedelta(minutes=n)) for n, one in enumerate(sessions)))
    put_recordings(
        index.storage,
        *(recording(one, f"r-{one}") for one in ("complete", "partial", "grown", "held")),
        recording("grown", "r-new", status="pending"),
        recording("pending", "r1", status="pending"),
        recording("failed", "r2", status="failed"),
        recording("failed", "r3", status="pending"),
        recording("unavailable", "r4", status="unavailable", unavailable_reason="expired"),
    )
    put_sessions(
        index.storage,
        merged("complete", "r-complete"),
        merged("partial", "r-partial", status="partial"),
        merged("grown", "r-grown"),
    )

    by_status = {status: set(ids(find(index, status=status))) for status in ("complete", "partial", "pending")}
    assert by_status == {"complete": {"complete"}, "partial": {"partial", "grown"}, "pending": {"pending", "held"}}
    assert ids(find(index, status="failed")) == ["failed"]
    assert ids(find(index, status="unavailable")) == ["unavailable"]
    assert ids(find(index, recorded="no")) == ["none"]
    assert find(index, recorded="yes").total == 7
    audio = {one.telephony_session_id for one in find(index).conversations if one.has_audio}
    assert audio == {"complete", "partial", "grown"}


def test_a_conversation_over_midnight_is_of_the_day_that_it_began(index: SearchIndex) -> None:
    before = MIDNIGHT - timedelta(minutes=1)
    late = call("s-1", MIDNIGHT + timedelta(minutes=1), 1, from_phone_number="+33142685300")
    put_calls(index.storage, call("s-1", before), late)
    put_legs(index.storage, leg(late, to_name="Night Shift"))
    put_recordings(index.storage, recording("s-1", "r1", MIDNIGHT + timedelta(minutes=1)))
    put_sessions(index.storage, merged("s-1", "r1", start=MIDNIGHT + timedelta(minutes=1)))

    (found,) = find(index, since="2026-11-20", to="2026-11-20", number="33142685300", name="night").conversations
    assert (found.start_time, found.duration_ms, found.calls, found.legs) == (before, 180_000, 2, 1)
    assert (found.recordings, found.status, found.day) == (1, "complete", date(2026, 11, 20))
    assert find(index, since="2026-11-21", to="2026-11-21").total == 0
    # The day is the reader's own, and this one's began an hour before UTC's.
    assert find(index, since="2026-11-21", to="2026-11-21", tz="Europe/Berlin").total == 1
    assert find(index, since="2026-11-20", to="2026-11-20", tz="Europe/Berlin").total == 0


def test_a_row_that_was_left_on_both_sides_of_midnight_counts_once(index: SearchIndex) -> None:
    # As a process leaves it that is killed between the two writes of a move.
    for start in (MIDNIGHT - timedelta(seconds=1), MIDNIGHT + timedelta(hours=3)):
        record = call("s-1", start)
        put_calls(index.storage, record)
        put_legs(index.storage, leg(record))

    (found,) = find(index).conversations
    assert (found.calls, found.legs, found.day) == (1, 1, date(2026, 11, 20))


def test_pages_are_whole_and_in_order(index: SearchIndex) -> None:
    starts = [NOON + timedelta(minutes=7 * number) for number in range(3 * PAGE_SIZE + 10)]
    put_calls(index.storage, *(call(f"s-{number:03}", start) for number, start in enumerate(starts)))
    expected = [f"s-{number:03}" for number in range(len(starts))]

    pages = [find(index, page=str(number), to="2026-11-30") for number in (1, 2, 3, 4)]
    assert [len(page.conversations) for page in pages] == [50, 50, 50, 10]
    assert [one for page in pages for one in ids(page)] == expected[::-1]
    assert {(page.total, page.pages) for page in pages} == {(160, 4)}
    beyond = find(index, page="9999999", order="asc", to="2026-11-30")
    assert (beyond.page, ids(beyond)) == (4, expected[-10:])


_VALUES = st.sampled_from([None, "a", "B", "é"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 5), _VALUES, st.sampled_from([0, 1000])), min_size=52, max_size=130), st.data()
)
def test_every_sort_shows_each_conversation_once(
    local_index: SearchIndex, rows: list[tuple[int, str | None, int]], data: st.DataObject
) -> None:
    for path in list(local_index.storage.list("tables")):
        local_index.storage.delete(path)
    put_calls(
        local_index.storage,
        *(
            call(
                f"s-{number}",
                NOON + timedelta(hours=7 * hours),
                from_name=text,
                result=text,
                from_extension_number=text,
                duration_ms=duration,
            )
            for number, (hours, text, duration) in enumerate(rows)
        ),
    )
    sort, order = data.draw(st.sampled_from(SORTS)), data.draw(st.sampled_from(["asc", "desc"]))

    pages = [
        find(local_index, sort=sort, order=order, page=str(page), to="2026-11-30")
        for page in range(1, 2 + (len(rows) - 1) // PAGE_SIZE)
    ]

    shown = [one for page in pages for one in page.conversations]
    assert sorted(one.telephony_session_id for one in shown) == sorted(f"s-{n}" for n in range(len(rows)))
    if sort in ("start", "duration", "from_extension", "result"):
        column = {"start": "start_time", "duration": "duration_ms", "from_extension": "from_extension_number"}
        values = [getattr(one, column.get(sort, sort)) for one in shown]
        given_values = [value for value in values if value is not None]
        assert given_values == sorted(given_values, reverse=order == "desc")
        assert values[: len(given_values)] == given_values


class TestWithoutTheRightToNumbers:
    def test_they_are_masked(self, index: SearchIndex) -> None:
        put_calls(index.storage, call("s-1", from_name=CUSTOMER, to_name="Ana 6505550101"))

        (found,) = find(index, numbers=False).conversations

        assert (found.from_phone_number, found.from_name) == ("+4420•••••18", "+4420•••••18")
        assert (found.to_phone_number, found.to_name) == ("+1650•••••01", "Ana 6505•••••01")

    def test_a_number_is_found_when_it_is_given_whole(self, index: SearchIndex) -> None:
        mine = call("s-1", from_name="+33 1 42 68 53 00")
        put_calls(index.storage, mine)
        put_legs(index.storage, leg(mine))

        for whole in ("+442079460018", "0044 20 7946 0018", "1 650 555 0102", "33142685300"):
            assert find(index, numbers=False, number=whole).total == 1
        for part in ("2079460018", "44207946001", "0018", "6505550102", "3314268530"):
            assert find(index, numbers=False, number=part).total == 0
            assert find(index, numbers=True, number=part).total == 1

    def test_no_name_gives_a_number_away(self, index: SearchIndex) -> None:
        put_calls(index.storage, call("s-1", from_name="+33 142685300", to_name="Desk 4155550199"))

        for part in ("33", "142685", "555", "desk 4"):
            assert find(index, numbers=False, name=part).total == 0
        assert find(index, numbers=False, name="desk").total == 1

    def test_no_order_gives_a_number_away(self, index: SearchIndex) -> None:
        put_calls(
            index.storage,
            call("s-1", NOON, from_name="+33199999999"),
            call("s-2", NOON + timedelta(minutes=1), from_name="+33111111111"),
            call("s-3", NOON + timedelta(minutes=2), from_name="+33155555555"),
        )

        # All are alike, so they come by their start.
        assert ids(find(index, numbers=False, sort="from_name", order="asc")) == ["s-1", "s-2", "s-3"]
        for sort in ("from_number", "to_number"):
            with pytest.raises(QueryError) as caught:
                find(index, numbers=False, sort=sort)
            assert caught.value.field == "sort"
            assert find(index, numbers=True, sort=sort).total == 3
