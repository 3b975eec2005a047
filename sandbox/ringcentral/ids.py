"""Identifiers that look like RingCentral's and lead back to the call they name, so that nothing has to be stored.

A call id carries a keyed checksum, a recording id is a plain number: an id of another seed or of a call that was never
planned names nothing.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

_EPOCH = date(1970, 1, 1)
_SHARD = "004"
_PAYLOAD_BYTES = 6
_CHECKSUM_BYTES = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the world a call or a recording stands.

    Attributes:
        day: UTC day on which its telephony session starts.
        index: Of the session on that day.
        part: Of the call-log record, or of the recording, within the session.
    """

    day: date
    index: int
    part: int


def _checksum(seed: int, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, key=str(seed).encode(), digest_size=_CHECKSUM_BYTES).digest()


def _masked(seed: int, checksum: bytes, payload: bytes) -> bytes:
    mask = hashlib.blake2b(checksum, key=str(seed).encode(), digest_size=_PAYLOAD_BYTES, person=b"mask").digest()
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(_PAYLOAD_BYTES, "big")


def call_id(seed: int, place: Place) -> str:
    """The id of a call-log record, such as `VgLcd1KWffJVzUA`."""
    payload = (
        (place.day - _EPOCH).days.to_bytes(2, "big") + place.index.to_bytes(3, "big") + place.part.to_bytes(1, "big")
    )
    checksum = _checksum(seed, payload)
    text = base64.urlsafe_b64encode(checksum + _masked(seed, checksum, payload)).decode().rstrip("=")
    return chr(ord("A") + checksum[0] % 26) + text


def place_of_call(seed: int, identifier: str) -> Place | None:
    """The place of a call-log record; None if the id names none."""
    try:
        raw = base64.b64decode(identifier[1:] + "==", altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(raw) != _CHECKSUM_BYTES + _PAYLOAD_BYTES:
        return None
    checksum = raw[:_CHECKSUM_BYTES]
    payload = _masked(seed, checksum, raw[_CHECKSUM_BYTES:])
    place = Place(
        day=_EPOCH + timedelta(days=int.from_bytes(payload[:2], "big")),
        index=int.from_bytes(payload[2:5], "big"),
        part=payload[5],
    )
    return place if call_id(seed, place) == identifier else None


def recording_id(place: Place) -> str:
    """The id of a recording: a number, such as `203780001420004`."""
    return f"{(place.day - _EPOCH).days:05d}{place.index:06d}{place.part}{_SHARD}"


def place_of_recording(identifier: str) -> Place | None:
    """The place of a recording; None if the id names none."""
    if not (identifier.isascii() and identifier.isdigit() and len(identifier) == 15 and identifier.endswith(_SHARD)):
        return None
    return Place(
        day=_EPOCH + timedelta(days=int(identifier[:5])), index=int(identifier[5:11]), part=int(identifier[11])
    )


def session_id(place: Place) -> str:
    """The legacy numeric session id, such as `420378000142016`."""
    return f"4{(place.day - _EPOCH).days:05d}{place.index:06d}016"
