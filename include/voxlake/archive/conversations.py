"""Conversations: the telephony sessions that transfers link, found again as the one call that they were."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from voxlake.archive.plan import days_around
from voxlake.archive.transfers import (
    SESSION_OF_CALL,
    Component,
    Link,
    Links,
    Session,
    connect,
    ends,
    is_one_of,
    links_in,
    read_links,
)
from voxlake.lake import tables
from voxlake.lake.schemas import CALLS, CONVERSATIONS, RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage, VersionConflictError
from voxlake.ringcentral.records import PROVIDER

log = logging.getLogger(__name__)

Row = dict[str, Any]

# Each process that lands a part of the same conversations at the same time may make us look once more.
_LOOKS = 50
_SHOWN = 5
_UNKNOWN_IS_LAST = datetime.max.replace(tzinfo=UTC)
_PARTIES = ("from_phone_number", "from_name", "to_phone_number", "to_name")
_NAMED = pc.field("telephony_session_id")
_SESSION_COLUMNS = ["account_id", "telephony_session_id", "session_id"]
_CALL_COLUMNS = [*_SESSION_COLUMNS, "call_id", "start_time", "duration_ms", *_PARTIES, "extracted_at"]
_RECORDING_COLUMNS = [*_SESSION_COLUMNS, "recording_id", "start_time"]


def update_conversations(storage: Storage, calls: pa.Table, legs: pa.Table) -> int:
    """Brings `conversations`, and the `conversation_id` of `sessions`, up to date with rows that have just landed.

    Landings in parallel may each know a part of a conversation. Nothing of it is left over, because every landing
    writes its calls, legs and recordings first, then looks at all that the tables hold of the conversation, and looks
    again after whatever it has changed, until it finds nothing to change. So after the last change that anybody makes,
    to calls or to conversations, its author looks once more and sees what everybody has written: what it leaves is the
    whole. Links are found in the calls and legs, in the rows given, and in rows of `conversations`, which remember
    those that a record does not name any more.

    A landing without a link, whose sessions no conversation has, reads nothing but `conversations`. It looks there on
    its own days and those around, so a call of a session that begins more than a day after the first one of its
    conversation is noticed when a record that names the link is landed again.

    Args:
        storage: The lake.
        calls: The rows of `calls` that were upserted.
        legs: Those of `legs`.

    Returns:
        How many conversations were written.

    Raises:
        VersionConflictError: Other processes kept changing the same conversations for all our looks.
    """
    landed = links_in(calls, legs)
    if landed.ignored:
        log.warning("%d transfers ignored: %s", len(landed.ignored), "; ".join(landed.ignored[:_SHOWN]))
    linked = {session for link in landed.told_at for session in ends(link)}
    members = _read_members(storage, _days_of(calls))
    touched = calls.filter(_is_of(linked | members.keys(), SESSION_OF_CALL))
    affected = linked | (_by_session(touched.select(_SESSION_COLUMNS)).keys() & members.keys())
    if not affected:
        return 0
    days = _days_of(touched) | {told_at.date() for told_at in landed.told_at.values()}
    written: set[Session] = set()
    for _ in range(_LOOKS):
        found = _look(storage, affected, landed, days_around(days))
        if found.news and tables.upsert(storage, CONVERSATIONS, tables.to_arrow(CONVERSATIONS, found.news)):
            written |= {_key(row) for row in found.news}
        elif not found.outdated and not found.sessions:
            log.info("%d conversations written", len(written))
            return len(written)
        # The whole was written before its parts go, so that no session is ever without its conversation.
        _discard(storage, found.outdated)
        tables.upsert(storage, SESSIONS, tables.to_arrow(SESSIONS, found.sessions))
    raise VersionConflictError(
        f"other processes kept changing the conversations of {min(days)} to {max(days)}; land the same pages again"
    )


def conversation_ids(storage: Storage, telephony_session_ids: Iterable[str], days: Iterable[date]) -> dict[str, str]:
    """The conversation of each session: its own id where no transfer links it to another.

    Args:
        storage: The lake.
        telephony_session_ids: The sessions; the ids are RingCentral's own, no two accounts have the same.
        days: UTC days that calls or recordings of theirs start on.
    """
    members = _read_members(storage, days)
    by_id = {session.telephony_session_id: conversation for session, conversation in members.items()}
    return {session: by_id.get(session, session) for session in telephony_session_ids}


def update_sessions(storage: Storage, telephony_session_ids: Iterable[str], days: Iterable[date]) -> int:
    """Brings the `conversation_id` of rows of `sessions` that have just been upserted up to date.

    Whoever writes a row of `sessions` calls this afterwards, as `update_conversations` looks at `sessions` after it has
    written: whichever of the two comes last sees what the other wrote.

    Args:
        storage: The lake.
        telephony_session_ids: The sessions.
        days: The UTC days of their rows.

    Returns:
        How many rows were changed.
    """
    days = set(days)
    members = _read_members(storage, days)
    ours = is_one_of(telephony_session_ids, _NAMED)
    rows = tables.read(storage, SESSIONS, days, ours).to_pylist()
    own = {_session(row): row["telephony_session_id"] for row in rows}
    changed = _renamed(rows, own | members)
    tables.upsert(storage, SESSIONS, tables.to_arrow(SESSIONS, changed))
    return len(changed)


@dataclass(frozen=True)
class _Found:
    """What a look found to change.

    Attributes:
        news: Rows of `conversations` that do not stand there like this.
        outdated: Rows that stand there and should not: parts of what is a row now, and rows on another day than theirs.
        sessions: Rows of `sessions` with their new conversation_id.
    """

    news: list[Row]
    outdated: list[Row]
    sessions: list[Row]


def _look(storage: Storage, affected: set[Session], landed: Links, days: set[date]) -> _Found:
    """Computes the conversations of the affected sessions, and compares them with what stands in the tables."""
    while True:
        stored = tables.read(storage, CONVERSATIONS, days)
        links = _all_links(landed, read_links(storage, days), stored)
        components = [part for part in connect(links.told_at) if not part.sessions.isdisjoint(affected)]
        conversation_of = {session: part.conversation_id for part in components for session in part.sessions}
        calls = _by_session(tables.read(storage, CALLS, days, _is_of(conversation_of, SESSION_OF_CALL), _CALL_COLUMNS))
        # Where a part of it lies, more of it may lie on the days beside.
        there = {call["start_time"].date() for session in conversation_of for call in calls.get(session, [])}
        there |= {links.told_at[link].date() for part in components for link in part.links}
        if days_around(there) <= days:
            break
        days = days | days_around(there)

    recordings = _by_session(tables.read(storage, RECORDINGS, days, _is_of(conversation_of), _RECORDING_COLUMNS))
    wanted = [_conversation(part, links, calls, recordings) for part in components]
    named = is_one_of({session.telephony_session_id for session in conversation_of}, pc.field("conversation_id"))
    standing = {_place(row): row for row in stored.filter(named).to_pylist() if _key(row) in conversation_of}
    sessions = tables.read(storage, SESSIONS, days, _is_of(conversation_of)).to_pylist()
    return _Found(
        news=[row for row in wanted if row != standing.get(_place(row))],
        outdated=[standing[place] for place in standing.keys() - {_place(row) for row in wanted}],
        sessions=_renamed(sessions, conversation_of),
    )


def _conversation(
    part: Component, links: Links, calls: Mapping[Session, list[Row]], recordings: Mapping[Session, list[Row]]
) -> Row:
    """The row of a component."""
    of_part = _in_order((call for session in part.sessions for call in calls.get(session, [])), "call_id")
    sessions = [_member(session, calls.get(session, [])) for session in part.sessions]
    sessions.sort(key=lambda member: (member["start_time"] or _UNKNOWN_IS_LAST, member["telephony_session_id"]))
    held = _in_order((row for session in part.sessions for row in recordings.get(session, [])), "recording_id")
    return {
        "provider": PROVIDER,
        "account_id": part.account_id,
        "conversation_id": part.conversation_id,
        # A leg may name another session than its call does; then no call says when these began.
        "start_time": of_part[0]["start_time"] if of_part else min(links.told_at[link] for link in part.links),
        "end_time": max((_end(call) for call in of_part), default=None),
        "telephony_session_ids": [member["telephony_session_id"] for member in sessions],
        "sessions": sessions,
        "links": [
            {"from_session_id": link.from_session_id, "to_session_id": link.to_session_id}
            for link in sorted(part.links)
        ],
        "call_ids": [call["call_id"] for call in of_part],
        "recording_ids": [row["recording_id"] for row in held],
        "extracted_at": max((call["extracted_at"] for call in of_part), default=None),
    }


def _member(session: Session, calls: list[Row]) -> Row:
    """A session as it stands in the row of its conversation; its calls are in order."""
    first = calls[0] if calls else {}
    return {
        "telephony_session_id": session.telephony_session_id,
        "start_time": first.get("start_time"),
        "end_time": max((_end(call) for call in calls), default=None),
        **{name: first.get(name) for name in _PARTIES},
    }


def _end(call: Row) -> datetime:
    end: datetime = call["start_time"] + timedelta(milliseconds=call["duration_ms"] or 0)
    return end


def _all_links(landed: Links, read: Links, stored: pa.Table) -> Links:
    links = Links()
    for link, told_at in (*landed.told_at.items(), *read.told_at.items()):
        links.add(link, told_at)
    for row in stored.select(["account_id", "start_time", "links"]).to_pylist():
        for link in row["links"]:
            links.add(Link(row["account_id"], link["from_session_id"], link["to_session_id"]), row["start_time"])
    return links


def _read_members(storage: Storage, days: Iterable[date]) -> dict[Session, str]:
    """The sessions that the conversations of some days and those around have, each with its conversation."""
    columns = ["account_id", "conversation_id", "telephony_session_ids"]
    members: dict[Session, str] = {}
    for row in tables.read(storage, CONVERSATIONS, days_around(days), columns=columns).to_pylist():
        for session_id in row["telephony_session_ids"]:
            session = Session(row["account_id"], session_id)
            # While a conversation grows, the row of a part may still stand beside the row of the whole.
            members[session] = min(row["conversation_id"], members.get(session, row["conversation_id"]))
    return members


def _renamed(sessions: Iterable[Row], conversation_of: Mapping[Session, str]) -> list[Row]:
    """The rows of `sessions` whose conversation has another name, with that name; it can only become smaller."""
    return [
        row | {"conversation_id": name}
        for row in sessions
        if (name := conversation_of.get(_session(row))) is not None
        and (row["conversation_id"] is None or name < row["conversation_id"])
    ]


def _discard(storage: Storage, rows: Iterable[Row]) -> None:
    places: defaultdict[tuple[date, str], set[str]] = defaultdict(set)
    for row in rows:
        places[row["start_time"].date(), row["account_id"]].add(row["conversation_id"])
    for (day, account), ids in places.items():
        named = (pc.field("account_id") == account) & is_one_of(ids, pc.field("conversation_id"))
        tables.discard(storage, CONVERSATIONS, [day], named)


def _by_session(rows: pa.Table) -> dict[Session, list[Row]]:
    by_session: defaultdict[Session, list[Row]] = defaultdict(list)
    for row in rows.to_pylist():
        by_session[_session(row)].append(row)
    return dict(by_session)


def _in_order(rows: Iterable[Row], key: str) -> list[Row]:
    # A row that moves over midnight may be met on both days; counted twice, it would make the longer list, which wins.
    once = {row[key]: row for row in rows}
    return sorted(once.values(), key=lambda row: (row["start_time"], row[key]))


def _is_of(sessions: Iterable[Session], column: pc.Expression = _NAMED) -> pc.Expression:
    """Whether a row is of one of the sessions, or of one of the same name in another account."""
    return is_one_of({session.telephony_session_id for session in sessions}, column)


def _session(row: Row) -> Session:
    return Session(row["account_id"], row["telephony_session_id"] or row["session_id"])


def _key(row: Row) -> Session:
    return Session(row["account_id"], row["conversation_id"])


def _place(row: Row) -> tuple[Session, date]:
    return _key(row), row["start_time"].date()


def _days_of(calls: pa.Table) -> set[date]:
    return {day for day in pc.unique(calls["start_time"].cast(pa.date32())).to_pylist() if day is not None}
