import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from voxlake.ringcentral.errors import RateLimitedError
from voxlake.ringcentral.grants import Grant, read_grants
from voxlake.ringcentral.quota import SharedQuota
from voxlake.ringcentral.shared_state import SharedState
from voxlake.ringcentral.sliding_window import QuotaHeaders
from voxlake.ringcentral.waiting_line import Rank

CALL_LOG = "https://platform.ringcentral.com/restapi/v1.0/account/~/call-log?page=2"
CONTENT = "https://media.ringcentral.com/restapi/v1.0/account/400151109008/recording/1662272004/content"


def heavy(remaining: int, limit: int = 10, window: float = 60.0) -> QuotaHeaders:
    return QuotaHeaders("heavy", limit, remaining, window)


def test_the_guess_is_heavy_and_the_reply_corrects_it_for_the_whole_endpoint(state: SharedState) -> None:
    quota, other_process = SharedQuota(state, "a"), SharedQuota(state, "a", max_wait=0)
    assert (quota.group_of(CONTENT), quota.group_of("/restapi/oauth/token")) == ("heavy", "auth")

    quota.observe(quota.acquire("heavy"), CONTENT, QuotaHeaders("light", 50, 49, 60.0))

    assert other_process.group_of(CONTENT.replace("1662272004", "77")) == "light"
    assert other_process.group_of(CALL_LOG) == "heavy"
    slots = [other_process.acquire("light") for _ in range(49)]
    assert len({slot.request for slot in slots}) == 49
    with pytest.raises(RateLimitedError):
        other_process.acquire("light")
    # The place in the guessed group is free again: its one request at a time may go.
    assert other_process.acquire("heavy").group == "heavy"


def test_beyond_the_longest_wait_the_slot_is_given_back_with_the_time(state: SharedState) -> None:
    quota = SharedQuota(state, "a", max_wait=15)
    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=0))
    began = time.monotonic()

    with pytest.raises(RateLimitedError, match=r"Nothing was sent; try again in \d\d s") as raised:
        quota.acquire("heavy")

    assert raised.value.retry_after == pytest.approx(60, abs=5)
    assert time.monotonic() - began < 10


def test_a_short_wait_happens_in_place(state: SharedState) -> None:
    quota = SharedQuota(state, "a", max_wait=5)
    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=0, limit=1, window=0.4))
    began = time.monotonic()

    quota.acquire("heavy")

    assert 0.38 <= time.monotonic() - began < 5


def test_a_penalty_of_a_group_stops_that_group_in_every_process(state: SharedState) -> None:
    quota, other_process = SharedQuota(state, "a"), SharedQuota(state, "a")

    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=0), penalty=60)

    with pytest.raises(RateLimitedError) as raised:
        other_process.acquire("heavy")
    assert raised.value.retry_after == pytest.approx(60, abs=5)
    assert other_process.acquire("auth").group == "auth"


def test_a_grant_that_a_429_states_is_kept(state: SharedState) -> None:
    quota = SharedQuota(state, "a", max_wait=0)
    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=9))

    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=0, limit=4, window=30.0), penalty=0)

    assert [(grant.limit, grant.window) for grant in read_grants(state)] == [(4, 30.0)]
    for _ in range(2):
        quota.acquire("heavy")
    with pytest.raises(RateLimitedError):
        quota.acquire("heavy")


def test_a_penalty_of_before_the_clock_was_set_is_over(state: SharedState) -> None:
    quota = SharedQuota(state, "a", max_wait=0)
    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=9), penalty=3600)
    with pytest.raises(RateLimitedError):
        quota.acquire("heavy")
    long_ago = state.read("quota-a")
    assert long_ago is not None
    content = json.loads(long_ago)
    content["windows"]["heavy"]["blocked_until"] += 10_000
    content["lines"]["heavy"] = {
        "ghost": {
            "rank": {"media": False, "backfill": False, "started": 0.0},
            "since": state.now() + 10_000,
            "here_until": state.now() + 10_002,
            "expected": state.now() + 10_001,
        }
    }
    state.update("quota-a", lambda *_: (json.dumps(content).encode(), None))

    assert quota.acquire("heavy", Rank(media=True)).group == "heavy"


def test_a_credential_that_nobody_uses_any_more_grants_nothing(
    state: SharedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = SharedQuota(state, "a")
    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=9))
    now = state.now
    assert len(read_grants(state)) == 1

    monkeypatch.setattr(state, "now", lambda: now() + 25 * 3600)

    assert read_grants(state) == []


def test_nobody_stays_away_for_longer_than_a_quarter_of_an_hour(state: SharedState) -> None:
    quota = SharedQuota(state, "a", max_wait=0)
    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=0, limit=1))
    waits = []
    for number in range(20):
        with pytest.raises(RateLimitedError) as raised:
            SharedQuota(state, "a", waiter=f"task {number}", max_wait=0).acquire("heavy")
        waits.append(raised.value.retry_after)

    assert waits[13] == pytest.approx(14 * 60, abs=5)
    assert waits[16:] == [900] * 4


