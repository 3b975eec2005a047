"""A lake for `bench.search`: some days of calls, legs, recordings and merged conversations, as a company has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from voxlake.lake import layout, tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS, Table

PEOPLE = 400
CUSTOMERS = 150_000
# Of a hundred conversations so many have two call-log records, and so many of all are recorded.
_TRANSFERRED, _RECORDED = 20, 30
_LEGS_A_CALL = 3
_FIRST_NAMES = np.array(["Ana", "Ben", "Chloé", "Dov", "Eva", "Farid", "Greta", "Hugo", "Ines", "José"], dtype=object)
_LAST_NAMES = np.array(["Abel", "Brandt", "Costa", "Dietz", "Esser", "Fuchs", "García", "Haas"], dtype=object)
_RESULTS = np.array(["Accepted", "Call connected", "Missed", "Voicemail", "Hang Up", "Busy"], dtype=object)
_REASON = "The call connected to and was accepted by this number."
_DAY_MS = 24 * 3600 * 1000


def make_lake(folder: Path, last: date, days: int, conversations: int) -> LocalStorage:
    """The lake of `days` days up to `last`, with about so many conversations; made once, as it takes minutes."""
    storage = LocalStorage(folder / "lake")
    done = folder / "done"
    if not done.exists():
        for number in range(days):
            _make_day(storage, last - timedelta(days=number), number, -(-conversations // days))
            print(f"\r{number + 1} of {days} days made", end="", flush=True)
        done.touch()
        print()
    return storage


def customer_number(customer: int) -> str:
    """The phone number of a customer."""
    return f"+1{2_000_000_000 + customer * 37_337 % 7_999_999_999:010d}"


def _make_day(storage: LocalStorage, day: date, seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    starts = midnight + np.sort(random.integers(0, _DAY_MS - 1, count))
    # Ids do not rise with time.
    scattered = (np.arange(count, dtype=np.uint64) + np.uint64(seed * count)) * np.uint64(0x9E3779B97F4A7C15)
    sessions = _texts("s-a0{:016x}z18f0a1b2c3dz0000", scattered)
    transferred = random.integers(0, 100, count) < _TRANSFERRED
    recorded = random.integers(0, 100, count) < _RECORDED

    conversation = np.concatenate([np.arange(count), np.flatnonzero(transferred)])
    second = np.arange(len(conversation)) >= count
    began = np.minimum(starts[conversation] + np.where(second, 60_000, 0), midnight + _DAY_MS - 1)
    customer = random.integers(0, CUSTOMERS, count)[conversation]
    employee = random.integers(0, PEOPLE, len(conversation))
    inbound = (random.integers(0, 3, count) > 0)[conversation]
    of_calls = _parties(customer, employee, inbound) | {
        "account_id": _same("37439510", len(conversation)),
        "call_id": _texts("AZ{:016x}{}", scattered[conversation], second.astype(int)),
        "session_id": _texts("40{:010d}", conversation),
        "telephony_session_id": sessions[conversation],
        "direction": np.where(inbound, "Inbound", "Outbound").astype(object),
        "type": _same("Voice", len(conversation)),
        "transport": _same("PSTN", len(conversation)),
        "action": _same("Phone Call", len(conversation)),
        "result": _RESULTS[random.integers(0, len(_RESULTS), len(conversation))],
        "reason_description": _same(_REASON, len(conversation)),
        "start_time": _times(began),
        "duration_ms": random.integers(5_000, 900_000, len(conversation)),
        "recording_id": _some(_texts("1662{:016x}", scattered[conversation]), recorded[conversation] & ~second),
        "last_modified_time": _times(began + 3_600_000),
        "extracted_at": _times(began + 7_200_000),
    }
    tables.upsert(storage, CALLS, _table(CALLS, of_calls))

    call = np.repeat(np.arange(len(conversation)), _LEGS_A_CALL)
    leg = np.tile(np.arange(_LEGS_A_CALL), len(conversation))
    colleague = np.where(leg == 0, employee[call], random.integers(0, PEOPLE, len(call)))
    of_legs = {name: np.asarray(values, dtype=object)[call] for name, values in of_calls.items() if name in _ALIKE}
    of_legs |= _parties(customer[call], colleague, inbound[call]) | {
        "leg_index": leg,
        "master": leg == 0,
        "leg_type": np.array(["PstnToSip", "FindMe", "Accept"], dtype=object)[leg],
        "duration_ms": of_calls["duration_ms"][call],
        "start_time": _times(began[call] + leg * 900),
        "call_start_time": _times(began[call]),
        "extracted_at": _times(began[call] + 7_200_000),
        "extra": _texts('{{"sipUuidInfo":"{:032x}"}}', began[call] * 104_729),
    }
    tables.upsert(storage, LEGS, _table(LEGS, of_legs))
    _make_recordings(storage, random, np.flatnonzero(recorded), sessions, of_calls, starts, day)


def _make_recordings(
    storage: LocalStorage,
    random: np.random.Generator,
    recorded: Any,
    sessions: Any,
    of_calls: Mapping[str, Any],
    starts: Any,
    day: date,
) -> None:
    chance = random.integers(0, 100, len(recorded))
    status = np.where(chance < 97, "downloaded", np.where(chance < 98, "unavailable", "pending")).astype(object)
    held = status == "downloaded"
    ids = np.asarray(of_calls["recording_id"], dtype=object)[recorded]
    shared = {
        "provider": _same("ringcentral", len(recorded)),
        "account_id": _same("37439510", len(recorded)),
        "telephony_session_id": sessions[recorded],
        "start_time": _times(starts[recorded]),
        "duration_ms": of_calls["duration_ms"][recorded],
    }
    of_recordings = shared | {
        "recording_id": ids,
        "call_id": of_calls["call_id"][recorded],
        "type": _same("Automatic", len(recorded)),
        "claimed_ms": shared["duration_ms"],
        "status": status,
        "unavailable_reason": np.where(status == "unavailable", "expired", None),
        "attempts": held.astype(int),
        "audio_path": [layout.recording_audio(identifier, day, "audio/mpeg") for identifier in ids],
        "content_type": _same("audio/mpeg", len(recorded)),
        "sha256": _texts("{:064x}", recorded),
        "extracted_at": shared["start_time"],
    }
    tables.upsert(storage, RECORDINGS, _table(RECORDINGS, of_recordings))
    merged = np.flatnonzero(held)
    ends = np.asarray(shared["duration_ms"])[merged]
    of_sessions = {name: np.asarray(values, dtype=object)[merged] for name, values in shared.items()} | {
        "start_time": _times(starts[recorded[merged]]),
        "end_time": _times(starts[recorded[merged]] + ends),
        "conversation_id": sessions[recorded[merged]],
        "direction": of_calls["direction"][recorded[merged]],
        "from_phone_number": np.asarray(of_calls["from_phone_number"])[recorded[merged]],
        "to_phone_number": np.asarray(of_calls["to_phone_number"])[recorded[merged]],
        "recording_ids": [[identifier] for identifier in ids[merged]],
        "chapters": [
            [{"recording_id": identifier, "start_ms": 0, "end_ms": int(end)}]
            for identifier, end in zip(ids[merged], ends, strict=True)
        ],
        "status": _same("complete", len(merged)),
        "audio_path": [layout.session_audio(session, day, "audio/mpeg") for session in sessions[recorded[merged]]],
        "content_type": _same("audio/mpeg", len(merged)),
        "merged_at": _times(starts[recorded[merged]] + 7_200_000),
    }
    tables.upsert(storage, SESSIONS, _table(SESSIONS, of_sessions))


# What a leg has of its call.
_ALIKE = (
    *("account_id", "call_id", "telephony_session_id", "direction", "type", "transport", "action", "result"),
    *("reason_description", "last_modified_time"),
)


def _parties(customer: Any, employee: Any, inbound: Any) -> dict[str, Any]:
    outside = {
        "phone_number": np.array([customer_number(number) for number in customer.tolist()], dtype=object),
        # One in three networks tells no name.
        "name": np.where(
            customer % 3 == 0, None, _FIRST_NAMES[customer % 10] + " " + _LAST_NAMES[customer % 8] + " Ltd"
        ),
        "extension_number": np.full(len(customer), None, dtype=object),
    }
    inside = {
        "phone_number": _texts("+1650555{:04d}", employee),
        "name": _FIRST_NAMES[employee % 10] + _texts(" Person {}", employee),
        "extension_number": _texts("{}", 1000 + employee),
    }
    parties = {}
    for what in outside:
        parties[f"from_{what}"] = np.where(inbound, outside[what], inside[what])
        parties[f"to_{what}"] = np.where(inbound, inside[what], outside[what])
    return parties


def _table(table: Table, columns: Mapping[str, Any]) -> pa.Table:
    count = len(columns["account_id"])
    arrays = [
        pa.array(columns[f.name], from_pandas=True).cast(f.type) if f.name in columns else pa.nulls(count, f.type)
        for f in table.schema
    ]
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _texts(template: str, *values: Any) -> Any:
    return np.array(
        [template.format(*items) for items in zip(*(v.tolist() for v in values), strict=True)], dtype=object
    )


def _same(text: str, count: int) -> Any:
    return np.full(count, text, dtype=object)


def _some(values: Any, present: Any) -> Any:
    return np.where(present, values, None)


def _times(milliseconds: Any) -> pa.Array:
    return pa.array(milliseconds, pa.int64()).cast(pa.timestamp("ms", tz="UTC"))
