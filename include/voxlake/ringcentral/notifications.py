"""What RingCentral's notifications of telephony sessions say.

https://developers.ringcentral.com/guide/voice/call-log/telephony-session-notifications
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class MalformedNotificationError(ValueError):
    """A body is no notification of a telephony session; the text names the field."""


@dataclass(frozen=True)
class PartyNotice:
    """What a notification says of one party.

    Attributes:
        party_id: Of the party.
        status: Its status code, also one that RingCentral's documents do not have.
        recording_ids: Of the recordings that the notification names.
    """

    party_id: str
    status: str
    recording_ids: tuple[str, ...]


@dataclass(frozen=True)
class Notification:
    """A notification of a telephony session; fields that Voxlake does not need are left in the body.

    Attributes:
        uuid: Names this notification; one that is delivered again has the same.
        subscription_id: Of the subscription that it belongs to.
        timestamp: When RingCentral sent it.
        telephony_session_id: Of the session.
        session_id: The session's numeric id; empty if there is none.
        sequence: Counts the notifications of a session, in the order of what they tell; some may not be sent.
        event_time: When it happened.
        parties: Mostly one.
    """

    uuid: str
    subscription_id: str
    timestamp: datetime
    telephony_session_id: str
    session_id: str
    sequence: int
    event_time: datetime
    parties: tuple[PartyNotice, ...] = field(repr=False)


def parse_notification(body: bytes) -> Notification:
    """A notification of a telephony session, from the body of a webhook request.

    Raises:
        MalformedNotificationError: It is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise MalformedNotificationError("a notification is a JSON object, and this is none")
    session = _object(value, "body")
    return Notification(
        uuid=_text(value, "uuid"),
        subscription_id=_text(value, "subscriptionId"),
        timestamp=_time(value, "timestamp"),
        telephony_session_id=_text(session, "telephonySessionId", "body."),
        session_id=_text(session, "sessionId", "body.") if "sessionId" in session else "",
        sequence=_number(session, "sequence", "body."),
        event_time=_time(session, "eventTime", "body."),
        parties=tuple(_party(party, number) for number, party in enumerate(_list(session, "parties", "body."))),
    )


def _party(value: object, number: int) -> PartyNotice:
    where = f"body.parties[{number}]."
    if not isinstance(value, dict):
        raise MalformedNotificationError(f"{where.rstrip('.')} is no object")
    recordings = _list(value, "recordings", where) if "recordings" in value else []
    if not all(isinstance(recording, dict) for recording in recordings):
        raise MalformedNotificationError(f"{where}recordings has an element that is no object")
    return PartyNotice(
        party_id=_text(value, "id", where),
        status=_text(_object(value, "status", where), "code", f"{where}status."),
        recording_ids=tuple(_text(recording, "id", f"{where}recordings.") for recording in recordings),
    )


def _object(value: Mapping[str, Any], name: str, where: str = "") -> dict[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise MalformedNotificationError(f"{where}{name} is missing, or no object")
    return found


def _list(value: Mapping[str, Any], name: str, where: str) -> list[Any]:
    found = value.get(name)
    if not isinstance(found, list):
        raise MalformedNotificationError(f"{where}{name} is missing, or no list")
    return found


def _text(value: Mapping[str, Any], name: str, where: str = "") -> str:
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise MalformedNotificationError(f"{where}{name} is missing, or no text")
    return found


def _number(value: Mapping[str, Any], name: str, where: str) -> int:
    found = value.get(name)
    if not isinstance(found, int) or isinstance(found, bool):
        raise MalformedNotificationError(f"{where}{name} is missing, or no whole number")
    return found


def _time(value: Mapping[str, Any], name: str, where: str = "") -> datetime:
    try:
        time = datetime.fromisoformat(_text(value, name, where))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise MalformedNotificationError(f"{where}{name} is missing, or no time with its zone")
    return time
