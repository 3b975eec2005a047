"""Records that the call log lists before their call is over, and rewrites under the same id later.

https://github.com/tylerlong/active-calls-demo shows an incoming call that is an outgoing one until it has ended.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from sandbox.ringcentral.calls import CallRecord, Session
from sandbox.ringcentral.config import SandboxConfig

_SHORTEST_MS = 10_000
_RESULTS = ("In Progress", "Stopped", "IP Phone Offline")


def with_rewrites(config: SandboxConfig, session: Session, name: str) -> Session:
    """The session, some of whose records are listed as a snapshot first.

    Args:
        config: Of the sandbox.
        session: As it is in the end.
        name: Decides, together with the seed, which records and when.
    """
    if not config.mix.rewritten_share:
        return session
    rng = random.Random(f"{config.seed}/{name}/rewrites")
    return replace(session, records=tuple(_rewritten(config, rng, record) for record in session.records))


def _rewritten(config: SandboxConfig, rng: random.Random, record: CallRecord) -> CallRecord:
    mix = config.mix
    if record.type != "Voice" or record.duration_ms < _SHORTEST_MS or rng.random() >= mix.rewritten_share:
        return record
    snapshot = _snapshot(config, rng, record)
    rewritten = record.listed_time + timedelta(seconds=rng.randint(*mix.rewrite_seconds))
    return replace(
        record,
        snapshot=snapshot,
        listed_time=rewritten,
        last_modified_time=snapshot.last_modified_time if rng.random() < mix.unmoved_share else rewritten,
    )


def _snapshot(config: SandboxConfig, rng: random.Random, record: CallRecord) -> CallRecord:
    """What is known of a call in its first half, mostly nothing of a recording."""
    seen_ms = rng.randrange(1000, record.duration_ms // 2)
    extension = record.master.extension
    leg = replace(
        record.master,
        duration_ms=seen_ms,
        direction="Outbound",
        action="VoIP Call",
        result=rng.choice(_RESULTS),
        leg_type="PstnToSip",
        from_=replace(record.master.from_, location=None),
        to=extension.by_extension,
        transport="VoIP",
        reason=None,
        reason_description=None,
        internal_type=None,
        recording=None,
        short_recording=False,
    )
    legs = [leg]
    if len(record.legs) > 2 and record.recordings and rng.random() < 0.5:
        legs.append(replace(leg, recording=record.recordings[0]))
    seen = record.start_time + timedelta(milliseconds=seen_ms + round(config.appearance_delay * 1000))
    return replace(record, legs=tuple(legs), cost_included=0.0, last_modified_time=seen, listed_time=seen)
