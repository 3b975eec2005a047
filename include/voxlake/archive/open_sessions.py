"""Which telephony sessions events have told of, and what is still to be done about them. Pure functions.

A session stays here from its first event until it is handed to a run that archives it, and an hour longer, so that an
event that comes late does not make a new one of it. What is never heard of again is dropped: the hourly run reads the
call log of every hour anyhow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from voxlake.ringcentral.notifications import Notification
from voxlake.ringcentral.telephony_session import TelephonySession, begin, observe

# "15 to 30 seconds" after its end a call is in the call log; a look before would be a request for nothing.
# https://developers.ringcentral.com/guide/voice/call-log/details
FIRST_LOOK = timedelta(seconds=15)
# Each next look is later by half of the time that has passed, but no later than this.
_MOST_APART = timedelta(minutes=5)
# After so long `ringcentral_reconcile` is to find what there is.
GIVE_UP = timedelta(hours=1)

_HANDED_FOR = timedelta(hours=1)
# One who said when it looks again, and did not.
_LATE = timedelta(minutes=2)


@dataclass(frozen=True)
class OpenSession:
    """One session.

    Attributes:
        told: What its events have told.
        heard_at: When the last of them was received.
        over_at: When the one was received by which it was over; None while it goes on.
        look_at: When it is to be looked for in the call log; None while it goes on, and after it was handed on.
        handed_to: The run that archives it; empty before.
        handed_sequence: The last sequence number that was known then.
    """

    told: TelephonySession
    heard_at: datetime
    over_at: datetime | None = None
    look_at: datetime | None = None
    handed_to: str = ""
    handed_sequence: int = -1


@dataclass(frozen=True)
class OpenSessions:
    """All of them.

    Attributes:
        sessions: telephonySessionId -> the session.
        waiting_run: The run that waits for the next look; empty if none does.
        waits_until: Until when it does.
    """

    sessions: Mapping[str, OpenSession] = field(default_factory=dict)
    waiting_run: str = ""
    waits_until: datetime | None = None


_JSON = TypeAdapter(OpenSessions)


def parsed(data: bytes) -> OpenSessions:
    """The reverse of `serialized`."""
    return _JSON.validate_json(data)


def serialized(known: OpenSessions) -> bytes:
    """As it lies in the lake."""
    return _JSON.dump_json(known)


def heard(known: OpenSessions, notification: Notification, received_at: datetime) -> OpenSessions:
    """What is known after one more event, which may be an old one or a repeated one."""
    session_id = notification.telephony_session_id
    before = known.sessions.get(session_id)
    if before is None:
        now = OpenSession(begin(notification), received_at)
    else:
        now = replace(
            before,
            told=observe(before.told, notification),
            heard_at=max(before.heard_at, received_at),
        )
    return replace(known, sessions={**known.sessions, session_id: _judged(now, received_at)})


def _judged(session: OpenSession, received_at: datetime) -> OpenSession:
    if session.told.last_sequence <= session.handed_sequence:
        return session
    if not session.told.is_over:
        return replace(session, over_at=None, look_at=None)
    if session.over_at is not None and session.look_at is not None:
        return session
    return replace(session, over_at=received_at, look_at=received_at + FIRST_LOOK)


def due(known: OpenSessions, now: datetime) -> list[OpenSession]:
    """Those to look for now, in the order that they ended."""
    found = [one for one in known.sessions.values() if one.look_at is not None and one.look_at <= now]
    return sorted(found, key=lambda one: (one.told.ended_at, one.told.telephony_session_id))


def handed_to(known: OpenSessions, run_id: str) -> list[str]:
    """Those that a run took before: it may have been killed before it could say so."""
    return [session_id for session_id, one in known.sessions.items() if one.handed_to == run_id]


def handed(known: OpenSessions, session_ids: Collection[str], run_id: str) -> OpenSessions:
    """With sessions that are complete in the call log, which a run archives now."""
    changed = {
        session_id: replace(one, look_at=None, handed_to=run_id, handed_sequence=one.told.last_sequence)
        for session_id, one in known.sessions.items()
        if session_id in session_ids
    }
    return replace(known, sessions={**known.sessions, **changed})


def not_there_yet(known: OpenSessions, session_ids: Collection[str], now: datetime) -> OpenSessions:
    """With sessions that were looked for in vain, each of which gets a time for its next look."""
    changed = {
        session_id: replace(one, look_at=now + min((now - (one.over_at or now)) / 2, _MOST_APART))
        for session_id, one in known.sessions.items()
        if session_id in session_ids
    }
    return replace(known, sessions={**known.sessions, **changed})


def given_up(known: OpenSessions, now: datetime) -> list[str]:
    """Those that have not come into the call log in time."""
    return [
        session_id
        for session_id, one in known.sessions.items()
        if one.look_at is not None and one.over_at is not None and one.over_at + GIVE_UP < now
    ]


def tidied(known: OpenSessions, now: datetime, longest_call: timedelta) -> OpenSessions:
    """Without sessions that were handed on, given up, or not heard of for longer than a call lasts."""
    gone = set(given_up(known, now))

    def stays(session_id: str, one: OpenSession) -> bool:
        kept_for = _HANDED_FOR if one.handed_to and one.look_at is None else longest_call
        return session_id not in gone and now < one.heard_at + kept_for

    kept = {session_id: one for session_id, one in known.sessions.items() if stays(session_id, one)}
    return replace(known, sessions=kept)


def next_look(known: OpenSessions) -> datetime | None:
    """When the next session is to be looked for; None if there is none."""
    return min((one.look_at for one in known.sessions.values() if one.look_at is not None), default=None)


def is_waited_for(known: OpenSessions, run_id: str, now: datetime) -> bool:
    """Whether another run waits for the next look, and will come in time."""
    look = next_look(known)
    return (
        look is not None
        and known.waiting_run not in ("", run_id)
        and known.waits_until is not None
        and now < known.waits_until + _LATE
        and known.waits_until <= max(look, now)
    )
