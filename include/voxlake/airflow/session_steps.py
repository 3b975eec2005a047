"""What the tasks of `ringcentral_session_events` run, where they differ from those of `ringcentral_recordings`."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from voxlake.airflow import steps
from voxlake.airflow.lake import open_lake
from voxlake.airflow.retries import connection_errors_in_airflow_terms
from voxlake.archive import open_sessions
from voxlake.archive.early_media import fetch_by_id
from voxlake.archive.extract import extract_call_log, extract_session
from voxlake.archive.land import land_call_log
from voxlake.archive.open_sessions import OpenSession, OpenSessions
from voxlake.archive.run_notes import note_landed
from voxlake.archive.session_events import (
    complete,
    listed_sessions,
    note_looks,
    stop_waiting,
    take_in,
    tidy,
    wait_for_next_look,
)
from voxlake.lake.lease import LeaseHeldError
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.errors import RateLimitedError
from voxlake.settings import get_settings

log = logging.getLogger(__name__)

# A look that would wait for longer gives its slot back.
_LOOK_MAX_WAIT = 15.0

# So many at a time are looked for in one stretch of the call log, which takes a request for each 1,000 calls in it,
# instead of one for each session.
_TOGETHER = 10

# Airflow takes some seconds to start a task again: it comes back before its time, and waits the rest in place.
_EARLY = timedelta(seconds=3)

# A shorter wait is no matter of coming back: Airflow takes a task that it starts again before it has noticed the end of
# its process for one that was lost.
_IN_PLACE = timedelta(seconds=8)

# Two take events in at a time only where one was killed.
_KILLED = timedelta(minutes=1)

Context = Mapping[str, Any]
Batches = list[list[dict[str, Any]]]


def extract(max_batches: int, context: Context) -> Batches:
    """Takes events in, reads and lands the calls of the sessions that are over; returns what is to be archived of them.

    A run by hand reads the one session of its params.

    Raises:
        AirflowRescheduleException: The call log has none of them yet; or the quota is used up.
        AirflowFailException: RingCentral does not list the session of a run by hand.
    """
    session_id, telephony_session_id = (context["params"].get(name) for name in ("session_id", "telephony_session_id"))
    if session_id or telephony_session_id:
        return _extract_one(session_id or "", telephony_session_id or "", max_batches, context)
    lake, run = open_lake(), steps.run_of(context)
    while True:
        known, found = _look(lake, run, context)
        if found:
            return _plan(lake, found, known.sessions, max_batches)
        look = wait_for_next_look(lake, run, datetime.now(UTC))
        if look is None:
            return []
        _give_slot_back_until(look)


def look_again(context: Context) -> None:
    """Waits until the next session is to be looked for, so that the event of its end starts a run that does.

    Raises:
        AirflowRescheduleException: It is not time yet.
        AirflowSkipException: There is none, or another run waits for it.
    """
    lake, run = open_lake(), steps.run_of(context)
    look = wait_for_next_look(lake, run, datetime.now(UTC))
    if look is None:
        raise AirflowSkipException("no session waits to be looked for, or another run waits for it")
    _give_slot_back_until(look)
    stop_waiting(lake, run)


def _give_slot_back_until(look: datetime) -> None:
    """Raises AirflowRescheduleException, unless the wait is so short that it is waited in place."""
    if look > datetime.now(UTC) + _IN_PLACE:
        log.info("the next session is looked for at %s: waiting for it without a slot", look)
        raise AirflowRescheduleException(look - _EARLY)


def _look(lake: Storage, run: str, context: Context) -> tuple[OpenSessions, set[str]]:
    """What is known with all events, and the sessions that this run is to archive of it."""
    try:
        known = take_in(lake, run)
    except LeaseHeldError as error:
        log.info("another run takes the events in: %s", error)
        raise AirflowRescheduleException(datetime.now(UTC) + _KILLED) from error
    _sleep_until(open_sessions.next_look(known))
    due = open_sessions.due(known, datetime.now(UTC))
    # What this task took in an earlier try is its to archive still.
    found = set(open_sessions.handed_to(known, run))
    if due:
        found |= set(_look_for(lake, due, context))
    tidy(lake, datetime.now(UTC), get_settings().call_log_overlap)
    return known, found


def _sleep_until(look: datetime | None) -> None:
    wait = timedelta() if look is None else look - datetime.now(UTC)
    if timedelta() < wait <= _IN_PLACE:
        time.sleep(wait.total_seconds())


def _look_for(lake: Storage, due: Sequence[OpenSession], context: Context) -> list[str]:
    """Reads and lands the calls of sessions that are over; returns those that the call log has whole."""
    with (
        steps.connected(context, lake, _LOOK_MAX_WAIT, spread=False) as (conn_id, client),
        connection_errors_in_airflow_terms(conn_id),
    ):
        folders, looked_for = _read(lake, client, due)
        found = complete(looked_for, listed_sessions(lake, folders))
        if get_settings().event_media == "id":
            # After the call log, which no download is to keep waiting.
            late = [one for one in due if one.told.telephony_session_id not in found]
            fetch_by_id(client, lake, late, f"run {steps.run_of(context)}")
    landed = land_call_log(lake, folders)
    note_landed(lake, steps.run_of(context), landed)
    ids = [one.told.telephony_session_id for one in looked_for]
    # Last: a task that is killed before this looks for them once more.
    note_looks(lake, ids, found, steps.run_of(context), datetime.now(UTC))
    log.info("%d of %d sessions that are over are in the call log, with what their events named", len(found), len(ids))
    return found


def _read(
    lake: Storage, client: RingCentralClient, due: Sequence[OpenSession]
) -> tuple[list[str], Sequence[OpenSession]]:
    """The raw folders of as many sessions as the quota admits now, and these sessions."""
    overlap = get_settings().call_log_overlap
    if len(due) > _TOGETHER:
        # An event may have been missed: a session may have begun before the first that is known.
        start = min(one.told.began_at for one in due) - overlap
        return extract_call_log(client, lake, start, datetime.now(UTC)), due
    folders: list[str] = []
    for one in due:
        try:
            folders.append(
                extract_session(
                    client,
                    lake,
                    one.told.began_at - overlap,
                    telephony_session_id=one.told.telephony_session_id,
                )
            )
        except RateLimitedError:
            if not folders:
                raise
            # What has been read is archived meanwhile; the others are still due.
            break
    return folders, due[: len(folders)]


def _extract_one(session_id: str, telephony_session_id: str, max_batches: int, context: Context) -> Batches:
    if session_id and telephony_session_id:
        raise AirflowFailException("params `telephony_session_id` and `session_id` are both given: clear one of them")
    lake = open_lake()
    since = datetime.now(UTC) - get_settings().recording_retention
    with (
        steps.connected(context, lake, steps.EXTRACT_MAX_WAIT, spread=False) as (conn_id, client),
        connection_errors_in_airflow_terms(conn_id),
    ):
        folder = extract_session(client, lake, since, telephony_session_id=telephony_session_id, session_id=session_id)
    landed = land_call_log(lake, [folder])
    note_landed(lake, steps.run_of(context), landed)
    if not landed.calls:
        raise AirflowFailException(
            f"RingCentral lists no call of session {telephony_session_id or session_id} since {since:%Y-%m-%d}: check "
            "the id; a call that has just ended is listed some seconds later"
        )
    return steps.plan(lake, landed.sessions, max_batches)


def _plan(lake: Storage, found: set[str], known: Mapping[str, OpenSession], max_batches: int) -> Batches:
    # Recordings start on the day that the call began, or on the next.
    sessions = {
        session_id: {
            known[session_id].told.began_at.astimezone(UTC).date(),
            known[session_id].told.ended_at.astimezone(UTC).date(),
        }
        for session_id in found
    }
    return steps.plan(lake, sessions, max_batches)
