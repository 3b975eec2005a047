import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voxlake.ringcentral.errors import RateLimitedError
from voxlake.ringcentral.quota import SharedQuota
from voxlake.ringcentral.sliding_window import QuotaHeaders

CALL_LOG = "https://platform.ringcentral.com/restapi/v1.0/account/~/call-log?page=2"
CONTENT = "https://media.ringcentral.com/restapi/v1.0/account/400151109008/recording/1662272004/content"


def heavy(remaining: int, limit: int = 10, window: float = 60.0) -> QuotaHeaders:
    return QuotaHeaders("heavy", limit, remaining, window)


def test_the_guess_is_heavy_and_the_reply_corrects_it_for_the_whole_endpoint(tmp_path: Path) -> None:
    quota, other_process = SharedQuota(tmp_path, "a"), SharedQuota(tmp_path, "a", max_wait=0)
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


def test_beyond_the_longest_wait_the_slot_is_given_back_with_the_time(tmp_path: Path) -> None:
    quota = SharedQuota(tmp_path, "a", max_wait=15)
    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=0))
    began = time.monotonic()

    with pytest.raises(RateLimitedError, match=r"Nothing was sent; try again in \d\d s") as raised:
        quota.acquire("heavy")

    assert raised.value.retry_after == pytest.approx(60, abs=5)
    assert time.monotonic() - began < 10


def test_a_short_wait_happens_in_place(tmp_path: Path) -> None:
    quota = SharedQuota(tmp_path, "a", max_wait=5)
    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=0, limit=1, window=0.4))
    began = time.monotonic()

    quota.acquire("heavy")

    assert 0.38 <= time.monotonic() - began < 5


def test_a_penalty_of_a_group_stops_that_group_in_every_process(tmp_path: Path) -> None:
    quota, other_process = SharedQuota(tmp_path, "a"), SharedQuota(tmp_path, "a")

    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=0), penalty=60)

    with pytest.raises(RateLimitedError) as raised:
        other_process.acquire("heavy")
    assert raised.value.retry_after == pytest.approx(60, abs=5)
    assert other_process.acquire("auth").group == "auth"


def test_a_penalty_of_no_group_stops_everything(tmp_path: Path) -> None:
    quota, other_process = SharedQuota(tmp_path, "a"), SharedQuota(tmp_path, "a")

    quota.observe(quota.acquire("heavy"), CALL_LOG, penalty=30)

    for group in ("heavy", "light", "auth"):
        with pytest.raises(RateLimitedError) as raised:
            other_process.acquire(group)
        assert raised.value.retry_after == pytest.approx(30, abs=5)


def test_other_credentials_have_their_own_quota(tmp_path: Path) -> None:
    quota = SharedQuota(tmp_path, "a")
    quota.observe(quota.acquire("heavy"), CALL_LOG, penalty=30)

    assert SharedQuota(tmp_path, "b").acquire("heavy").group == "heavy"


def test_threads_never_take_more_than_the_limit_at_once(tmp_path: Path) -> None:
    quota = SharedQuota(tmp_path, "a", max_wait=0)
    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=9))

    def taken(_: int) -> bool:
        try:
            quota.acquire("heavy")
        except RateLimitedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(taken, range(40))) == 9


def test_a_damaged_count_starts_anew_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    quota = SharedQuota(tmp_path, "a")
    quota.observe(quota.acquire("heavy"), CALL_LOG, penalty=30)
    (tmp_path / "quota-a.json").write_bytes(b'{"windows": {"heavy": 3}}')

    with caplog.at_level(logging.WARNING):
        assert quota.acquire("heavy").group == "heavy"

    assert "is unreadable and starts anew" in caplog.text


def test_the_state_is_for_its_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "state"
    quota = SharedQuota(directory, "a")

    quota.observe(quota.acquire("heavy"), CALL_LOG, heavy(remaining=9))

    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()} == {
        "quota-a.json": 0o600,
        "quota-a.json.lock": 0o600,
    }
