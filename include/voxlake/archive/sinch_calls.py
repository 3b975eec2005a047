"""The row of a Sinch call in `calls`: what all its callbacks and the call resource say, in whatever order they came."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from voxlake.archive.plan import days_around
from voxlake.archive.sinch_callbacks import CALL_RESOURCE, Kept, read_kept
from voxlake.lake import layout
from voxlake.lake.storage import Storage
from voxlake.sinch.calls import Call
from voxlake.sinch.events import Callback, DisconnectedCall, IncomingCall, Notification, parse_callback
from voxlake.sinch.file_names import FileName, parse_file_name
from voxlake.sinch.parts import Endpoint, Money

Row = dict[str, Any]

PROVIDER = "sinch"

# A number without the + that others have; no extension has so many digits.
_BARE_NUMBER = re.compile(r"[1-9]\d{7,14}")
_NUMBER = re.compile(r"\+\d{4,15}")
_OF_PEOPLE = ("number", "did", "")


@dataclass(frozen=True)
class CallFacts:
    """What is known of a call.

    Attributes:
        callbacks: All callbacks, by time.
        resource: The call resource, if it was asked for.
        kept: What these were read from, in the same order, the resource last.
        days: The UTC days that were looked at for it.
    """

    callbacks: Sequence[Callback] = ()
    resource: Call | None = None
    kept: Sequence[Kept] = ()
    days: frozenset[date] = frozenset()

    @property
    def application_key(self) -> str | None:
        """Whose call it is."""
        named = [callback.application_key for callback in self.callbacks if callback.application_key]
        signed = [kept.application_key for kept in self.kept if kept.application_key]
        return min(named or signed, default=None)

    @property
    def conference_id(self) -> str | None:
        """The conference that the call was in."""
        return min((callback.conference_id for callback in self.callbacks if callback.conference_id), default=None)

    @property
    def incoming(self) -> IncomingCall | None:
        """The last `ice`."""
        return next((one for one in reversed(self.callbacks) if isinstance(one, IncomingCall)), None)

    @property
    def disconnected(self) -> DisconnectedCall | None:
        """The last `dice`."""
        return next((one for one in reversed(self.callbacks) if isinstance(one, DisconnectedCall)), None)

    def announcement(self, destination: str, written_at: datetime) -> Notification | None:
        """The first notification that a file lies at a destination, of those that came when it did."""
        for callback, kept in zip(self.callbacks, self.kept, strict=False):
            told = isinstance(callback, Notification) and callback.destination == destination
            # The clocks of two companies.
            if told and kept.received_at >= written_at - timedelta(minutes=1):
                return callback  # type: ignore[return-value] # narrowed by `told`
        return None


def read_facts(storage: Storage, call_id: str, days: Iterable[date]) -> CallFacts:
    """All that is kept of a call: on some UTC days, and on those that what is found there speaks of.

    Args:
        storage: The lake.
        call_id: The call, or the conference.
        days: When callbacks of it came, or when it was recorded.
    """
    looked = set(days)
    while True:
        facts = _facts_of(read_kept(storage, call_id, looked), looked)
        times = {callback.timestamp.date() for callback in facts.callbacks if callback.timestamp}
        names = [_file_name(callback) for callback in facts.callbacks]
        spoken_of = times | {name.time.date() for name in names if name is not None}
        if spoken_of <= days_around(looked):
            return facts
        looked |= spoken_of


def _file_name(callback: Callback) -> FileName | None:
    destination = callback.destination if isinstance(callback, Notification) else None
    return parse_file_name((destination or "").rpartition("/")[2])


def _facts_of(kept: Sequence[Kept], days: Iterable[date]) -> CallFacts:
    read = [(parse_callback(one.body), one) for one in kept if one.kind != CALL_RESOURCE]
    # What has no time of its own is ordered by what it says, lest the order depend on which way it came.
    read.sort(key=lambda pair: (pair[0].timestamp is None, pair[0].timestamp or 0, pair[1].digest))
    resources = sorted((one for one in kept if one.kind == CALL_RESOURCE), key=lambda one: one.received_at)
    resource = Call.model_validate_json(resources[-1].body) if resources else None
    callbacks = [callback for callback, _ in read]
    return CallFacts(callbacks, resource, [one for _, one in read] + resources, frozenset(days))


def call_row(call_id: str, facts: CallFacts, extracted_at: datetime) -> Row | None:
    """The call's row; None where nothing says when it was, or whose it is.

    Args:
        call_id: The call.
        facts: All that is known of it.
        extracted_at: Now: of two rows of a call the later one knows more.
    """
    ice, dice, resource = facts.incoming, facts.disconnected, facts.resource
    start, account = _start(facts), facts.application_key
    if start is None or account is None:
        return None
    duration = next((one.duration for one in (dice, resource) if one is not None and one.duration is not None), None)
    debit = _first(dice, resource, "debit")
    domain = (_first(resource, ice, "domain") or "").lower()
    times = [callback.timestamp for callback in facts.callbacks if callback.timestamp]
    return {
        "provider": PROVIDER,
        "account_id": account,
        "call_id": call_id,
        "telephony_session_id": layout.safe_id(facts.conference_id or call_id),
        "type": "Voice",
        "direction": _direction(ice),
        "transport": {"": None, "pstn": "PSTN"}.get(domain, "VoIP"),
        "result": _first(dice, resource, "result"),
        "reason": _first(dice, resource, "reason"),
        "start_time": start,
        "duration_ms": None if duration is None else int(duration * 1000),
        **_party("from", _caller(ice, dice, resource)),
        **_party("to", _first(resource, ice, "to") or (dice.to if dice else None)),
        "cost_purchased": float(debit.amount) if isinstance(debit, Money) and debit.amount is not None else None,
        "last_modified_time": max(times, default=start),
        "extracted_at": extracted_at,
        "extra": _extra(facts),
    }


def _start(facts: CallFacts) -> datetime | None:
    ice, dice, resource = facts.incoming, facts.disconnected, facts.resource
    if ice is not None and ice.timestamp:
        return ice.timestamp
    if resource is not None and resource.timestamp:
        return resource.timestamp
    if dice is not None and dice.timestamp:
        return dice.timestamp - timedelta(seconds=dice.duration or 0)
    return min((callback.timestamp for callback in facts.callbacks if callback.timestamp), default=None)


def _direction(ice: IncomingCall | None) -> str | None:
    """Of a call that the application made itself there is no `ice`, nor is there where one was lost."""
    if ice is None:
        return None
    return "Outbound" if (ice.origination_type or "").lower() == "mxp" else "Inbound"


def _caller(ice: IncomingCall | None, dice: DisconnectedCall | None, resource: Call | None) -> Endpoint | None:
    if resource is not None and resource.from_ is not None:
        return resource.from_
    shown = (ice.cli if ice is not None else None) or (dice.from_ if dice is not None else None)
    return Endpoint(type="number", endpoint=shown) if shown else None


def _party(side: str, who: Endpoint | None) -> Row:
    if who is None or not who.endpoint:
        return {}
    if (who.type or "").lower() in _OF_PEOPLE:
        number = f"+{who.endpoint}" if _BARE_NUMBER.fullmatch(who.endpoint) else who.endpoint
        if _NUMBER.fullmatch(number):
            return {f"{side}_phone_number": number}
    return {f"{side}_name": who.endpoint}


def _first(one: Any, other: Any, name: str) -> Any:
    """An attribute of the first that has it."""
    values = (getattr(source, name, None) for source in (one, other))
    return next((value for value in values if value is not None), None)


def _extra(facts: CallFacts) -> str:
    """Everything, by kind; of several of a kind a list, by what they say."""
    said: dict[str, list[Mapping[str, Any]]] = {}
    for one in facts.kept:
        value = json.loads(one.body)
        said.setdefault(str(value.get("event", CALL_RESOURCE)).lower(), []).append(value)
    lists = {kind: sorted(values, key=lambda value: json.dumps(value, sort_keys=True)) for kind, values in said.items()}
    return json.dumps(
        {kind: values if kind in ("notify", "pie") else values[-1] for kind, values in lists.items()}, sort_keys=True
    )
