from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from voxlake.lake.lease import LeaseHeldError, lease
from voxlake.lake.storage import Storage

PATH = "leases/ringcentral/recordings/7.json"
MINUTE = timedelta(minutes=1)


def test_one_holder_at_a_time(storage: Storage) -> None:
    before = datetime.now(UTC)
    with lease(storage, PATH, "first", MINUTE):
        with pytest.raises(LeaseHeldError) as held, lease(storage, PATH, "second", MINUTE):
            pytest.fail("the lease was given twice")
        assert held.value.holder == "first"
        assert before + MINUTE <= held.value.expires_at <= datetime.now(UTC) + MINUTE
    with lease(storage, PATH, "second", MINUTE):
        assert storage.version(PATH) is not None
    assert storage.version(PATH) is None


def test_work_that_fails_gives_its_lease_back(storage: Storage) -> None:
    with pytest.raises(OSError, match="no route"), lease(storage, PATH, "first", MINUTE):
        raise OSError("no route to host")
    assert storage.version(PATH) is None


def test_a_lease_that_has_ended_can_be_taken_and_its_late_holder_does_not_give_it_back(storage: Storage) -> None:
    with lease(storage, PATH, "slow", timedelta(0)), lease(storage, PATH, "next", MINUTE):
        taken = storage.version(PATH)
        with pytest.raises(LeaseHeldError), lease(storage, PATH, "slow", MINUTE):
            pytest.fail("the lease was given twice")
        assert storage.version(PATH) == taken


def test_the_same_holder_takes_it_again_after_it_was_killed(storage: Storage) -> None:
    with lease(storage, PATH, "run", MINUTE), lease(storage, PATH, "run", MINUTE):
        again = storage.version(PATH)
        assert again is not None


def test_of_many_that_come_at_once_one_gets_it(storage: Storage) -> None:
    contenders = 8
    start, end = threading.Barrier(contenders), threading.Barrier(contenders)

    def contend(number: int) -> bool:
        start.wait()
        try:
            with lease(storage, PATH, f"run {number}", MINUTE):
                end.wait()
                return True
        except LeaseHeldError:
            end.wait()
            return False

    with ThreadPoolExecutor(contenders) as threads:
        got = list(threads.map(contend, range(contenders)))
    assert got.count(True) == 1
    assert storage.version(PATH) is None
