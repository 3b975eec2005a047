"""Five hundred sessions that end at once, beside an hourly run: who is served, and how fast.

In simulated time, at RingCentral's own grant of ten requests a minute. As Airflow has it, some tasks have a slot, the
more important first; one that would wait for long gives it back, and comes back shortly before its turn.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import TypeVar

import pytest

from voxlake.ringcentral import quota
from voxlake.ringcentral.errors import RateLimitedError
from voxlake.ringcentral.quota import SharedQuota
from voxlake.ringcentral.sliding_window import QuotaHeaders
from voxlake.ringcentral.waiting_line import Rank

Result = TypeVar("Result")

CONTENT = "https://media.ringcentral.com/restapi/v1.0/account/400151109008/recording/1662272004/content"
LIMIT, WINDOW = 10, 60.0
GRANTED = QuotaHeaders("heavy", LIMIT, LIMIT - 1, WINDOW)
SESSIONS, HOURLY = 500, 100
# As Voxlake's tasks have it: slots of the pool, seconds in place, seconds before the turn.
SLOTS, IN_PLACE, EARLY = 5, 15.0, 10.0
# The call log is asked for again so long after its last answer.
CALL_LOG_EVERY = 300.0


class SimulatedState:
    """A `SharedState` whose clock is set."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self._values: dict[str, bytes] = {}

    def now(self) -> float:
        return self.time

    def read(self, key: str) -> bytes | None:
        return self._values.get(key)

    def update(self, key: str, change: Callable[[bytes | None, float], tuple[bytes | None, Result]]) -> Result:
        value, result = change(self._values.get(key), self.time)
        self._values[key] = value or b""
        return result

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self._values if key.startswith(prefix))


class WaitsError(Exception):
    """Raised instead of sleeping.

    Attributes:
        seconds: How long.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(order=True)
class Task:
    """A task with one request; the order is that in which Airflow gives its slots."""

    importance: int
    name: str
    rank: Rank
    gives_up_at: float = 0.0


def test_a_burst_drains_at_the_granted_rate_before_hourly_downloads_and_does_not_starve_the_call_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = SimulatedState()
    monkeypatch.setattr(quota, "time", SimpleNamespace(monotonic=state.now, sleep=_wait))
    began = state.time
    hourly = [Task(2, f"hourly {number:03d}", Rank(media=True, started=float(number))) for number in range(HOURLY)]
    burst = [Task(1, f"session {number:03d}", Rank(media=True, routine=False)) for number in range(SESSIONS)]

    served = simulated(state, [*hourly, *burst])

    times = [time for time, _ in served]
    assert all(late - early >= WINDOW for early, late in zip(times, times[LIMIT:], strict=False))
    sessions = [time for time, what in served if what == "session"]
    assert len(sessions) == SESSIONS
    # All that is granted is used: by the sessions, but for the call log and what has no session to wait for.
    last = sessions[-1]
    assert sum(time <= last for time in times) >= 0.95 * LIMIT * (last - began) / WINDOW
    assert sum(what == "hourly" and time <= last for time, what in served) <= 0.02 * SESSIONS
    pages = [time for time, what in served if what == "call"]
    assert max(late - early for early, late in pairwise(pages)) <= CALL_LOG_EVERY + WINDOW


def simulated(state: SimulatedState, tasks: list[Task]) -> list[tuple[float, str]]:
    """When each request was sent, and of what kind it was, until all tasks but the call log's have sent theirs."""
    served: list[tuple[float, str]] = []
    order = itertools.count()
    away = [(state.time, next(order), task) for task in (*tasks, Task(0, "call log", Rank()))]
    heapq.heapify(away)
    queued: list[Task] = []
    looking: list[tuple[float, int, Task]] = []
    while away or queued or looking:
        if sum(what != "call" for _, what in served) == len(tasks):
            break
        while away and away[0][0] <= state.time:
            heapq.heappush(queued, heapq.heappop(away)[2])
        while queued and len(looking) < SLOTS:
            task = heapq.heappop(queued)
            task.gives_up_at = state.time + IN_PLACE
            heapq.heappush(looking, (state.time, next(order), task))
        if not looking or looking[0][0] > state.time:
            state.time = min(event[0] for event in (*looking[:1], *away[:1]))
            continue
        _, _, task = heapq.heappop(looking)
        turn = SharedQuota(state, "a", waiter=task.name, max_wait=task.gives_up_at - state.time)
        try:
            slot = turn.acquire("heavy", task.rank)
        except WaitsError as wait:
            heapq.heappush(looking, (state.time + wait.seconds, next(order), task))
        except RateLimitedError as error:
            heapq.heappush(away, (state.time + max(1.0, error.retry_after - EARLY), next(order), task))
        else:
            turn.observe(slot, CONTENT, GRANTED)
            served.append((state.time, task.name.split()[0]))
            if task.importance == 0:
                heapq.heappush(away, (state.time + CALL_LOG_EVERY, next(order), task))
    return served


def _wait(seconds: float) -> None:
    raise WaitsError(seconds)
