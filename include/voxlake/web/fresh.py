"""A value that takes a while to read, and may change while the API server runs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from fastapi.concurrency import run_in_threadpool

T = TypeVar("T")

# How old a value may be: where all is well, and where it seems to be out of date.
FRESH_SECONDS = 30.0
LEAST_SECONDS = 1.0


class Fresh(Generic[T]):
    """A value that is read again when it is too old.

    Args:
        read: Reads it; runs in a thread.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._value: T | None = None
        self._read_at = -math.inf
        self._reading = asyncio.Lock()

    async def get(self, seconds: float) -> T:
        """The value, read no more than so many seconds ago."""
        # One reads for all who wait: whoever can reach a receiver can have it look.
        async with self._reading:
            if self._value is None or time.monotonic() - self._read_at > seconds:
                self._value = await run_in_threadpool(self._read)
                self._read_at = time.monotonic()
            return self._value
