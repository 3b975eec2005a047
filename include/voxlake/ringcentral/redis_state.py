"""The shared state of the processes of many hosts: keys of Redis."""

from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from voxlake.ringcentral.shared_state import Result, StateUnavailableError

_PREFIX = "voxlake:"

# Longer than any value is good for. What nobody has changed for so long belongs to a credential that is gone.
_KEEP_SECONDS = 8 * 24 * 3600

_CONNECT_SECONDS = 2.0
_REPLY_SECONDS = 5.0

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
        patience: Seconds to try a server that does not answer.

    Raises:
        ValueError: It is none of these.
    """

    def __init__(self, url: str, patience: float = 30.0) -> None:
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_connect_timeout=min(_CONNECT_SECONDS, patience),
                socket_timeout=min(_REPLY_SECONDS, patience),
                # Its own retries nest: a connection that breaks would be tried again for minutes.
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:
            # Neither the URL nor what is wrong with it: both may show a password.
            raise ValueError(
                "VOXLAKE_QUOTA_URL is no URL of a Redis server: expected redis://[[user]:password@]host[:port]"
                "[/database], with any of / : @ # ? % in user and password percent-encoded."
            ) from None
        self._read = self._redis.register_script(_READ)
        self._replace = self._redis.register_script(_REPLACE)
        # A server that restarts or fails over is back within seconds.
        self._tries = Retrying(
            retry=retry_if_exception_type((redis.ConnectionError, redis.TimeoutError, redis.exceptions.ReadOnlyError)),
            stop=stop_after_delay(patience),
            wait=wait_random_exponential(0.1, 2),
            reraise=True,
        )

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
            arguments = [there, before or b"", to_be, after or b"", _KEEP_SECONDS]
            if self._tried(self._replace, [_PREFIX + key], arguments):
                return result

    def keys(self, prefix: str) -> list[str]:
        """See `SharedState.keys`."""
        pattern = "".join(f"\\{one}" if one in "*?[]\\" else one for one in _PREFIX + prefix) + "*"
        found: list[bytes] = self._tried(lambda: list(self._redis.scan_iter(pattern, count=1000)))
        return sorted(key.decode().removeprefix(_PREFIX) for key in found)

    def _value_and_time(self, key: str) -> tuple[bytes | None, float]:
        value, (seconds, microseconds) = self._tried(self._read, [_PREFIX + key])
        return value, int(seconds) + int(microseconds) / 1e6

    def _tried(self, command: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return self._tries.copy()(command, *arguments)
        except redis.RedisError as error:
            where = self._redis.connection_pool.connection_kwargs
            address = where.get("path") or f"{where.get('host')}:{where.get('port', 6379)}"
            raise StateUnavailableError(
                f"Redis at {address} (VOXLAKE_QUOTA_URL) cannot be used: {type(error).__name__}: {error}. Nothing was "
                "sent; check that it runs and that this host reaches it."
            ) from error
