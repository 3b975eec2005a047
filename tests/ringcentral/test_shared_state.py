"""What a shared state promises, of the file of one host and, where there is one, of a Redis server."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from one_process import address_of

from voxlake.ringcentral.shared_state import (
    LockTimeoutError,
    SharedState,
    StateUnavailableError,
    locked,
    open_state,
)


def plus_one(value: bytes | None, _: float) -> tuple[bytes, int]:
    number = int(value or b"0") + 1
    return b"%d" % number, number


def count_up(url: str, folder: Path, times: int) -> None:
    state = open_state(url, folder)
    for _ in range(times):
        state.update("count", plus_one)


def hold_lock(url: str, folder: Path, lease: float) -> None:
    with locked(open_state(url, folder), "lock", lease=lease, timeout=1):
        time.sleep(3600)


def test_a_value_is_there_until_it_is_removed(state: SharedState) -> None:
    assert state.read("a") is None
    assert state.update("a", lambda before, _: (b"\0\xff one", before)) is None
    assert state.read("a") == b"\0\xff one"
    assert state.update("a", lambda before, _: (b"", before)) == b"\0\xff one"
    assert state.read("a") == b""
    assert state.update("a", lambda before, _: (None, before)) == b""
    assert state.read("a") is None


def test_keys_are_found_by_their_beginning(state: SharedState) -> None:
    for key in ("quota-b", "quota-a", "quotb", "Quota-c", "a*c", "abc"):
        state.update(key, lambda *_: (b"1", None))

    assert state.keys("quota-") == ["quota-a", "quota-b"]
    assert state.keys("a*") == ["a*c"]
    assert state.keys("none") == []


def test_a_change_is_told_the_time(state: SharedState) -> None:
    before = state.now()
    at = state.update("a", lambda _, now: (b"1", now))

    assert before <= at <= state.now() < before + 60


def test_processes_change_a_value_one_after_another(state: SharedState) -> None:
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=count_up, args=(*address_of(state), 100)) for _ in range(4)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)

    assert [process.exitcode for process in running] == [0] * 4
    assert state.read("count") == b"400"


def test_a_change_that_fails_leaves_the_value(state: SharedState) -> None:
    state.update("a", lambda *_: (b"1", None))

    with pytest.raises(ZeroDivisionError):
        state.update("a", lambda *_: (b"2", 1 // 0))

    assert state.read("a") == b"1"
    state.update("a", lambda *_: (b"3", None))


def test_a_lock_keeps_others_out_until_it_is_given_back(state: SharedState) -> None:
    with locked(state, "lock", lease=60, timeout=1):
        again = locked(state, "lock", lease=60, timeout=0.2)
        with pytest.raises(LockTimeoutError, match=r"another process has kept lock for 0\.2 s"), again:
            pass
        with locked(state, "another", lease=60, timeout=0):
            pass
    with locked(state, "lock", lease=60, timeout=0):
        pass


def test_the_lock_of_a_killed_process_is_free_after_its_lease(state: SharedState) -> None:
    process = multiprocessing.get_context("spawn").Process(target=hold_lock, args=(*address_of(state), 2.0))
    process.start()
    while state.read("lock") is None:
        assert process.is_alive()
    process.kill()
    process.join()
    began = time.monotonic()

    with locked(state, "lock", lease=60, timeout=30):
        assert 0.5 < time.monotonic() - began < 10


def test_who_outlived_its_lease_does_not_free_the_lock_of_the_next(state: SharedState) -> None:
    late = locked(state, "lock", lease=0, timeout=1)
    late.__enter__()
    with locked(state, "lock", lease=60, timeout=1):
        late.__exit__(None, None, None)

        with pytest.raises(LockTimeoutError), locked(state, "lock", lease=60, timeout=0):
            pass


def test_a_lock_whose_taking_is_not_answered_is_taken_all_the_same(state: SharedState) -> None:
    update = state.update

    class Unanswered:
        """Makes each first change twice, as a client does whose connection breaks before the reply."""

        def update(self, key: str, change: Any) -> Any:
            update(key, change)
            return update(key, change)

    with locked(Unanswered(), "lock", lease=60, timeout=0):  # type: ignore[arg-type] # only this is asked of it
        pass


@pytest.mark.parametrize("until", [b"-5.0 x", b"1000000000000.0 x"])
def test_a_lock_of_before_the_clock_was_set_is_free(state: SharedState, until: bytes) -> None:
    state.update("lock", lambda *_: (until, None))

    with locked(state, "lock", lease=60, timeout=0):
        pass


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"

    open_state("", folder).update("a", lambda *_: (b"1", None))

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == {"state.sqlite": 0o600}


def test_a_damaged_file_is_replaced_by_the_next_try(tmp_path: Path) -> None:
    state = open_state("", tmp_path)
    (tmp_path / "state.sqlite").write_bytes(b"nothing that SQLite knows" * 100)

    with pytest.raises(StateUnavailableError, match=r"state.sqlite was damaged and has been removed"):
        state.read("a")
    state.update("a", lambda *_: (b"1", None))

    assert state.read("a") == b"1"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(StateUnavailableError, match=r"file \(VOXLAKE_STATE_DIR\) cannot be used: "):
        open_state("", tmp_path / "file").read("a")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "127.0.0.1:6379", "redis://:secret@host:port/0", "redis://:secret/x=@host/0"]
)
def test_what_is_no_url_of_redis_is_refused_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="VOXLAKE_QUOTA_URL is no URL of a Redis server") as raised:
        open_state(url, tmp_path)

    assert "secret" not in str(raised.value)


def test_a_redis_server_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    state = open_state("redis://:geheim@127.0.0.1:1/3", tmp_path, patience=0.5)
    began = time.monotonic()

    with pytest.raises(StateUnavailableError, match=r"Redis at 127.0.0.1:1 \(VOXLAKE_QUOTA_URL\)") as raised:
        state.read("a")

    assert time.monotonic() - began < 3
    assert isinstance(raised.value.__cause__, redis.ConnectionError)
    assert "geheim" not in f"{raised.value}{raised.value.__cause__}"
