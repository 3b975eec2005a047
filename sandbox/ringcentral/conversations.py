"""Telephony sessions that belong together: transfers with consultation, and conferences.

The one who takes a call calls somebody else before handing it over, which is a telephony session of its own. Only
`transferTarget` and `transferee` in the records tell that the two are one conversation.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

from sandbox.ringcentral.calls import Conversation, Session
from sandbox.ringcentral.config import SandboxConfig
from sandbox.ringcentral.planning import new_draft, plan_answered_call, plan_call
from sandbox.ringcentral.rewrites import with_rewrites

# A conversation is made of sessions with neighbouring indexes, so that each of them leads to the others.
_GROUP = 3
_THREE_SHARE = 0.4
_CONFERENCE_SHARE = 0.5
_ON_LEG_SHARE = 0.25
_SIDES = ("both", "transferTarget", "transferee")
_SIDE_WEIGHTS = (60, 20, 20)


def plan_day(config: SandboxConfig, day: date) -> Iterator[Session]:
    """Every session of a day, by index."""
    for first in range(0, config.mix.calls_per_day, _GROUP):
        yield from _plan_group(config, day, first)


def plan_session(config: SandboxConfig, day: date, index: int) -> Session:
    """The session that stands at `index` on `day`."""
    if not config.mix.conversation_share:
        return _plan_alone(config, day, index)
    return _plan_group(config, day, index - index % _GROUP)[index % _GROUP]


def _plan_group(config: SandboxConfig, day: date, first: int) -> list[Session]:
    indexes = range(first, min(first + _GROUP, config.mix.calls_per_day))
    if config.mix.conversation_share:
        rng = random.Random(f"{config.seed}/{day.isoformat()}/{first}/conversation")
        if rng.random() < config.mix.conversation_share:
            joined = 3 if rng.random() < _THREE_SHARE else 2
            return [
                *_plan_conversation(config, rng, day, indexes[:joined]),
                *(_plan_alone(config, day, index) for index in indexes[joined:]),
            ]
    return [_plan_alone(config, day, index) for index in indexes]


def _plan_alone(config: SandboxConfig, day: date, index: int) -> Session:
    return with_rewrites(config, plan_call(new_draft(config, day, index)), f"{day.isoformat()}/{index}")


def _plan_conversation(config: SandboxConfig, rng: random.Random, day: date, indexes: range) -> list[Session]:
    """Answered calls of one extension, each of which starts some time after the one before it."""
    sessions = []
    draft = None
    for index in indexes:
        own = new_draft(config, day, index)
        kind = rng.choice(("inbound", "outbound") if draft is None else ("internal", "outbound"))
        if draft is not None:
            later = rng.randint(*config.mix.linked_seconds) + rng.randrange(1000) / 1000
            own = replace(own, start_time=draft.later(later), extension=draft.extension)
        sessions.append(with_rewrites(config, plan_answered_call(own, kind), f"{day.isoformat()}/{index}"))
        draft = own
    if len(sessions) > 2 and rng.random() < _CONFERENCE_SHARE:
        sessions[-1] = _as_conference(sessions[-1])
    return _as_one(_with_links(rng, sessions))


def _as_conference(session: Session) -> Session:
    first, *others = session.records
    master = replace(first.master, action="Conference Call", leg_type="ConferenceCall")
    return replace(session, records=(replace(first, legs=(master, *first.legs[1:])), *others))


def _with_links(rng: random.Random, sessions: list[Session]) -> list[Session]:
    """The sessions, each of which names the next one, or is named by it, or both."""
    linked = list(sessions)
    for position, (earlier, later) in enumerate(pairwise(sessions)):
        side = rng.choices(_SIDES, weights=_SIDE_WEIGHTS)[0]
        on_leg = rng.random() < _ON_LEG_SHARE
        if side != "transferee":
            linked[position] = _linked(linked[position], -1, "transfer_target", later, on_leg)
        if side != "transferTarget":
            linked[position + 1] = _linked(linked[position + 1], 0, "transferee", earlier, on_leg)
    return linked


def _linked(session: Session, position: int, link: str, other: Session, on_leg: bool) -> Session:
    """The session, one of whose records names another session.

    Args:
        session: To change.
        position: Of the record.
        link: The field that names the other session.
        other: Whose telephonySessionId it names.
        on_leg: Whether the last leg alone names it, instead of the record and its master leg.
    """
    records = list(session.records)
    record = records[position]
    named: dict[str, Any] = {link: other.telephony_session_id}
    if on_leg and len(record.legs) > 1:
        records[position] = replace(record, legs=(*record.legs[:-1], replace(record.legs[-1], **named)))
    else:
        records[position] = replace(record, legs=(replace(record.master, **named), *record.legs[1:]), **named)
    return replace(session, records=tuple(records))


def _as_one(sessions: list[Session]) -> list[Session]:
    if len(sessions) < 2:
        return sessions
    conversation = Conversation(
        telephony_session_ids=tuple(session.telephony_session_id for session in sessions),
        listed_time=max(record.listed_time for session in sessions for record in session.records),
    )
    return [replace(session, conversation=conversation) for session in sessions]
