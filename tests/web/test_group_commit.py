from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from voxlake.web.group_commit import GroupCommit


def test_what_comes_during_a_write_goes_into_the_next() -> None:
    groups: list[list[int]] = []
    first_begun, may_end = threading.Event(), threading.Event()

    def write(items: Sequence[int]) -> None:
        groups.append(list(items))
        first_begun.set()
        may_end.wait()

    async def run() -> None:
        commit = GroupCommit(write)
        first = asyncio.create_task(commit.add(0))
        await asyncio.to_thread(first_begun.wait)
        others = [asyncio.create_task(commit.add(number)) for number in range(1, 6)]
        await asyncio.sleep(0)
        assert not first.done()
        may_end.set()
        await asyncio.gather(first, *others)

    asyncio.run(run())
    assert groups == [[0], [1, 2, 3, 4, 5]]


def test_who_waits_hears_of_a_failed_write_and_the_next_group_is_written() -> None:
    written: list[int] = []

    def write(items: Sequence[int]) -> None:
        if 1 in items:
            raise OSError("disk full")
        written.extend(items)

    async def run() -> None:
        commit = GroupCommit(write, most=1)
        results = await asyncio.gather(*(commit.add(number) for number in range(3)), return_exceptions=True)
        assert [str(result) for result in results] == ["None", "disk full", "None"]
        await commit.add(3)

    asyncio.run(run())
    assert written == [0, 2, 3]


def test_one_who_has_gone_does_not_hold_up_the_others() -> None:
    may_write = threading.Event()

    async def run() -> None:
        commit: GroupCommit[int] = GroupCommit(lambda _: may_write.wait())
        impatient = asyncio.create_task(commit.add(0))
        patient = asyncio.create_task(commit.add(1))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
        may_write.set()
        await patient
        with pytest.raises(asyncio.CancelledError):
            await impatient

    asyncio.run(run())
