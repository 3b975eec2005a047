"""Sinch's callbacks as they are kept: each as it came, by call, so that rows are made of all, in whatever order."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from voxlake.archive.plan import days_around
from voxlake.lake import layout
from voxlake.lake.inbox import Event
from voxlake.lake.storage import Storage
from voxlake.sinch.events import Callback, CallbackBodyError, Notification, parse_callback

log = logging.getLogger(__name__)

# The kind of what `GET` answers for a call, which is kept among its callbacks.
CALL_RESOURCE = "call"


@dataclass(frozen=True)
class Kept:
    """A callback, or the call resource.

    Attributes:
        kind: `ice`, `ace`, `pie`, `dice`, the type of a notification, or `call`.
        application_key: Whose signature it had.
        received_at: When it first came.
        body: As it came.
    """

    kind: str
    application_key: str
    received_at: datetime
    body: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """Tells bodies apart."""
        return hashlib.sha256(self.body).hexdigest()[:16]


def keep_events(storage: Storage, events: Iterable[Event]) -> dict[str, set[date]]:
    """Keeps events of the inbox; what is no callback is set aside.

    Args:
        storage: The lake.
        events: Their source is the application key that they were signed with.

    Returns:
        The calls that they are about (of a callback without one, the conference), each with the days they came.
    """
    touched: dict[str, set[date]] = {}
    for event in events:
        try:
            callback = parse_callback(event.body)
        except CallbackBodyError as error:
            path = layout.rejected_callback(event.received_at, hashlib.sha256(event.body).hexdigest()[:16])
            storage.put(path, event.body)
            log.warning("a callback was set aside: %s It is kept in %s", error, path)
            continue
        subject = callback.call_id or callback.conference_id or ""
        kept = Kept(kind_of(callback), event.source, event.received_at, event.body)
        keep(storage, subject, kept)
        touched.setdefault(subject, set()).add(event.received_at.astimezone(UTC).date())
    return touched


def keep(storage: Storage, call_id: str, kept: Kept) -> None:
    """Writes one; done twice it is done once."""
    folder = layout.callbacks_folder(kept.received_at.astimezone(UTC).date(), call_id)
    name = (
        layout.format_timestamp(kept.received_at),
        layout.safe_id(kept.kind),
        layout.safe_id(kept.application_key),
        kept.digest,
    )
    storage.put(f"{folder}/{'--'.join(name)}.json", kept.body)


def read_kept(storage: Storage, call_id: str, days: Iterable[date]) -> list[Kept]:
    """What is kept of a call on some UTC days and those around; what came several times is there once.

    Args:
        storage: The lake.
        call_id: The call, or the conference.
        days: No call lasts longer than four hours, and notifications come soon after.
    """
    first: dict[str, Kept] = {}
    for day in sorted(days_around(days)):
        for path in storage.list(layout.callbacks_folder(day, call_id)):
            stamp, kind, application_key, digest = path.rpartition("/")[2].removesuffix(".json").split("--")
            if digest not in first:
                received_at = datetime.strptime(stamp, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
                first[digest] = Kept(kind, application_key, received_at, storage.read(path).data)
    return list(first.values())


def kind_of(callback: Callback) -> str:
    """What a callback is kept as."""
    return callback.type if isinstance(callback, Notification) else callback.event.lower()
