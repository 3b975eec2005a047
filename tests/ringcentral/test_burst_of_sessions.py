"""Five hundred sessions that end at once, beside an hourly run: who is served, and how fast."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from voxlake.ringcentral.quota import SharedQuota
from voxlake.ringcentral.shared_state import SharedState
from voxlake.ringcentral.sliding_window import QuotaHeaders
from voxlake.ringcentral.waiting_line import Rank

CONTENT = "https://media.ringcentral.com/restapi/v1.0/account/400151109008/recording/1662272004/content"
SESSIONS, HOURLY, PAGES = 500, 4, 4
LIMIT, WINDOW = 100, 1.0


@dataclass(frozen=True)
class Served:
    what: str
    at: float


def test_a_burst_drains_at_the_granted_rate_before_hourly_downloads_and_does_not_starve_the_call_log(
    state: SharedState,
) -> None:
    known = SharedQuota(state, "a")
    known.observe(known.acquire("heavy"), CONTENT, QuotaHeaders("heavy", LIMIT, LIMIT - 1, WINDOW))
    served: list[Served] = []
    burst_begun = threading.Event()

    def ask(what: str, rank: Rank) -> None:
        quota = SharedQuota(state, "a", max_wait=600)
        slot = quota.acquire("heavy", rank)
        served.append(Served(what, time.monotonic()))
        quota.observe(slot, CONTENT, QuotaHeaders("heavy", LIMIT, 0, WINDOW))
        if len(served) > LIMIT:
            burst_begun.set()

    def download_hourly() -> None:
        burst_begun.wait()
        ask("hourly", Rank(media=True, started=1.0))

    def read_call_log() -> None:
        burst_begun.wait()
        for _ in range(PAGES):
            ask("call log", Rank())

    # As many as the pool of the downloads has slots at most.
    with ThreadPoolExecutor(16) as burst, ThreadPoolExecutor(HOURLY + 1) as others:
        began = time.monotonic()
        asked = [burst.submit(ask, "session", Rank(media=True, routine=False, started=2.0)) for _ in range(SESSIONS)]
        asked += [others.submit(download_hourly) for _ in range(HOURLY)]
        asked.append(others.submit(read_call_log))
        for one in asked:
            one.result()

    assert sum(one.what == "session" for one in served) == SESSIONS
    # Never more than the grant in any window, as seen by whoever is served.
    times = sorted(one.at for one in served)
    assert all(late - early > WINDOW * 0.95 for early, late in zip(times, times[LIMIT:], strict=False))
    took = max(one.at for one in served if one.what == "session") - began
    assert took >= (SESSIONS / LIMIT - 1) * WINDOW
    # While sessions wait, no hourly download is served; each page of the call log is the next to go.
    order = [one.what for one in served]
    while_sessions_wait = order[: SESSIONS - 16]
    assert "hourly" not in while_sessions_wait
    assert while_sessions_wait.count("call log") == PAGES
