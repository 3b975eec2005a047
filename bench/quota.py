"""How much of a granted rate is used, and how often it is overstepped: Voxlake beside what one would take instead.

The sandbox grants ten requests in six seconds, RingCentral's own rate with its minute cut to six seconds, and starts a
penalty of six seconds again with every request that comes during it, as RingCentral does. Several processes of each
contender fetch the same recordings, each contender from a sandbox of its own, all contenders at the same time; what
has not come after 150 s counts as missing.

Two tables are of one host. The third is of two hosts that share their count by Redis. They are two groups of processes
on this machine: nothing but Redis is shared between them, and the clock of the second is wrong (time.time and
time.time_ns are replaced in its processes, before anything else is imported). With `same clock` it is right.

`retry after` is a requests session that sleeps what a 429 says and tries again; `dlt` is its helper for requests, which
does so too, five times. `pyrate-limiter` is told the quota before; Voxlake reads it from the first reply. What the
others reach differs from run to run: one request a moment too early starts a penalty in which the next ones fall.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import redis

from bench.contenders import PEERS
from bench.fetchers import Contender, Delivery, deliver, mix_of
from sandbox.ringcentral import QuotaLimit, SandboxConfig

QUOTA = QuotaLimit(limit=10, window=6, penalty=6)
CAP_SECONDS = 150.0
AUDIO_SECONDS = 30
AIM = 0.97
_TOLD = {"limit": QUOTA.limit, "window": QUOTA.window}


def main() -> int:
    """0 if Voxlake got every recording, no 429, and at least 97 % of the grant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=60, help="to be fetched by each (default 60)")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds each answer is late (default 0.05)")
    parser.add_argument("--skew", type=float, default=3.0, help="seconds that the second host's clock is ahead (3)")
    parser.add_argument(
        "--redis",
        default="redis://127.0.0.1:6379/9",
        metavar="URL",
        help="a database of Redis that is empty, and is emptied (default redis://127.0.0.1:6379/9)",
    )
    options = parser.parse_args()
    config = SandboxConfig(
        mix=mix_of(options.recordings, AUDIO_SECONDS), quotas={"heavy": QUOTA}, latency=options.latency
    )
    reached = True
    for processes in (4, 8):
        print(f"\none host, {processes} processes")
        reached &= _measure(_on_one_host(processes), config, options.recordings)
    with redis.Redis.from_url(options.redis) as server:
        if _is_usable(server):
            print(f"\ntwo hosts that share by Redis, 4 processes each, one clock {options.skew:g} s ahead")
            try:
                reached &= _measure(_on_two_hosts(options.redis, options.skew), config, options.recordings)
            finally:
                server.flushdb()
    return 0 if reached else 1


def granted(seconds: float) -> float:
    """Requests that the quota allows in a time: ten at once, and ten more for each six seconds, evenly counted."""
    return QUOTA.limit * (1 + seconds / QUOTA.window)


def _on_one_host(processes: int) -> list[Contender]:
    hosts = (processes,)
    return [
        Contender("voxlake", "fetch_with_voxlake", hosts),
        Contender("pyrate-limiter, SQLite", "fetch_with_pyrate_limiter", hosts, python=PEERS, request=_TOLD),
        Contender("retry after", "fetch_with_retry_after", hosts),
        Contender("dlt", "fetch_with_dlt", hosts, python=PEERS),
    ]


def _on_two_hosts(url: str, skew: float) -> list[Contender]:
    hosts, clocks = (4, 4), (0.0, skew)
    limiter = "fetch_with_pyrate_limiter"
    return [
        Contender("voxlake", "fetch_with_voxlake", hosts, clocks, redis=url),
        Contender("pyrate-limiter", limiter, hosts, clocks, redis=url, python=PEERS, request=_TOLD),
        Contender("pyrate-limiter, same clock", limiter, hosts, (0.0, 0.0), redis=url, python=PEERS, request=_TOLD),
    ]


def _is_usable(server: redis.Redis) -> bool:
    """Whether there is a Redis server, and nothing in its database that is not ours."""
    try:
        keys = server.dbsize()
    except redis.ConnectionError as error:
        print(f"\ntwo hosts: left out, as there is no Redis server ({error}); name one with --redis")
        return False
    if keys:
        raise SystemExit("The database of Redis is not empty, and would be emptied. Name another one with --redis.")
    return True


def _measure(contenders: Sequence[Contender], config: SandboxConfig, recordings: int) -> bool:
    """Prints a line a contender; whether the first of them, Voxlake, reached the aim."""
    deliveries = deliver(contenders, config, recordings, CAP_SECONDS)
    first = deliveries[0]
    print(
        f"{'':28}{'delivered':>12}{'seconds':>9}{'requests':>10}{'429s':>6}{'used of the grant':>19}"
        f"{'rate of the first':>19}"
    )
    for contender, one in zip(contenders, deliveries, strict=True):
        ratio = _rate(first) / _rate(one) if one.delivered else float("inf")
        delivered = f"{one.delivered} of {one.asked}"
        print(
            f"{contender.name:28}{delivered:>12}{one.seconds:9.1f}{one.requests:10,}{one.refused:6,}"
            f"{_used(one):19.1%}{ratio:17.1f} x",
            flush=True,
        )
    return first.delivered == first.asked and not first.refused and _used(first) >= AIM


def _rate(delivery: Delivery) -> float:
    return delivery.delivered / delivery.seconds


def _used(delivery: Delivery) -> float:
    return delivery.served / granted(delivery.seconds)


if __name__ == "__main__":
    sys.exit(main())