def test_a_penalty_of_no_group_stops_everything(state: SharedState) -> None:
    quota, other_process = SharedQuota(state, "a"), SharedQuota(state, "a")

    quota.observe(quota.acquire("heavy"), CALL_LOG, penalty=30)

    for group in ("heavy", "light", "auth"):
        with pytest.raises(RateLimitedError) as raised:
            other_process.acquire(group)
        assert raised.value.retry_after == pytest.approx(30, abs=5)


def test_other_credentials_have_their_own_quota(state: SharedState) -> None:
    quota = SharedQuota(state, "a")
    quota.observe(quota.acquire("heavy"), CALL_LOG, penalty=30)

    assert SharedQuota(state, "b").acquire("heavy").group == "heavy"


def test_threads_never_take_more_than_the_limit_at_once(state: SharedState) -> None:
    quota = SharedQuota(state, "a", max_wait=0)
    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=9))

    def taken(_: int) -> bool:
        try:
            quota.acquire("heavy")
        except RateLimitedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(taken, range(40))) == 9


def test_a_damaged_count_starts_anew_and_says_so(state: SharedState, caplog: pytest.LogCaptureFixture) -> None:
    quota = SharedQuota(state, "a")
    quota.observe(quota.acquire("heavy"), CALL_LOG, penalty=30)
    state.update("quota-a", lambda _, __: (b'{"windows": {"heavy": 3}}', None))

    with caplog.at_level(logging.WARNING):
        assert quota.acquire("heavy").group == "heavy"

    assert "quota-a is unreadable and starts anew" in caplog.text


def test_the_call_log_goes_first_then_what_is_new_then_what_is_deleted_first(state: SharedState) -> None:
    ranks = [
        Rank(media=False, backfill=False),
        Rank(media=False, backfill=True),
        Rank(media=True, backfill=False, started=100.0),
        Rank(media=True, backfill=False, started=200.0),
        Rank(media=True, backfill=True, started=50.0),
    ]
    known = SharedQuota(state, "a")
    known.observe(known.acquire("heavy"), CALL_LOG, heavy(remaining=0, limit=1, window=0.5))
    served: list[int] = []
    waiting = threading.Barrier(len(ranks))

    def ask(number: int) -> None:
        quota = SharedQuota(state, "a", max_wait=20)
        waiting.wait()
        # The last comes first, so that only its rank can put it behind.
        time.sleep(0.03 * (len(ranks) - number))
        slot = quota.acquire("heavy", ranks[number])
        served.append(number)
        quota.observe(slot, CALL_LOG, heavy(remaining=0, limit=1, window=0.5))

    with ThreadPoolExecutor(len(ranks)) as pool:
        list(pool.map(ask, range(len(ranks))))

    assert served == [0, 1, 2, 3, 4]


def test_those_who_come_back_have_their_turns_one_after_another(state: SharedState) -> None:
    known = SharedQuota(state, "a")
    known.observe(known.acquire("heavy"), CALL_LOG, heavy(remaining=0, limit=2, window=60))

    waits = []
    for number in range(6):
        with pytest.raises(RateLimitedError) as raised:
            SharedQuota(state, "a", waiter=f"task {number}", max_wait=1).acquire("heavy", Rank(media=True))
        waits.append(raised.value.retry_after)
    with pytest.raises(RateLimitedError) as raised:
        SharedQuota(state, "a", waiter="the call log", max_wait=1).acquire("heavy")
    with pytest.raises(RateLimitedError) as again:
        SharedQuota(state, "a", waiter="task 1", max_wait=1).acquire("heavy", Rank(media=True))

    assert waits == pytest.approx([60, 60, 120, 120, 180, 180], abs=3)
    assert raised.value.retry_after == pytest.approx(60, abs=3)
    assert again.value.retry_after == pytest.approx(120, abs=3), "the call log has come before it, task 0 too"


def test_nobody_waits_for_one_who_is_away(state: SharedState) -> None:
    known = SharedQuota(state, "a")
    known.observe(known.acquire("heavy"), CALL_LOG, heavy(remaining=0, limit=1, window=0.5))
    with pytest.raises(RateLimitedError):
        SharedQuota(state, "a", waiter="away", max_wait=0).acquire("heavy", Rank(media=True, started=1))
    began = time.monotonic()

    SharedQuota(state, "a", waiter="here", max_wait=5).acquire("heavy", Rank(media=True, started=2))

    assert time.monotonic() - began < 3


def test_what_is_granted_can_be_read_without_the_credential(state: SharedState) -> None:
    quota = SharedQuota(state, "a")
    quota.observe(quota.acquire("heavy"), CONTENT, heavy(remaining=7))
    quota.acquire("heavy")
    quota.took(CONTENT, 2.0)
    quota.took(CONTENT, 4.0)
    SharedQuota(state, "unused").group_of(CONTENT)

    (grant,) = read_grants(state)

    assert grant == Grant("a", "heavy", limit=10, window=60.0, used=4, blocked_for=0.0, seconds=pytest.approx(2.2))
    assert read_grants(state, "a") == [grant]
    assert read_grants(state, "another") == []
