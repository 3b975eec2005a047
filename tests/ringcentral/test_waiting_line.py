"""Who goes first, whatever the order in which they come."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxlake.ringcentral import waiting_line
from voxlake.ringcentral.waiting_line import Line, Rank, Waiter

NOW = 1_000_000_000.0

ranks = st.builds(Rank, media=st.booleans(), backfill=st.booleans(), started=st.sampled_from([0.0, 1.0, 2.0]))
waiters = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(
        Waiter,
        rank=ranks,
        since=st.sampled_from([NOW - 2, NOW - 1]),
        here_until=st.sampled_from([0.0, NOW + 3]),
        expected=st.sampled_from([NOW - 100, NOW + 1, NOW + 60]),
    ),
)


def places(line: Line, *, present: bool) -> dict[str, int]:
    """How many are before each."""
    return {name: waiting_line.ahead(line, name, one.rank, NOW, present=present) for name, one in line.items()}


@given(waiters)
def test_everyone_has_a_place_of_its_own_by_rank_then_by_arrival(line: dict[str, Waiter]) -> None:
    by_place = sorted(line, key=places(line, present=False).__getitem__)

    assert sorted(places(line, present=False).values()) == list(range(len(line)))
    keys = [(line[name].rank, line[name].since, name) for name in by_place]
    assert keys == sorted(keys)


@given(waiters)
def test_among_those_who_are_here_one_is_first(line: dict[str, Waiter]) -> None:
    here = {name for name, waiter in line.items() if waiter.here_until > NOW}

    first = [name for name, place in places(line, present=True).items() if name in here and place == 0]

    assert len(first) == min(1, len(here))


@given(waiters, ranks)
def test_a_newcomer_is_behind_its_equals(line: dict[str, Waiter], rank: Rank) -> None:
    before = waiting_line.ahead(line, "newcomer", rank, NOW, present=False)

    assert before == sum(waiter.rank <= rank for waiter in line.values())


@given(waiters, ranks)
def test_who_comes_back_keeps_its_place(line: dict[str, Waiter], rank: Rank) -> None:
    left = waiting_line.away(line, "me", rank, NOW, back_at=NOW + 60)
    later = waiting_line.away(left, "newcomer", rank, NOW + 30, back_at=NOW + 60)

    back = waiting_line.waiting(later, "me", rank, NOW + 60, look_again=NOW + 61)

    newcomer = waiting_line.ahead(back, "newcomer", rank, NOW + 60, present=False)
    assert waiting_line.ahead(back, "me", rank, NOW + 60, present=False) < newcomer


@pytest.mark.parametrize(
    ("sooner", "later"),
    [
        (Rank(), Rank(media=True)),
        (Rank(backfill=True), Rank(media=True)),
        (Rank(), Rank(backfill=True)),
        (Rank(media=True, started=9.0), Rank(media=True, backfill=True, started=1.0)),
        (Rank(media=True, started=1.0), Rank(media=True, started=2.0)),
        (Rank(), Rank(media=True, routine=False)),
        (Rank(media=True, routine=False, started=9.0), Rank(media=True, started=1.0)),
    ],
)
def test_the_call_log_is_first_then_what_is_new_then_what_is_deleted_first(sooner: Rank, later: Rank) -> None:
    assert sooner < later


def test_who_is_away_stands_in_nobodys_way_but_counts_for_when_to_come_back() -> None:
    line = waiting_line.away({}, "away", Rank(), NOW, back_at=NOW + 60)

    assert waiting_line.ahead(line, "me", Rank(media=True), NOW, present=True) == 0
    assert waiting_line.ahead(line, "me", Rank(media=True), NOW, present=False) == 1


def test_who_does_not_look_again_is_no_longer_here_and_later_forgotten() -> None:
    line = waiting_line.waiting({}, "killed", Rank(), NOW, look_again=NOW + 1)

    assert waiting_line.ahead(line, "me", Rank(media=True), NOW + 2.9, present=True) == 1
    assert waiting_line.ahead(line, "me", Rank(media=True), NOW + 3.1, present=True) == 0
    assert waiting_line.at(line, NOW + 300) == line
    assert waiting_line.at(line, NOW + 301) == {}


def test_who_got_a_place_is_gone() -> None:
    line = waiting_line.waiting({}, "me", Rank(), NOW, look_again=NOW + 1)
    both = waiting_line.waiting(line, "other", Rank(), NOW, look_again=NOW + 1)

    assert waiting_line.gone(both, "me") == {"other": replace(line["me"])}
    assert waiting_line.gone(both, "nobody") == both
