"""From events to sessions that can be archived: what the inbox holds, and whether the call log has all of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from voxlake.archive import open_sessions
from voxlake.archive.open_sessions import OpenSession, OpenSessions
from voxlake.archive.raw_pages import page_paths, read_body
from voxlake.lake import layout
from voxlake.lake.inbox import acknowledge, draining
from voxlake.lake.storage import ObjectMissingError, Storage, VersionConflictError
from voxlake.ringcentral.notifications import MalformedNotificationError, parse_notification

log = logging.getLogger(__name__)

# What a record says while its call goes on.
_UNFINISHED = "In Progress"


def take_in(storage: Storage, run_id: str) -> OpenSessions:
    """Takes all events out of the inbox; returns what is known with them.

    Args:
        storage: The lake.
        run_id: Who does it.

    Raises:
        LeaseHeldError: Another run is at it.
    """
    with draining(storage, "ringcentral", run_id) as deliveries:
        taken = list(deliveries)
        events = [event for delivery in taken for event in delivery.events]

        def with_events(known: OpenSessions) -> OpenSessions:
            for event in events:
                try:
                    notification = parse_notification(event.body)
                except MalformedNotificationError as error:
                    # The receiver let it pass: an older version of it, perhaps.
                    log.warning("an event of %s is left out: %s", event.received_at, error)
                    continue
                known = open_sessions.heard(known, notification, event.received_at)
            return known

        known = update(storage, with_events)
        for delivery in taken:
            acknowledge(storage, delivery)
    log.info("took in %d events; %d sessions are open", len(events), len(known.sessions))
    return known


@retry(retry=retry_if_exception_type(VersionConflictError), stop=stop_after_attempt(20), reraise=True)
def update(storage: Storage, change: Callable[[OpenSessions], OpenSessions]) -> OpenSessions:
    """Changes what is known of the open sessions, together with whoever else does; returns it."""
    path = layout.open_sessions("ringcentral")
    try:
        stored = storage.read(path)
        known, version = open_sessions.parsed(stored.data), stored.version
    except ObjectMissingError:
        known, version = OpenSessions(), None
    changed = change(known)
    if changed != known:
        storage.compare_and_swap(path, open_sessions.serialized(changed), version)
    return changed


@dataclass
class Listed:
    """What the call log lists of a session.

    Attributes:
        recording_ids: All that its records and their legs claim.
        is_finished: Whether none of its records is of a call that goes on.
    """

    recording_ids: set[str] = field(default_factory=set)
    is_finished: bool = True


def listed_sessions(storage: Storage, raw_folders: Sequence[str]) -> dict[str, Listed]:
    """What raw pages list, by telephonySessionId."""
    found: dict[str, Listed] = {}
    for folder in raw_folders:
        for path in page_paths(storage, folder):
            for record in json.loads(read_body(storage, path))["records"]:
                _add(found, record)
    return found


def _add(found: dict[str, Listed], record: Any) -> None:
    # A record that is none is for `land` to set aside.
    session_id = record.get("telephonySessionId") if isinstance(record, dict) else None
    if not isinstance(session_id, str):
        return
    listed = found.setdefault(session_id, Listed())
    listed.is_finished &= record.get("result") != _UNFINISHED and record.get("finished") is not False
    legs = record.get("legs")
    for part in (record, *(legs if isinstance(legs, list) else ())):
        recording = part.get("recording") if isinstance(part, dict) else None
        if isinstance(recording, dict) and recording.get("id"):
            listed.recording_ids.add(str(recording["id"]))


def complete(sessions: Iterable[OpenSession], listed: dict[str, Listed]) -> list[str]:
    """Those that the call log has finished, with every recording that the events named."""
    return [
        one.told.telephony_session_id
        for one in sessions
        if (found := listed.get(one.told.telephony_session_id)) is not None
        and found.is_finished
        and one.told.recording_ids <= found.recording_ids
    ]


def note_looks(
    storage: Storage, looked_for: Collection[str], found: Collection[str], run_id: str, now: datetime
) -> OpenSessions:
    """Notes which sessions a run archives, and when to look for the others again."""
    missed = set(looked_for) - set(found)
    return update(
        storage,
        lambda known: open_sessions.not_there_yet(open_sessions.handed(known, found, run_id), missed, now),
    )


def tidy(storage: Storage, now: datetime, longest_call: timedelta) -> OpenSessions:
    """Drops what nothing is to be done about any more; says so of what was given up."""

    def tidied(known: OpenSessions) -> OpenSessions:
        for session_id in open_sessions.given_up(known, now):
            log.warning(
                "session %s is over, but not complete in the call log after %s: it is left to the hourly run and to "
                "ringcentral_reconcile",
                session_id,
                open_sessions.GIVE_UP,
            )
        return open_sessions.tidied(known, now, longest_call)

    return update(storage, tidied)


def wait_for_next_look(storage: Storage, run_id: str, now: datetime) -> datetime | None:
    """When this run is to look again; None if nobody waits for a session, or another run looks in time."""
    known = update(storage, lambda known: _waiting(known, run_id, now))
    return known.waits_until if known.waiting_run == run_id else None


def stop_waiting(storage: Storage, run_id: str) -> None:
    """Notes that a run waits no more, so that another takes its place."""
    update(storage, lambda known: OpenSessions(known.sessions) if known.waiting_run == run_id else known)


def _waiting(known: OpenSessions, run_id: str, now: datetime) -> OpenSessions:
    look = open_sessions.next_look(known)
    if look is None:
        return OpenSessions(known.sessions)
    if open_sessions.is_waited_for(known, run_id, now):
        return known
    return OpenSessions(known.sessions, run_id, max(look, now))
