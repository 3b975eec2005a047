"""Transfers: which telephony sessions are linked to each other, and what they make up together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from voxlake.lake import layout, tables
from voxlake.lake.schemas import CALLS, LEGS
from voxlake.lake.storage import Storage

Row = dict[str, Any]

# As recordings have it: the legacy id stands for the conversation where the source has no other.
SESSION_OF_CALL = pc.coalesce(pc.field("telephony_session_id"), pc.field("session_id"))

_LINKED = pc.field("transfer_target_session_id").is_valid() | pc.field("transferee_session_id").is_valid()
_COLUMNS = ["account_id", "call_id", "telephony_session_id", "transfer_target_session_id", "transferee_session_id"]
# What `links_in`, and who asks for the conversations of landed rows, has to know of calls and legs.
CALL_COLUMNS = [*_COLUMNS, "session_id", "start_time"]
LEG_COLUMNS = [*_COLUMNS, "call_start_time"]


class Session(NamedTuple):
    """A telephony session of an account."""

    account_id: str
    telephony_session_id: str


class Link(NamedTuple):
    """That one session was transferred to another of the same account."""

    account_id: str
    from_session_id: str
    to_session_id: str


@dataclass(frozen=True)
class Links:
    """The links in some rows.

    Attributes:
        told_at: Each link with the start of the earliest call that tells of it.
        ignored: Why others tell of none, a line each.
    """

    told_at: dict[Link, datetime] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def add(self, link: Link, told_at: datetime) -> None:
        """Adds a link, or a further call that tells of it."""
        self.told_at[link] = min(told_at, self.told_at.get(link, told_at))


@dataclass(frozen=True)
class Component:
    """Sessions that links connect: no other session is linked to any of them.

    Attributes:
        account_id: Whose sessions they are.
        session_ids: Their telephonySessionIds, at least two.
        links: The links between them.
    """

    account_id: str
    session_ids: frozenset[str]
    links: frozenset[Link]

    @property
    def conversation_id(self) -> str:
        """The smallest of the ids, as text."""
        return min(self.session_ids)

    @property
    def sessions(self) -> frozenset[Session]:
        """The sessions."""
        return frozenset(Session(self.account_id, session_id) for session_id in self.session_ids)


def read_links(storage: Storage, days: Iterable[date]) -> Links:
    """The links that the calls and legs of some UTC days tell of."""
    days = set(days)
    legs = tables.read(storage, LEGS, days, _LINKED, LEG_COLUMNS)
    return links_in(tables.read(storage, CALLS, days, _LINKED | _is_call_of(legs), CALL_COLUMNS), legs)


def links_in(calls: pa.Table, legs: pa.Table) -> Links:
    """The links in rows of `calls` and `legs`; a leg that names no session is of its call's, if that is among them."""
    linked_legs = legs.select(LEG_COLUMNS).filter(_LINKED)
    known_calls = calls.select(CALL_COLUMNS).filter(_LINKED | _is_call_of(linked_legs)).to_pylist()
    sessions = {
        (call["account_id"], call["call_id"]): call["telephony_session_id"] or call["session_id"]
        for call in known_calls
    }
    links = Links()
    for row in (*known_calls, *linked_legs.to_pylist()):
        session = row["telephony_session_id"] or sessions.get((row["account_id"], row["call_id"]))
        for link in _links_of(row, session):
            if isinstance(link, Link):
                links.add(link, row.get("start_time") or row["call_start_time"])
            else:
                links.ignored.append(f"call {row['call_id']}: {link}")
    return links


def connect(links: Iterable[Link]) -> list[Component]:
    """The components that links make of sessions."""
    links = set(links)
    parents: dict[Session, Session] = {}

    def root(session: Session) -> Session:
        while (parent := parents.setdefault(session, session)) != session:
            # Each look halves the way of the next one.
            parents[session] = parents[parent]
            session = parent
        return session

    for link in links:
        one, other = ends(link)
        parents[root(one)] = root(other)
    members: defaultdict[Session, set[str]] = defaultdict(set)
    inner: defaultdict[Session, set[Link]] = defaultdict(set)
    for link in links:
        of = root(ends(link)[0])
        members[of] |= {link.from_session_id, link.to_session_id}
        inner[of].add(link)
    return [
        Component(of.account_id, frozenset(session_ids), frozenset(inner[of])) for of, session_ids in members.items()
    ]


def ends(link: Link) -> tuple[Session, Session]:
    """The session that was transferred, and the one it was transferred to."""
    return Session(link.account_id, link.from_session_id), Session(link.account_id, link.to_session_id)


def is_one_of(texts: Iterable[str], column: pc.Expression) -> pc.Expression:
    """Whether a text column has one of the texts, of which there may be none."""
    return column.isin(pa.array(sorted(texts), pa.string()))


def _is_call_of(legs: pa.Table) -> pc.Expression:
    """Whether a call has one of the legs that name no session of their own."""
    nameless = legs.filter(pc.field("telephony_session_id").is_null())
    return is_one_of(set(nameless["call_id"].to_pylist()), pc.field("call_id"))


def _links_of(row: Row, session: str | None) -> Iterator[Link | str]:
    """The links of a row of this session, and in words why a transfer makes none."""
    account, target, transferee = row["account_id"], row["transfer_target_session_id"], row["transferee_session_id"]
    if target is not None:
        yield _link(account, session, target)
    if transferee is not None:
        yield _link(account, transferee, session)


def _link(account_id: str, one: str | None, other: str | None) -> Link | str:
    if one is None or other is None:
        return f"{one or other!r} is linked with a call that has no session"
    if one == other:
        return f"session {one!r} is linked with itself"
    for session in (one, other):
        if not layout.is_safe_id(session):
            return f"{session!r} is no telephonySessionId: expected letters, digits, '-' and '_'"
    return Link(account_id, one, other)
