"""What RingCentral may say of records in the course of time, for the property-based tests.

A unit is what one read has of one record, and lands in one upsert: a row of `calls`, all its `legs`, a claim or an
outcome of a recording, a merge of a session, a conversation as one run knew it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from voxlake.lake.schemas import CALLS, CONVERSATIONS, LEGS, RECORDINGS, SESSIONS, Table

Row = dict[str, Any]
Unit = list[Row]

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
PROVIDER = {"provider": "ringcentral", "account_id": "1"}

# What `reach` grants: RingCentral moves the start of a record by minutes, here over midnight or in the middle of a day.
_starts_of_a_record = st.one_of(
    st.lists(st.sampled_from([-20, -1, 0, 1, 25]), min_size=1, max_size=3), st.just([700])
).map(lambda minutes: [MIDNIGHT + timedelta(minutes=m) for m in minutes])
_starts_of_a_session = st.sampled_from([-600, -1, 0, 1, 600]).map(lambda minute: MIDNIGHT + timedelta(minutes=minute))
_names = st.sampled_from([None, "a", "b"])


def _at(second: int) -> datetime:
    return MIDNIGHT + timedelta(hours=1, seconds=second)


@st.composite
def _call_history(draw: st.DrawFn, call_id: str) -> list[Unit]:
    starts = draw(_starts_of_a_record)
    units: list[Unit] = []
    modified = 0
    for number in range(draw(st.integers(1, 4))):
        modified += draw(st.integers(0, 1))
        # A page that is read again in one folder has the same time, and may say something else.
        for _ in range(draw(st.integers(1, 2))):
            recording = draw(_names)
            row = {"account_id": "1", "call_id": call_id, "start_time": draw(st.sampled_from(starts))}
            row |= {"result": draw(_names), "from_name": draw(_names), "deleted": draw(st.sampled_from([None, True]))}
            row |= {"recording_id": recording, "recording_seen_at": None if recording is None else _at(number)}
            row["last_modified_time"] = draw(st.sampled_from([None, _at(modified)]))
            row["cost_included"] = draw(st.sampled_from([None, 0.0, 0.25]))
            units.append([row | {"extracted_at": _at(number)}])
    return units


@st.composite
def _leg_history(draw: st.DrawFn, call_id: str) -> list[Unit]:
    """Legs come in between and at the end, and go at the end, so that a place is taken by one leg after another.

    A leg never comes back to a place that it has left, nor does a record lose its lastModifiedTime: what a place said
    of a former leg's recording is forgotten by then, and so the result would depend on which versions met first.
    """
    starts = draw(_starts_of_a_record)
    has_modified = draw(st.booleans())
    legs: list[int] = []
    units: list[Unit] = []
    born = modified = 0
    for number in range(draw(st.integers(1, 4))):
        modified += draw(st.integers(0, 1))
        del legs[max(1, len(legs) - draw(st.integers(0, 2))) :]
        for _ in range(draw(st.integers(0 if legs else 1, 2))):
            legs.insert(draw(st.integers(0, len(legs))), born)
            born += 1
        for reads in range(draw(st.integers(1, 2))):
            if reads and draw(st.booleans()):
                legs.append(born)
                born += 1
            unit = []
            start = draw(st.sampled_from(starts))
            for index, leg in enumerate(legs):
                recording = draw(_names)
                row = {"account_id": "1", "call_id": call_id, "leg_index": index, "call_start_time": start}
                row |= {"start_time": MIDNIGHT + timedelta(seconds=leg), "result": draw(_names)}
                row |= {"recording_id": recording, "recording_seen_at": None if recording is None else _at(number)}
                row["last_modified_time"] = _at(modified) if has_modified else None
                unit.append(row | {"extracted_at": _at(number)})
            units.append(unit)
    return units


@st.composite
def _recording_history(draw: st.DrawFn, recording_id: str) -> list[Unit]:
    """Records on both sides of midnight claim it, and runs at once try to fetch it."""
    units: list[Unit] = []
    for _ in range(draw(st.integers(1, 6))):
        status = draw(st.sampled_from(["pending", "failed", "unavailable", "downloaded"]))
        row = PROVIDER | {"recording_id": recording_id, "start_time": draw(_starts_of_a_session), "status": status}
        row |= {"call_id": draw(st.sampled_from("xyz")), "leg_index": draw(st.sampled_from([None, 0, 1]))}
        row |= {"telephony_session_id": draw(st.sampled_from(["s-1", "s-2"])), "attempts": draw(st.integers(0, 2))}
        row |= {"extracted_at": _at(draw(st.integers(0, 2)))}
        if status == "downloaded":
            row |= {"downloaded_at": _at(draw(st.integers(0, 1))), "audio_path": draw(_names)}
        else:
            row |= {"error": draw(_names)}
        units.append([row])
    return units


@st.composite
def _session_history(draw: st.DrawFn, session_id: str) -> list[Unit]:
    units: list[Unit] = []
    for _ in range(draw(st.integers(1, 6))):
        held = draw(st.lists(st.sampled_from("abc"), unique=True))
        chapters = [{"recording_id": each, "start_ms": number} for number, each in enumerate(held)]
        row = PROVIDER | {"telephony_session_id": session_id, "start_time": draw(_starts_of_a_session)}
        row |= {"recording_ids": held, "chapters": draw(st.sampled_from([None, chapters])), "sha256": draw(_names)}
        row |= {"conversation_id": draw(_names), "merged_at": _at(draw(st.integers(0, 2)))}
        units.append([row])
    return units


@st.composite
def _conversation_history(draw: st.DrawFn, conversation_id: str) -> list[Unit]:
    units: list[Unit] = []
    some = st.lists(st.sampled_from("abc"), unique=True)
    for _ in range(draw(st.integers(1, 6))):
        sessions = draw(some)
        row = PROVIDER | {"conversation_id": conversation_id, "start_time": draw(_starts_of_a_session)}
        row |= {"telephony_session_ids": sessions, "call_ids": draw(some), "recording_ids": draw(some)}
        row |= {"sessions": [{"telephony_session_id": each, "from_name": draw(_names)} for each in sessions]}
        row |= {"end_time": _at(draw(st.integers(0, 1))), "extracted_at": _at(draw(st.integers(0, 2)))}
        units.append([row])
    return units


_HISTORY_OF_ONE: dict[str, Callable[[str], st.SearchStrategy[list[Unit]]]] = {
    CALLS.name: _call_history,
    LEGS.name: _leg_history,
    RECORDINGS.name: _recording_history,
    SESSIONS.name: _session_history,
    CONVERSATIONS.name: _conversation_history,
}


@st.composite
def histories(draw: st.DrawFn, table: Table) -> list[Unit]:
    """The units of one to three records, in an order and with repetitions that say nothing of their age."""
    units = [unit for name in "ABC"[: draw(st.integers(1, 3))] for unit in draw(_HISTORY_OF_ONE[table.name](name))]
    again = draw(st.lists(st.sampled_from(units), max_size=4))
    return draw(st.permutations(units + again))


@st.composite
def groups(draw: st.DrawFn, units: list[Unit], most: int) -> list[Unit]:
    """The same units, in up to `most` upserts."""
    cuts = sorted(draw(st.lists(st.integers(0, len(units)), max_size=most - 1)))
    bounds = [0, *cuts, len(units)]
    return [[row for unit in units[start:end] for row in unit] for start, end in pairwise(bounds)]
