"""What RingCentral tells of a telephony session while it goes on: the events of its parties, in order.

One event tells of one party. Parties outside of the account have no extension.
https://developers.ringcentral.com/guide/voice/call-log/telephony-session-notifications
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.ringcentral.calls import Leg, Session
from sandbox.ringcentral.directory import ACCOUNT_ID, Party
from sandbox.ringcentral.timestamps import to_text

_RINGING = timedelta(seconds=1)
_APART = timedelta(milliseconds=20)
# Captured streams begin with 2.
_FIRST_SEQUENCE = 2
# Of all sessions, those that a queue offers to somebody who does not answer first.
_QUEUED_OF = 5


@dataclass(frozen=True, slots=True)
class TelephonyEvent:
    """One event.

    Attributes:
        time: When it happens.
        extension_id: Of its party; None for a party outside of the account.
        recorded: Whether its session has recordings.
        body: As it stands in a notification.
    """

    time: datetime
    extension_id: str | None
    recorded: bool
    body: dict[str, Any]

    @property
    def sequence(self) -> int:
        number: int = self.body["sequence"]
        return number


@dataclass(frozen=True, slots=True)
class _Moment:
    time: datetime
    party: dict[str, Any]
    status: dict[str, Any]
    recordings: tuple[dict[str, Any], ...] = ()


def events_of(session: Session) -> list[TelephonyEvent]:
    """Every event of a session, by sequence number."""
    moments = sorted(_moments(session), key=lambda moment: moment.time)
    is_conference = any(leg.leg_type == "ConferenceCall" for record in session.records for leg in record.legs)
    return [
        TelephonyEvent(
            time=moment.time,
            extension_id=moment.party.get("extensionId"),
            recorded=bool(session.recordings),
            body={
                "sequence": number,
                # Of a conference it is said to be 0.
                "sessionId": "0" if is_conference else session.records[0].session_id,
                "telephonySessionId": session.telephony_session_id,
                "serverId": "10.62.25.111.TAM",
                "eventTime": to_text(moment.time),
                "parties": [_told(moment)],
                "origin": {"type": "Conference" if is_conference else "Call"},
            },
        )
        for number, moment in enumerate(moments, _FIRST_SEQUENCE)
    ]


def _moments(session: Session) -> list[_Moment]:
    """The caller is there from beginning to end; each leg is a party of its own, and leaves when its leg ends."""
    first = session.records[0].master
    caller = _party(session, 1, "Outbound", first, extension_id=None)
    if first.direction == "Outbound":
        caller["extensionId"] = str(first.extension.id)
    moments = [
        _Moment(session.start_time, caller, {"code": "Setup"}),
        _Moment(session.start_time + _RINGING, caller, {"code": "Answered"}),
    ]
    if _is_queued(session):
        ringing = {**_party(session, 9, "Inbound", first, str(first.extension.id)), "queueCall": True}
        moments += [
            _Moment(session.start_time + _APART, ringing, {"code": "Proceeding"}),
            _Moment(session.start_time + 2 * _APART, ringing, {"code": "Disconnected", "reason": "AgentAnswered"}),
        ]
    legs = [leg for record in session.records for leg in record.legs]
    for number, leg in enumerate(legs, 10):
        is_last = leg.end_time >= session.end_time - _RINGING
        moments += _of_leg(session, number, leg, is_last=is_last)
    last: dict[str, Any] = {"code": "Disconnected"}
    peer = next((record.transfer_target for record in session.records if record.transfer_target), None)
    if peer is not None:
        # https://developers.ringcentral.com/guide/voice/call-log/states
        last = {"code": "Gone", "reason": "AttendedTransfer", "peerId": {"telephonySessionId": peer}}
    hung_up = max(session.end_time, *(moment.time for moment in moments)) + _APART
    return [*moments, _Moment(hung_up, caller, last)]


def _of_leg(session: Session, number: int, leg: Leg, *, is_last: bool) -> list[_Moment]:
    outside = leg.direction == "Outbound" and leg.transport == "PSTN"
    party = _party(session, number, "Inbound", leg, extension_id=None if outside else str(leg.extension.id))
    recordings = () if leg.recording is None else ({"id": leg.recording.id, "active": True},)
    stopped = tuple({**recording, "active": False} for recording in recordings)
    end: dict[str, Any] = {"code": "Disconnected"} if is_last else {"code": "Disconnected", "reason": "BlindTransfer"}
    # Whoever takes over a call rings before the other has left it.
    begins = leg.start_time if number == 10 else leg.start_time - timedelta(seconds=7)
    return [
        _Moment(begins, party, {"code": "Setup"}),
        _Moment(begins + _APART, party, {"code": "Proceeding"}),
        _Moment(max(leg.start_time, begins + _RINGING), party, {"code": "Answered"}, recordings),
        _Moment(max(leg.end_time, leg.start_time + 2 * _RINGING), party, end, stopped),
    ]


def _party(session: Session, number: int, direction: str, leg: Leg, extension_id: str | None) -> dict[str, Any]:
    party: dict[str, Any] = {
        "accountId": ACCOUNT_ID,
        "id": f"p-{session.telephony_session_id.removeprefix('s-')}-{number}",
        "direction": direction,
        "to": _side(leg.to),
        "from": _side(leg.from_),
    }
    if extension_id is not None:
        party["extensionId"] = extension_id
    return party


def _side(party: Party) -> dict[str, str]:
    fields = {"phoneNumber": party.phone_number, "name": party.name, "extensionId": party.extension_id}
    return {name: value for name, value in fields.items() if value is not None}


def _told(moment: _Moment) -> dict[str, Any]:
    told = {
        **moment.party,
        "status": {**moment.status, "rcc": False},
        "park": {},
        "missedCall": False,
        "standAlone": False,
        "muted": False,
    }
    return {**told, "recordings": list(moment.recordings)} if moment.recordings else told


def _is_queued(session: Session) -> bool:
    return hashlib.sha256(session.telephony_session_id.encode()).digest()[0] % _QUEUED_OF == 0
