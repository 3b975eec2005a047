"""What every webhook receiver does: takes a request of bounded size, keeps it before it is answered, counts.

A receiver has no user to ask: whoever can reach the API server can send to it. So each provider's endpoint proves the
sender itself, and what it refuses leaves nothing behind but a number.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import Request

from voxlake.lake import inbox
from voxlake.lake.storage import Storage
from voxlake.web.group_commit import GroupCommit

log = logging.getLogger(__name__)

# A notification has some kilobytes.
MOST_BYTES = 1 << 18

# A session ends with several events, and a run for each would be of no use: none is looked for that soon.
_GATHERED_SECONDS = 2.0

Count = Callable[[str, str], None]


class RefusedError(Exception):
    """A request that is not taken.

    Attributes:
        status: HTTP status of the answer.
        reason: In a word, for the count.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


async def read_body(request: Request) -> bytes:
    """The body of a request, JSON and no longer than a notification ever is.

    Raises:
        RefusedError: It is of another type (415), or too long (413); no more of it is read then.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(415, "content_type")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > MOST_BYTES:
        raise RefusedError(413, "oversized")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise RefusedError(413, "oversized")
    return bytes(body)


class Receiver:
    """Keeps the events of one provider, and tells Airflow of them.

    Args:
        provider: Whose events; names the inbox.
        open_lake: Opens the lake; called when the first event comes.
        tell: Tells Airflow that there are events; runs in a thread, and may fail: a later run finds them in the inbox.
        count: Is given the provider and what became of a request: `accepted`, or the reason of a refusal.
    """

    def __init__(self, provider: str, open_lake: Callable[[], Storage], tell: Callable[[], None], count: Count) -> None:
        self.provider = provider
        self.open_lake = open_lake
        self._tell = tell
        self._count = count
        self._commit: GroupCommit[inbox.Event] = GroupCommit(lambda events: inbox.append(open_lake(), provider, events))
        self._telling: asyncio.Task[None] | None = None
        self._to_tell = False

    async def keep(self, body: bytes, source: str) -> None:
        """Returns when the event is safe in the inbox.

        Args:
            body: As received.
            source: Which way it came, without a secret.

        Raises:
            RefusedError: It could not be written (503); the provider is to count it as not delivered.
        """
        try:
            await self._commit.add(inbox.Event(body, datetime.now(UTC), source))
        except Exception as error:
            log.exception("an event of %s could not be kept, and is refused", self.provider)
            raise RefusedError(503, "not_kept") from error
        self._count(self.provider, "accepted")

    def refused(self, error: RefusedError) -> None:
        """Counts a refusal."""
        log.info("refused a request as %s: %s", self.provider, error.reason)
        self._count(self.provider, error.reason)

    def tell_airflow(self) -> None:
        """Tells Airflow, soon and once for all events until then."""
        self._to_tell = True
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_gathered())

    async def _tell_gathered(self) -> None:
        while self._to_tell:
            await asyncio.sleep(_GATHERED_SECONDS)
            self._to_tell = False
            try:
                await asyncio.to_thread(self._tell)
            except Exception:
                log.exception(
                    "Airflow could not be told of events of %s; its next run by time takes them", self.provider
                )
        self._telling = None
