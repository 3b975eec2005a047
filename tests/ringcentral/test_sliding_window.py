"""The promise of the arithmetic: whatever the delays, RingCentral never counts more than the limit in one window."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voxlake.ringcentral import sliding_window
from voxlake.ringcentral.sliding_window import QuotaHeaders, SlidingWindow

REPLY_WITHIN = 70.0


@dataclass(frozen=True)
class Journey:
    """How a request travels: seconds to its arrival, then to its reply, which a killed process never sees."""

    wish_after: float
    there: float
    back: float
    killed: bool


journeys = st.lists(
    st.builds(
        Journey,
        wish_after=st.floats(0, 5) | st.floats(0, 100),
        there=st.floats(0, 50),
        back=st.floats(0, 20),
        killed=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=60,
)


def arrivals(window: SlidingWindow, requests: Sequence[Journey]) -> list[float]:
    """Sends the requests one after another as early as the window admits; returns when each arrives."""
    now = 1_000_000_000.0
    arrived: list[float] = []
    replies: list[tuple[float, str]] = []
    for number, journey in enumerate(requests):
        now += journey.wish_after
        while True:
            while replies and replies[0][0] <= now:
                replied_at, request = heapq.heappop(replies)
                window = sliding_window.at(window, replied_at, REPLY_WITHIN)
                window = sliding_window.replied(window, request, replied_at)
            window = sliding_window.at(window, now, REPLY_WITHIN)
            wait = sliding_window.wait_before(window, now)
            if wait == 0:
                break
            # Whatever comes first: the foreseen end of the wait, or a reply that changes it.
            now = min(now + wait, replies[0][0]) if replies else now + wait
        window = sliding_window.sent(window, str(number), now)
        arrived.append(now + journey.there)
        if not journey.killed:
            heapq.heappush(replies, (now + journey.there + journey.back, str(number)))
    return sorted(arrived)


@given(requests=journeys, limit=st.integers(1, 12), seconds=st.sampled_from([1.0, 60.0, 7.3]))
def test_no_window_of_the_server_holds_more_than_the_limit(requests: list[Journey], limit: int, seconds: float) -> None:
    arrived = arrivals(SlidingWindow(limit, seconds, learned=True), requests)

    assert len(arrived) == len(requests)
    for earlier, later in zip(arrived, arrived[limit:], strict=False):
        # A microsecond is what a float keeps of times since 1970.
        assert later - earlier >= seconds - 1e-6


@given(requests=journeys)
def test_before_the_limit_is_known_one_request_is_under_way_at_a_time(requests: list[Journey]) -> None:
    alive = [replace(journey, killed=False) for journey in requests[:10]]

    arrived = arrivals(sliding_window.first_guess("heavy"), alive)

    for earlier, later, journey in zip(arrived, arrived[1:], alive[1:], strict=False):
        assert later - earlier >= journey.there - 1e-6


@given(limit=st.integers(1, 50), seconds=st.floats(0.5, 120), sent=st.integers(1, 50))
def test_the_whole_limit_can_be_used_at_once_and_again_after_a_window(limit: int, seconds: float, sent: int) -> None:
    now = 1_000_000_000.0
    window = SlidingWindow(limit, seconds, learned=True)
    for number in range(min(sent, limit)):
        assert sliding_window.wait_before(window, now) == 0
        window = sliding_window.replied(sliding_window.sent(window, str(number), now), str(number), now)

    wait = sliding_window.wait_before(window, now)
    later = sliding_window.at(window, now + 1.002 * seconds, REPLY_WITHIN)

    assert wait == 0 if sent < limit else wait == pytest.approx(seconds, rel=0.0011)
    assert later.used == 0


@given(
    limit=st.integers(1, 12), ahead=st.integers(0, 60), seconds=st.sampled_from([1.0, 60.0]), used=st.integers(0, 12)
)
def test_the_turn_of_one_in_line_is_foreseen(limit: int, ahead: int, seconds: float, used: int) -> None:
    now = 1_000_000_000.0
    window = SlidingWindow(limit, seconds, learned=True)
    for number in range(min(used, limit)):
        window = sliding_window.replied(window, str(number), now)
    foreseen = sliding_window.wait_before(window, now, ahead)

    time = now
    for number in range(ahead + 1):
        window = sliding_window.at(window, time, REPLY_WITHIN)
        time += sliding_window.wait_before(window, time)
        window = sliding_window.at(window, time, REPLY_WITHIN)
        window = sliding_window.replied(sliding_window.sent(window, f"next {number}", time), f"next {number}", time)

    assert time - now == pytest.approx(foreseen, rel=0.0021, abs=1e-3)


@given(
    limit=st.integers(1, 50),
    own=st.integers(0, 50),
    remaining=st.integers(0, 50),
)
def test_remaining_is_honoured_when_others_use_the_credential(limit: int, own: int, remaining: int) -> None:
    now = 1_000_000_000.0
    own, remaining = min(own, limit), min(remaining, limit)
    window = SlidingWindow(limit, 60.0, learned=True)
    for number in range(own):
        window = sliding_window.replied(window, str(number), now)

    window = sliding_window.learned(window, QuotaHeaders("heavy", limit, remaining, 60.0), now)

    assert limit - window.used == min(remaining, limit - own)


@example(back=3600.0)
@given(back=st.floats(0, 1e6))
def test_a_clock_set_back_delays_by_one_window_at_most(back: float) -> None:
    now = 1_000_000_000.0
    window = SlidingWindow(2, 60.0, learned=True)
    for request in ("a", "b"):
        window = sliding_window.replied(sliding_window.sent(window, request, now), request, now)

    window = sliding_window.at(window, now - back, REPLY_WITHIN)

    assert 0 < sliding_window.wait_before(window, now - back) <= 60.07


def test_a_killed_process_gives_its_place_back_when_its_request_has_surely_left_the_window() -> None:
    window = sliding_window.sent(SlidingWindow(1, 60.0, learned=True), "killed", 1000.0)

    assert sliding_window.at(window, 1129.0, REPLY_WITHIN).used == 1
    assert sliding_window.at(window, 1130.1, REPLY_WITHIN).used == 0


def test_a_penalty_outlasts_free_places_and_is_never_shortened() -> None:
    window = sliding_window.blocked(SlidingWindow(10, 60.0, learned=True), 1100.0)

    shorter = sliding_window.blocked(window, 1050.0)

    assert sliding_window.wait_before(shorter, 1000.0) == 100.0
    assert sliding_window.wait_before(shorter, 1100.0) == 0.0


def test_a_high_limit_keeps_the_state_small() -> None:
    window = SlidingWindow(1_000_000, 1.0, learned=True)
    now = 1_000_000_000.0
    for number in range(4000):
        window = sliding_window.replied(window, str(number), now + number / 4000)

    assert len(window.counted) <= 1001
    assert sliding_window.at(window, now + 1, REPLY_WITHIN).used == pytest.approx(4000, abs=8)


@pytest.mark.parametrize(
    ("group", "limit"), [("light", 50), ("medium", 40), ("heavy", 10), ("auth", 5), ("unheard of", 10)]
)
def test_the_first_guess_is_ringcentrals_default(group: str, limit: int) -> None:
    guess = sliding_window.first_guess(group)

    assert (guess.limit, guess.window, guess.learned) == (limit, 60.0, False)
