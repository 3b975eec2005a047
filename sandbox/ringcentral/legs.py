"""The legs of planned calls: conversations, blind transfers and faxes, with the recordings they carry."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sandbox.ringcentral import ids
from sandbox.ringcentral.calls import Leg, Recording
from sandbox.ringcentral.config import SandboxConfig
from sandbox.ringcentral.directory import EXTENSIONS, MAIN_NUMBER, Extension, Party

_ACCEPTED = "The call connected to and was accepted by this number."


@dataclass(frozen=True, slots=True)
class Draft:
    """What the parts of one planned session share.

    Attributes:
        config: Of the sandbox.
        rng: Makes every choice, in a fixed order.
        place: Of the session.
        start_time: Of its first leg.
        extension: That makes or first takes the call.
        outside: The other side.
    """

    config: SandboxConfig
    rng: random.Random
    place: ids.Place
    start_time: datetime
    extension: Extension
    outside: Party

    def later(self, seconds: float) -> datetime:
        """The moment `seconds` after the start, to the millisecond."""
        return self.start_time + timedelta(milliseconds=round(seconds * 1000))

    def chance(self, share: float) -> bool:
        """True in this share of all cases."""
        return self.rng.random() < share


def new_recording(
    draft: Draft, part: int, kind: Literal["Automatic", "OnDemand"], start_time: datetime, seconds: int
) -> Recording:
    """The recording of one conversation; `part` is its place in the session."""
    config = draft.config
    wav = config.audio_format == "wav" or (config.audio_format == "mixed" and draft.chance(config.wav_share))
    return Recording(
        id=ids.recording_id(replace(draft.place, part=part)),
        type=kind,
        start_time=start_time,
        duration_ms=seconds * 1000,
        content_type="audio/wav" if wav else "audio/mpeg",
    )


def conversation(
    draft: Draft, kind: str, ring: float, talk: int, recording: Recording | None, short: bool
) -> list[Leg]:
    """The legs of an answered call up to a transfer; the second one often repeats the recording of the first.

    Args:
        draft: Of the session.
        kind: `inbound`, `outbound` or `internal`.
        ring: Seconds until the call is answered.
        talk: Seconds from there to its end.
        recording: Of the conversation.
        short: Whether a recording was too short to be kept.
    """
    repeated = recording if draft.chance(draft.config.mix.repeated_leg_share) else None
    extension = draft.extension
    master = Leg(
        start_time=draft.start_time,
        duration_ms=round((ring + talk) * 1000),
        direction="Outbound",
        action="VoIP Call",
        result="Call connected",
        leg_type="SipToPstnMetered",
        from_=replace(extension.by_number, device_id=extension.device_id, location=None),
        to=replace(draft.outside, name=None),
        transport="PSTN",
        extension=extension,
        internal_type="LongDistance",
        recording=recording,
        short_recording=short,
    )
    if kind == "inbound":
        return _taken_from_outside(draft, master, ring, talk, repeated)
    if kind == "internal":
        return _taken_inside(draft, master, ring, talk, repeated)
    if repeated is None:
        return [master]
    # RingOut first rings the user, then the other side: https://developers.ringcentral.com/guide/voice/ringout
    to_user = replace(master, action="RingOut Web", leg_type="RingOutWebToCaller")
    to_outside = replace(to_user, leg_type="RingOutWebToSubscriber")
    return [to_user, _second_leg(draft, to_outside, ring, talk, repeated)]


def _taken_from_outside(draft: Draft, leg: Leg, ring: float, talk: int, repeated: Recording | None) -> list[Leg]:
    extension = draft.extension
    toll_free = draft.chance(0.3)
    master = replace(
        leg,
        direction="Inbound",
        action="Phone Call",
        result="Accepted",
        leg_type="Accept",
        from_=draft.outside,
        to=MAIN_NUMBER if toll_free else extension.by_number,
        internal_type="TollFreeNumber" if toll_free else "LocalNumber",
        reason="Accepted",
        reason_description=_ACCEPTED,
    )
    return [master, _phone_leg(extension, draft.outside, draft.later(ring), talk, repeated)]


def _taken_inside(draft: Draft, leg: Leg, ring: float, talk: int, repeated: Recording | None) -> list[Leg]:
    callee = _other_extension(draft, draft.extension)
    master = replace(
        leg,
        leg_type="ExtensionToExtension",
        from_=draft.extension.by_extension,
        to=replace(callee.by_extension, device_id=None),
        transport="VoIP",
        internal_type="Sip",
    )
    answered = replace(master, direction="Inbound", action="Phone Call", result="Accepted", extension=callee)
    return [master, _second_leg(draft, answered, ring, talk, repeated)]


def _second_leg(draft: Draft, leg: Leg, ring: float, talk: int, repeated: Recording | None) -> Leg:
    """A leg that begins where the other side answers."""
    return replace(
        leg,
        start_time=draft.later(ring),
        duration_ms=talk * 1000,
        recording=repeated,
        short_recording=False,
    )


def _phone_leg(
    extension: Extension, outside: Party, start_time: datetime, seconds: int, recording: Recording | None
) -> Leg:
    """The leg between RingCentral and the phone of an extension that takes a call."""
    return Leg(
        start_time=start_time,
        duration_ms=seconds * 1000,
        direction="Outbound",
        action="VoIP Call",
        result="Accepted",
        leg_type="PstnToSip",
        from_=replace(outside, location=None),
        to=extension.by_extension,
        transport="VoIP",
        extension=extension,
        reason="Accepted",
        reason_description=_ACCEPTED,
        recording=recording,
    )


def transfers(draft: Draft, kind: str, first: Recording) -> list[Leg]:
    """The legs after one or more blind transfers, each conversation with a recording of its own."""
    mix, rng = draft.config.mix, draft.rng
    legs: list[Leg] = []
    previous, last = draft.extension, first
    for part in range(1, rng.randint(*mix.transfer_recordings)):
        target = _other_extension(draft, previous)
        start_time = last.end_time + timedelta(milliseconds=rng.randrange(1_500, 6_000))
        last = new_recording(draft, part, first.type, start_time, rng.randint(*mix.leg_seconds))
        seconds = last.duration_ms // 1000
        legs.append(
            Leg(
                start_time=start_time,
                duration_ms=last.duration_ms,
                direction="Inbound" if kind == "inbound" else "Outbound",
                action="Transfer",
                result="Accepted" if kind == "inbound" else "Call connected",
                leg_type="TransferCall",
                from_=draft.outside if kind == "inbound" else replace(previous.by_number, location=None),
                to=replace(target.by_extension, device_id=None),
                transport="PSTN",
                extension=target,
                reason="Accepted",
                reason_description=_ACCEPTED,
                internal_type="Sip",
                recording=last,
            )
        )
        if draft.chance(mix.repeated_leg_share):
            legs.append(_phone_leg(target, draft.outside, start_time, seconds, last))
        previous = target
    return legs


def repeated_elsewhere(draft: Draft, recording: Recording) -> list[Leg]:
    """The record that another extension has of the call, some time later and with the same recording."""
    mix, rng = draft.config.mix, draft.rng
    other = _other_extension(draft, draft.extension)
    start_time = draft.later(rng.randint(*mix.linked_seconds) + rng.randrange(1000) / 1000)
    leg = _phone_leg(other, draft.outside, start_time, rng.randrange(30, 300), recording)
    return [replace(leg, direction="Inbound", action="Phone Call", leg_type="Accept", from_=draft.outside)]


def fax_legs(draft: Draft) -> list[Leg]:
    inbound = draft.chance(0.6)
    master = conversation(draft, "inbound" if inbound else "outbound", 2, draft.rng.randrange(20, 180), None, False)[0]
    return [
        replace(
            master,
            action="Incoming Fax" if inbound else "Outgoing Fax",
            result="Received" if inbound else "Sent",
            leg_type="Accept" if inbound else "FaxSent",
            reason=None,
            reason_description=None,
        )
    ]


def _other_extension(draft: Draft, extension: Extension) -> Extension:
    return draft.rng.choice([other for other in EXTENSIONS if other is not extension])
