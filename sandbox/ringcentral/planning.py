"""Plans one telephony session from a seed, a day and an index: the same three always give the same calls."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from sandbox.ringcentral import ids
from sandbox.ringcentral.calls import CallRecord, Leg, Session
from sandbox.ringcentral.config import SandboxConfig
from sandbox.ringcentral.directory import EXTENSIONS, outside_party
from sandbox.ringcentral.legs import Draft, conversation, fax_legs, new_recording, repeated_elsewhere, transfers

# Weight of each UTC hour: an office that opens at eight and closes at six, with a few calls at night.
_HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 12, 60, 90, 100, 95, 70, 85, 100, 95, 85, 60, 16, 8, 4, 3, 2, 1)

_UNANSWERED: tuple[tuple[str, str, str], ...] = (
    ("No Answer", "Not Answered", "The phone number you dialed was not answered."),
    ("Busy", "Line Busy", "The phone number you dialed was busy."),
    ("Hang Up", "Hang Up", "The caller hung up before the call was answered."),
    (
        "Wrong Number",
        "Wrong Number",
        "The number you dialed has either been disconnected or is not a valid phone number.",
    ),
)
_CATEGORIES = ("Sales", "Support")


def new_draft(config: SandboxConfig, day: date, index: int) -> Draft:
    """What is decided first about the session that stands at `index` on `day`: when it starts, and between whom."""
    rng = random.Random(f"{config.seed}/{day.isoformat()}/{index}")
    hour = rng.choices(range(24), weights=_HOUR_WEIGHTS)[0]
    return Draft(
        config=config,
        rng=rng,
        place=ids.Place(day, index, 0),
        start_time=datetime.combine(day, time(hour), UTC) + timedelta(milliseconds=rng.randrange(3_600_000)),
        extension=rng.choice(EXTENSIONS),
        outside=outside_party(rng.randrange(1000)),
    )


def plan_call(draft: Draft) -> Session:
    """Any call: a fax, one that nobody answers, or one that somebody does."""
    if draft.chance(draft.config.mix.fax_share):
        return _session(draft, [fax_legs(draft)], kind="Fax")
    kind = draft.rng.choices(("inbound", "outbound", "internal"), weights=(52, 38, 10))[0]
    if draft.chance(0.22):
        return _unanswered_session(draft, kind)
    return plan_answered_call(draft, kind)


def plan_answered_call(draft: Draft, kind: str) -> Session:
    """An answered voice call.

    Args:
        draft: Of the session.
        kind: `inbound`, `outbound` or `internal`.
    """
    mix, rng = draft.config.mix, draft.rng
    if draft.chance(mix.short_share):
        talk, recorded, short = rng.randrange(3, 30), False, draft.chance(mix.recorded_share)
    elif draft.chance(mix.recorded_share):
        talk, recorded, short = rng.randint(*mix.leg_seconds), True, False
    else:
        talk, recorded, short = rng.randrange(30, 900), False, False
    recording_type: Literal["Automatic", "OnDemand"] = "OnDemand" if draft.chance(mix.on_demand_share) else "Automatic"
    ring = rng.randrange(2_000, 18_000) / 1000
    recording = new_recording(draft, 0, recording_type, draft.later(ring), talk) if recorded else None
    # A knob that is off must not draw: the calls of a seed would be others.
    long = mix.long_share > 0 and talk >= 30 and draft.chance(mix.long_share)
    if long:
        talk = rng.randint(*mix.long_seconds)
    first = conversation(draft, kind, ring, talk, recording, short)
    if recording is None:
        return _session(draft, [first])
    parts = [first]
    if kind != "internal" and not long and draft.chance(mix.transferred_share):
        further = transfers(draft, kind, recording)
        parts = [first, further] if draft.chance(mix.split_transfer_share) else [[*first, *further]]
    if mix.repeated_record_share > 0 and draft.chance(mix.repeated_record_share):
        parts = sorted([*parts, repeated_elsewhere(draft, recording)], key=lambda legs: legs[0].start_time)
    return _session(draft, parts)


def _unanswered_session(draft: Draft, kind: str) -> Session:
    rng, extension = draft.rng, draft.extension
    ring = rng.randrange(12_000, 32_000) / 1000
    if kind == "inbound":
        return _unanswered_inbound(draft, ring)
    result, reason, description = rng.choice(_UNANSWERED)
    leg = conversation(draft, kind, ring, 0, None, short=False)[0]
    return _session(
        draft, [[replace(leg, result=result, reason=reason, reason_description=description, extension=extension)]]
    )


def _unanswered_inbound(draft: Draft, ring: float) -> Session:
    master, phone = conversation(draft, "inbound", ring, 0, None, short=False)
    phone = replace(
        phone,
        start_time=draft.later(1),
        duration_ms=round(ring * 1000) - 1000,
        result="No Answer",
        reason="No Answer",
        reason_description="You did not answer the call.",
    )
    outcome = draft.rng.choices(("Missed", "Voicemail", "Blocked"), weights=(55, 40, 5))[0]
    if outcome == "Voicemail":
        voicemail = replace(
            master,
            result="Voicemail",
            reason="No Answer",
            reason_description="You did not answer the call.",
            duration_ms=master.duration_ms + draft.rng.randrange(5_000, 60_000),
        )
        return _session(draft, [[voicemail, phone]], message="VoiceMail")
    if outcome == "Blocked":
        blocked = replace(
            master,
            result="Blocked",
            reason="Number Blocked",
            reason_description="This number is in your Blocked Numbers list.",
            duration_ms=0,
        )
        return _session(draft, [[blocked]])
    missed = replace(master, result="Missed", reason="No Answer", reason_description="You did not answer the call.")
    return _session(draft, [[missed, phone]])


def _session(
    draft: Draft,
    parts: list[list[Leg]],
    kind: Literal["Voice", "Fax"] = "Voice",
    message: Literal["VoiceMail"] | None = None,
) -> Session:
    """Makes each part a call-log record of the one telephony session."""
    rng = draft.rng
    delay = timedelta(milliseconds=round(draft.config.appearance_delay * 1000))
    milliseconds = int(draft.start_time.timestamp() * 1000)
    # The middle of a telephonySessionId is the start in milliseconds: s-a0d178729c49dz1876d9b9d11z19269ec0000.
    core = f"a0{rng.getrandbits(44):011x}z{milliseconds:x}z{rng.getrandbits(28):07x}0000"
    categories = (rng.choice(_CATEGORIES),) if draft.chance(0.15) else ()
    records = []
    for part, legs in enumerate(parts):
        end_time = max(leg.end_time for leg in legs)
        minutes = -(-(end_time - legs[0].start_time) // timedelta(minutes=1))
        records.append(
            CallRecord(
                id=ids.call_id(draft.config.seed, replace(draft.place, part=part)),
                session_id=ids.session_id(draft.place),
                telephony_session_id=f"s-{core}",
                party_id=f"p-{core}-{part + (2 if legs[0].direction == 'Inbound' else 1)}",
                type=kind,
                legs=tuple(legs),
                cost_included=round(0.039 * minutes, 3) if legs[0].transport == "PSTN" else 0.0,
                last_modified_time=end_time + delay + timedelta(milliseconds=rng.randrange(1000)),
                listed_time=end_time + delay,
                message_type="Fax" if kind == "Fax" else message,
                metadata_categories=categories,
            )
        )
    return Session(telephony_session_id=f"s-{core}", records=tuple(records))
