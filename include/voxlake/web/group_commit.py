"""Group commit: what comes while a write is under way goes into the next one, together.

A write to the disk that survives a power failure takes milliseconds, one to S3 tens of them. One after the other they
would admit some tens of events a second; together they admit as many as come, and nobody waits for more than two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class GroupCommit(Generic[T]):
    """Writes items in groups, for the coroutines of one event loop.

    Args:
        write: Writes a group, in the order they came; runs in a thread, one at a time.
        most: Items of one group.
    """

    def __init__(self, write: Callable[[Sequence[T]], object], most: int = 1000) -> None:
        self._write = write
        self._most = most
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Returns when the item is written.

        Raises:
            Exception: What `write` raised; nothing of its group counts as written.
        """
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((item, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                await asyncio.to_thread(self._write, [item for item, _ in group])
            except Exception as error:  # noqa: BLE001 - handed on to those who wait
                # Each of those who wait hears of it: it is for them to say that their item is not kept.
                _settle(group, error)
            else:
                _settle(group, None)
        self._writer = None


def _settle(group: Sequence[tuple[T, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, written in group:
        if written.done():
            # Who waited for it has gone: its connection was closed.
            continue
        if error is None:
            written.set_result(None)
        else:
            written.set_exception(error)
