"""The shared state of the processes of many hosts: keys of Redis."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from voxlake.ringcentral.shared_state import Result, StateUnavailableError

_PREFIX = "voxlake:"

# Longer than any value is good for. What nobody has changed for so long belongs to a credential that is gone.
_KEEP_SECONDS = 8 * 24 * 3600

_TIMEOUT_SECONDS = 10

# The value and Redis's own time: the clocks of the hosts may differ.
_READ = "return {redis.call('GET', KEYS[1]), redis.call('TIME')}"

# Compare and set. ARGV: 1 if there was a value, that value, 1 if there is to be one, that value, seconds to keep it.
_REPLACE = """
local value = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if value ~= ARGV[2] then return 0 end
elseif value then
  return 0
end
if ARGV[3] == '1' then
  redis.call('SET', KEYS[1], ARGV[4], 'EX', ARGV[5])
else
  redis.call('DEL', KEYS[1])
end
return 1
"""


class RedisState:
    """The `SharedState` of a Redis server (6 or newer, or Valkey); with `noeviction`, as a queue's broker has it too.

    Args:
        url: `redis://[[user]:password@]host[:port][/database]`, `rediss://…` or `unix://…`.

    Raises:
        ValueError: It is none of these.
    """

    def __init__(self, url: str) -> None:
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                # A server that restarts or fails over is back within seconds.
                retry=Retry(ExponentialBackoff(cap=2, base=0.1), 5),
                retry_on_error=[redis.ConnectionError, redis.TimeoutError],
            )
        except ValueError as error:
            # Not the URL itself: it may hold a password.
            raise ValueError(f"VOXLAKE_QUOTA_URL is no URL of a Redis server: {error}") from None
        self._read = self._redis.register_script(_READ)
        self._replace = self._redis.register_script(_REPLACE)

    def now(self) -> float:
        """See `SharedState.now`: the server's clock."""
        return self._value_and_time("clock")[1]

    def read(self, key: str) -> bytes | None:
        """See `SharedState.read`."""
        return self._value_and_time(key)[0]

    def update(self, key: str, change: Callable[[bytes | None, float], tuple[bytes | None, Result]]) -> Result:
        """See `SharedState.update`."""
        while True:
            before, now = self._value_and_time(key)
            after, result = change(before, now)
            if after == before:
                return result
            there, to_be = int(before is not None), int(after is not None)
            with self._errors_named():
                if self._replace([_PREFIX + key], [there, before or b"", to_be, after or b"", _KEEP_SECONDS]):
                    return result

    def keys(self, prefix: str) -> list[str]:
        """See `SharedState.keys`."""
        pattern = "".join(f"\\{one}" if one in "*?[]\\" else one for one in _PREFIX + prefix) + "*"
        with self._errors_named():
            return sorted(key.decode().removeprefix(_PREFIX) for key in self._redis.scan_iter(pattern, count=1000))

    def _value_and_time(self, key: str) -> tuple[bytes | None, float]:
        with self._errors_named():
            value, (seconds, microseconds) = self._read([_PREFIX + key])
        return value, int(seconds) + int(microseconds) / 1e6

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            where = self._redis.connection_pool.connection_kwargs
            address = where.get("path") or f"{where.get('host')}:{where.get('port', 6379)}"
            raise StateUnavailableError(
                f"Redis at {address} (VOXLAKE_QUOTA_URL) cannot be used: {type(error).__name__}: {error}. Nothing was "
                "sent; check that it runs and that this host reaches it."
            ) from error
