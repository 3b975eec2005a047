"""A round of the Sinch archive: callbacks out of the inbox, files out of the bucket, and what is to be merged then."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any

import pyarrow.compute as pc

from voxlake.archive.plan import SessionRef, plan_sessions
from voxlake.archive.sinch_callbacks import keep_events
from voxlake.archive.sinch_calls import PROVIDER
from voxlake.archive.sinch_files import arrival_of
from voxlake.archive.sinch_take_in import Source, announced, land_calls, take_in
from voxlake.archive.sinch_undelivered import note_undelivered
from voxlake.lake import tables
from voxlake.lake.inbox import acknowledge, draining
from voxlake.lake.schemas import RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.sinch.landing import LandedFile

log = logging.getLogger(__name__)

Row = dict[str, Any]

# What was told of on these last days may still be missing; the longest wait that makes sense is shorter.
_LOOKED_BACK = timedelta(days=3)


def take_in_round(
    storage: Storage, source: Source, holder: str, swept: Iterable[LandedFile], now: datetime, wait: timedelta | None
) -> list[SessionRef]:
    """Takes in what Sinch has told and delivered; safe to be killed at any moment and to be done again.

    Args:
        storage: The lake.
        source: Where files come from.
        holder: Who does this, in words: others stay away from the inbox meanwhile.
        swept: Files of the bucket, whether or not they are known.
        now: What counts as now.
        wait: How long after it was told of a recording may still arrive; None where nobody is to look for those that
            have not, which takes a while.

    Returns:
        The conversations that are to be merged, and those that a file came for which is no audio.

    Raises:
        LeaseHeldError: Another holder is at it.
        BucketRefusedError: A bucket cannot be read.
        SinchError: Sinch could not be asked for a call; what was copied is not copied again.
    """
    with draining(storage, PROVIDER, holder) as inbox:
        deliveries = list(inbox)
        touched = keep_events(storage, (event for delivery in deliveries for event in delivery.events))
        facts = land_calls(storage, touched)
        told, refusals = announced(source, facts)
        arrivals = chain(told, ((arrival_of(file), None) for file in swept))
        taken = take_in(storage, source, arrivals, facts)
        if refusals:
            # Whatever can be read is safe by now; these callbacks stay in the inbox until somebody has seen to it.
            raise refusals[0]
        if wait is not None:
            days = {day for on_days in touched.values() for day in on_days}
            days |= {now.date() - timedelta(days=number) for number in range(_LOOKED_BACK.days)}
            note_undelivered(storage, days, now, wait, source.application_key)
        # Not before all of it is in the lake: a round that is killed comes by the same events again.
        for delivery in deliveries:
            acknowledge(storage, delivery)
    log.info(
        "%d calls told of, %d files met on %d days, %d recordings taken in",
        len(touched),
        taken.met,
        len(taken.days),
        len(taken.recordings),
    )
    return _to_merge(storage, taken.days, taken.recordings)


def _to_merge(storage: Storage, days: Iterable[date], recordings: Sequence[Row]) -> list[SessionRef]:
    ours = pc.field("provider") == PROVIDER
    sessions: defaultdict[str, set[date]] = defaultdict(set)
    for row in tables.read(storage, RECORDINGS, days, ours, ["telephony_session_id", "start_time"]).to_pylist():
        sessions[row["telephony_session_id"]].add(row["start_time"].date())
    planned = plan_sessions(storage, sessions, PROVIDER)
    told = {session.telephony_session_id for session in planned}
    failed = [
        SessionRef(row["telephony_session_id"], (row["start_time"].date(),), (row["recording_id"],), PROVIDER)
        for row in recordings
        if row["status"] == "failed" and row["telephony_session_id"] not in told
    ]
    return planned + list({session.telephony_session_id: session for session in failed}.values())
