"""The inbox: what providers tell by themselves, kept before they are answered, until somebody has made something of it.

A provider tells of an event once. So whoever receives it writes it here first; whoever makes something of it does so
under the inbox's lease, keeps the result, and only then acknowledges. A process that is killed in between leaves the
events in the inbox, and the next one comes by them again: what is made of an event must bear being made twice.

Events that arrive together are one object, as an object of its own for each would take a request to S3, or a wait for
the disk, each.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from voxlake.lake import layout
from voxlake.lake.lease import lease
from voxlake.lake.storage import ObjectMissingError, Storage

# Long enough to look into what went wrong over a weekend.
_KEPT = timedelta(days=7)
# A drain that takes longer was killed.
_DRAIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Event:
    """One event of a provider.

    Attributes:
        body: As received.
        received_at: When, with its zone.
        source: Which way it came, such as the id of a subscription; no secret.
    """

    body: bytes = field(repr=False)
    received_at: datetime
    source: str


@dataclass(frozen=True)
class Delivery:
    """The events of one write.

    Attributes:
        path: The object in the inbox.
        events: In the order they came.
    """

    path: str
    events: tuple[Event, ...]


def append(storage: Storage, provider: str, events: Sequence[Event]) -> str:
    """Writes events that came together; they are on the disk, or in S3, when this returns.

    Args:
        storage: The lake.
        provider: Whose inbox.
        events: At least one, in the order they came.

    Returns:
        The path of the new object.
    """
    lines = [
        json.dumps(
            {
                "received_at": event.received_at.astimezone(UTC).isoformat(),
                "source": event.source,
                # Text, to be read by people; bytes that are none survive as halves of surrogate pairs.
                "body": event.body.decode(errors="surrogateescape"),
            }
        )
        for event in events
    ]
    # With chance in its name, as several processes write.
    path = layout.delivery(provider, datetime.now(UTC), uuid.uuid4().hex)
    storage.put(path, "\n".join(lines).encode() + b"\n")
    return path


@contextmanager
def draining(storage: Storage, provider: str, holder: str) -> Iterator[Iterator[Delivery]]:
    """Takes out what has not been acknowledged, oldest first; nobody else does so while the block runs.

    Args:
        storage: The lake.
        provider: Whose inbox.
        holder: Who takes it out, in words; the same one may begin again at once after it was killed.

    Yields:
        The deliveries that were there when the block began, each read when its turn comes.

    Raises:
        LeaseHeldError: Another holder is at it.
    """
    with lease(storage, layout.inbox_lease(provider), holder, _DRAIN):
        yield _deliveries(storage, list(storage.list(layout.inbox_folder(provider))))


def acknowledge(storage: Storage, delivery: Delivery) -> None:
    """Takes a delivery out of the inbox for good; done twice it is done once. It is kept for some days beside it."""
    folder, _, name = delivery.path.rpartition("/")
    provider = folder.split("/")[1]
    try:
        data = storage.read(delivery.path).data
    except ObjectMissingError:
        return
    storage.put(f"{layout.acknowledged_folder(provider)}/{name}", data)
    storage.delete(delivery.path)


def sweep_acknowledged(storage: Storage, now: datetime) -> int:
    """Removes what was acknowledged a week ago, of all providers; how many deliveries that were."""
    old = [path for path in storage.list(layout.INBOX, before=now - _KEPT) if layout.is_acknowledged(path)]
    for path in old:
        storage.delete(path)
    return len(old)


def _deliveries(storage: Storage, paths: Sequence[str]) -> Iterator[Delivery]:
    for path in paths:
        yield Delivery(path, tuple(_event(line) for line in storage.read(path).data.splitlines()))


def _event(line: bytes) -> Event:
    value = json.loads(line)
    return Event(
        value["body"].encode(errors="surrogateescape"), datetime.fromisoformat(value["received_at"]), value["source"]
    )
