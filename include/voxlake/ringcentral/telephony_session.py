"""Whether a telephony session is over, from notifications in any order, repeated, and not complete. Pure functions.

Each notification tells of one party, so the last status of every party is what counts, and which is the last the
sequence numbers say. One party that is disconnected does not end a session: at a blind transfer the others talk on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from voxlake.ringcentral.notifications import Notification

# Gone: the party is in another session now, by a transfer or a conference.
# https://developers.ringcentral.com/guide/voice/call-log/states
_TERMINAL = frozenset({"Disconnected", "Gone"})


@dataclass(frozen=True, order=True)
class PartyState:
    """The last that is known of a party.

    Attributes:
        sequence: Of the notification that said so.
        status: Its status code.
    """

    sequence: int
    status: str


@dataclass(frozen=True)
class TelephonySession:
    """What the notifications so far have told of a session.

    Attributes:
        telephony_session_id: Which session.
        session_id: The session's numeric id; empty if none told it.
        began_at: The earliest event.
        ended_at: The latest event.
        parties: Party id -> its state.
        recording_ids: Of the recordings that were named.
    """

    telephony_session_id: str
    session_id: str
    began_at: datetime
    ended_at: datetime
    parties: Mapping[str, PartyState] = field(default_factory=dict)
    recording_ids: frozenset[str] = frozenset()

    @property
    def is_over(self) -> bool:
        """Whether every party that is known has left. A party that is not known yet may prove it wrong."""
        return bool(self.parties) and all(party.status in _TERMINAL for party in self.parties.values())

    @property
    def last_sequence(self) -> int:
        """The highest sequence number of a party's state."""
        return max((party.sequence for party in self.parties.values()), default=0)


def begin(notification: Notification) -> TelephonySession:
    """A session of which this is the first notification that came."""
    session = TelephonySession(
        notification.telephony_session_id,
        notification.session_id,
        began_at=notification.event_time,
        ended_at=notification.event_time,
    )
    return observe(session, notification)


def observe(session: TelephonySession, notification: Notification) -> TelephonySession:
    """The session after one more notification of it, which may be an old one."""
    parties = dict(session.parties)
    for notice in notification.parties:
        told = PartyState(notification.sequence, notice.status)
        # By both, so that not even two notifications of one number could make a difference by their order.
        parties[notice.party_id] = max(parties.get(notice.party_id, told), told)
    named = {recording for notice in notification.parties for recording in notice.recording_ids}
    return replace(
        session,
        session_id=max(session.session_id, notification.session_id),
        began_at=min(session.began_at, notification.event_time),
        ended_at=max(session.ended_at, notification.event_time),
        parties=parties,
        recording_ids=session.recording_ids | named,
    )


def may_end_a_session(notification: Notification) -> bool:
    """Whether a session may be over by what this notification tells."""
    return any(notice.status in _TERMINAL for notice in notification.parties)
