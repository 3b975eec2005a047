"""Recordings that Sinch told of and never delivered: a row each, so that none is missing without a word."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from voxlake.archive.plan import days_around
from voxlake.archive.sinch_calls import PROVIDER, CallFacts, read_facts
from voxlake.lake import layout, tables
from voxlake.lake.schemas import RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.sinch.events import Notification

log = logging.getLogger(__name__)

Row = dict[str, Any]

_TOLD = ("recording_finished", "recording_available")
_REASON = "not_delivered"


def note_undelivered(storage: Storage, days: Iterable[date], now: datetime, wait: timedelta, account_id: str) -> None:
    """Writes a row for each call whose recording was told of and is not there; removes those of calls that have one.

    Sinch does not say how many recordings of a call there are, and its notifications of them are alike to the byte: so
    this tells of calls without any recording.

    Args:
        storage: The lake.
        days: UTC days that callbacks came on.
        now: What counts as now.
        wait: How long after it was first told of a recording may still arrive.
        account_id: The application of whom no callback says it.
    """
    days = set(days)
    delivered, noted = _delivered(storage, days)
    rows = []
    for folder, on_days in _told(storage, days).items():
        if folder in delivered and _id_of(folder) not in noted:
            continue
        facts = read_facts(storage, folder, on_days)
        row = _row(facts, account_id, now)
        # The recording may be of another day than that on which it was told of.
        there, noted_there = _delivered(storage, facts.days)
        if there & {folder, row["telephony_session_id"]}:
            if row["recording_id"] in noted_there:
                tables.discard(storage, RECORDINGS, days_around(facts.days), _is(row["recording_id"]))
        elif row["start_time"] + wait <= now and row["recording_id"] not in noted_there:
            rows.append(row)
            log.warning("call %s: %s", row["call_id"], row["error"])
    tables.upsert(storage, RECORDINGS, tables.to_arrow(RECORDINGS, rows))


def _told(storage: Storage, days: Iterable[date]) -> dict[str, set[date]]:
    """The folders of the calls whose recordings callbacks of some days told of, from the names alone."""
    told: defaultdict[str, set[date]] = defaultdict(set)
    for day in days:
        for path in storage.list(layout.callbacks_folder(day)):
            *_, folder, name = path.split("/")
            if name.split("--")[1] in _TOLD:
                told[folder].add(day)
    return told


def _delivered(storage: Storage, days: Iterable[date]) -> tuple[set[str], set[str]]:
    """The calls and conversations with recordings that arrived, as paths have them, and the rows for others."""
    columns = ["call_id", "telephony_session_id", "recording_id", "unavailable_reason"]
    rows = tables.read(storage, RECORDINGS, days_around(days), pc.field("provider") == PROVIDER, columns).to_pylist()
    arrived = [row for row in rows if row["unavailable_reason"] != _REASON]
    ids = {row[name] for row in arrived for name in ("call_id", "telephony_session_id") if row[name] is not None}
    return {layout.safe_id(one) for one in ids}, {
        row["recording_id"] for row in rows if row["unavailable_reason"] == _REASON
    }


def _row(facts: CallFacts, account_id: str, now: datetime) -> Row:
    notified = [
        (callback, kept)
        for callback, kept in zip(facts.callbacks, facts.kept, strict=False)
        if isinstance(callback, Notification) and callback.type in _TOLD
    ]
    first = min(kept.received_at for _, kept in notified)
    call_id = next((callback.call_id for callback, _ in notified if callback.call_id), None)
    conference = next((callback.conference_id for callback, _ in notified if callback.conference_id), None)
    subject = layout.safe_id(conference or call_id or "")
    destinations = sorted({callback.destination for callback, _ in notified if callback.destination})
    where = f"nothing lies at {', '.join(destinations)}" if destinations else "it never said that the file is there"
    return {
        "provider": PROVIDER,
        "account_id": facts.application_key or account_id,
        "recording_id": _id_of(layout.safe_id(call_id or subject)),
        "telephony_session_id": subject,
        "call_id": call_id,
        "type": "Conference" if conference else "Call",
        "start_time": first,
        "status": "unavailable",
        "unavailable_reason": _REASON,
        "error": f"Sinch told of a recording at {first:%Y-%m-%d %H:%M} UTC, and {where}: look whether the bucket "
        "credentials that it is given are still good, as it does not say",
        "attempts": 0,
        "extracted_at": now,
    }


def _id_of(folder: str) -> str:
    return f"{folder[:90]}-undelivered"


def _is(recording_id: str) -> pc.Expression:
    return (pc.field("provider") == PROVIDER) & (pc.field("recording_id") == recording_id)
