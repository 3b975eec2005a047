"""A contender of quota.py: pyrate-limiter, told the quota, with a count that processes share: a file, or Redis.

Where it is refused all the same, it sleeps as long as it is told to.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import redis
from pyrate_limiter import AbstractBucket, Limiter, Rate, RedisBucket, SQLiteBucket
from pyrate_limiter.extras.requests_limiter import RateLimitedRequestsSession

from bench.fetch_with_retry_after import patient


def fetcher(request: dict[str, Any]) -> Callable[[str, BinaryIO], object]:
    """What downloads a recording."""
    rates = [Rate(request["limit"], round(request["window"] * 1000))]
    bucket: AbstractBucket
    if request["redis"]:
        bucket = RedisBucket.init(rates, redis.Redis.from_url(request["redis"]), f"pyrate-limiter:{request['host']}")
    else:
        file = Path(request["folder"], "pyrate-limiter.sqlite")
        bucket = SQLiteBucket.init_from_file(rates, db_path=str(file), use_file_lock=True)
    return patient(RateLimitedRequestsSession(Limiter(bucket)), request["token"])
