"""Call-log records as rows: what RingCentral says in nested JSON, said in the columns of the lake's tables.

A record is taken whole or not at all: a field of the wrong type rejects it by name, a field that is not known is kept
in `extra`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from voxlake.ringcentral.call_log import account_id_of
from voxlake.ringcentral.record_fields import TIMESTAMP, InvalidRecordError, show
from voxlake.ringcentral.record_pages import read_page
from voxlake.ringcentral.record_shapes import CALL, LEG, RECORDING, SECONDS, Columns, Row

Numbers = npt.NDArray[np.int64]

PROVIDER = "ringcentral"

_ACCOUNT_IN_URI = re.compile(r"/account/(?P<account>[A-Za-z0-9]+)(?:/|$)")
# Which record a row is of, by its number on the page.
_RECORD = "record"
# What a deleted record without its facts leaves of its row.
_STUB = frozenset({"account_id", "call_id", "start_time", "deleted", _RECORD})


@dataclass(frozen=True)
class RejectedRecord:
    """A record that did not land, and why."""

    reason: str
    record: Any


@dataclass(frozen=True)
class ParsedRecords:
    """The rows of some records, by table; a column that is missing here is null in all of them.

    Attributes:
        calls: In the order of the records.
        legs: The same.
        recordings: The same; one row a record and recording.
        rejected: The records that have no rows.
    """

    calls: pa.Table
    legs: pa.Table
    recordings: pa.Table
    rejected: list[RejectedRecord]


def parse_page(body: bytes, extracted_at: datetime) -> ParsedRecords:
    """Rows for `calls`, `legs` and `recordings` from a page of the call log or of its modifications.

    A record that is marked as deleted and says neither how the call ended nor how long it lasted has lost its facts.
    Only its key, its start and `deleted` are taken, with no time of change, so that it hides nothing that is known.

    Args:
        body: The page, in the Detailed view, as it was received.
        extracted_at: When the page was read.

    Raises:
        ValueError: The body is not JSON with a list `records`.
    """
    columns = read_page(body)
    if columns is not None and (usual := _named(*columns)) is not None:
        return _rows(*usual, extracted_at, rejected=[])
    return _parse_one_by_one(_page_of(body), extracted_at)


def _named(calls: Columns, legs: Columns) -> tuple[Columns, Columns] | None:
    """The columns with the account of each record; None where a record lacks what it must have."""
    accounts = pc.struct_field(pc.extract_regex(calls.pop("uri"), _ACCOUNT_IN_URI.pattern), "account")
    if accounts.null_count or any(calls[name].null_count for name in ("call_id", "start_time")):
        return None
    legs[_RECORD] = legs.pop("parent")
    return calls | {"account_id": accounts, _RECORD: pa.array(np.arange(len(accounts)))}, legs


def _page_of(body: bytes) -> dict[str, Any]:
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        page = None
    if not isinstance(page, dict) or not isinstance(page.get("records"), list):
        raise ValueError("expected a JSON object with a list `records`")
    return page


def _parse_one_by_one(page: dict[str, Any], extracted_at: datetime) -> ParsedRecords:
    records, account_of_page = page["records"], account_id_of(page)
    reasons: dict[int, str] = {}
    calls: list[Row] = []
    legs: list[Row] = []
    call_numbers: list[int] = []
    leg_numbers: list[int] = []
    accounts: list[str] = []
    for number, record in enumerate(records):
        try:
            account, call, legs_of_call = _take_record(record, account_of_page)
        except InvalidRecordError as error:
            reasons[number] = str(error)
            continue
        accounts.append(account)
        calls.append(call)
        legs += legs_of_call
        call_numbers.append(number)
        leg_numbers += [number] * len(legs_of_call)

    call_columns, wrong_calls = CALL.to_columns(calls)
    leg_columns, wrong_legs = LEG.to_columns(legs)
    leg_index = _places_in_runs(np.array(leg_numbers, dtype=np.int64))
    for row, reason in wrong_calls.items():
        reasons.setdefault(call_numbers[row], reason)
    for row, reason in wrong_legs.items():
        reasons.setdefault(leg_numbers[row], f"legs[{leg_index[row]}].{reason}")
    call_columns |= {_RECORD: pa.array(call_numbers, pa.int64()), "account_id": pa.array(accounts, pa.string())}
    leg_columns[_RECORD] = pa.array(leg_numbers, pa.int64())
    return _rows(
        _without(call_columns, reasons),
        _without(leg_columns, reasons),
        extracted_at,
        rejected=[RejectedRecord(reasons[number], records[number]) for number in sorted(reasons)],
    )


def _take_record(record: Any, account_id: str | None) -> tuple[str, Row, list[Row]]:
    """The account of a record, its values and those of its legs, none of them checked yet."""
    if not isinstance(record, dict):
        raise InvalidRecordError(f"record: expected an object, got {show(record)}")
    for name in ("id", "startTime"):
        if record.get(name) is None:
            raise InvalidRecordError(f"{name}: missing; a call-log record cannot be keyed without it")
    call = CALL.take(record)
    legs = call[-1].pop("legs", [])
    if not isinstance(legs, list):
        raise InvalidRecordError(f"legs: expected a list, got {show(legs)}")
    account = _account_in(record.get("uri")) or account_id
    if account is None:
        raise InvalidRecordError("uri: names no account, and neither does the page; expected /account/{id}/ in it")
    return account, call, [_take_leg(leg, index) for index, leg in enumerate(legs)]


def _take_leg(leg: Any, index: int) -> Row:
    if not isinstance(leg, dict):
        raise InvalidRecordError(f"legs[{index}]: expected an object, got {show(leg)}")
    try:
        return LEG.take(leg)
    except InvalidRecordError as error:
        raise InvalidRecordError(f"legs[{index}].{error}") from None


def _account_in(uri: Any) -> str | None:
    match = _ACCOUNT_IN_URI.search(uri) if isinstance(uri, str) else None
    return match["account"] if match else None


def _rows(calls: Columns, legs: Columns, extracted_at: datetime, rejected: list[RejectedRecord]) -> ParsedRecords:
    """The tables of the records whose columns these are; records and legs in their order."""
    legs["leg_index"] = pa.array(_places_in_runs(np.asarray(legs[_RECORD])), pa.int32())
    _complete(calls, extracted_at)
    _complete(legs, extracted_at)
    calls, legs = _without_lost_facts(calls, legs)
    call_of_leg = np.searchsorted(np.asarray(calls[_RECORD]), np.asarray(legs[_RECORD]))
    legs |= _take(calls, call_of_leg, ("account_id", "call_id", "last_modified_time"))
    legs["call_start_time"] = calls["start_time"].take(pa.array(call_of_leg))
    recordings = _recordings(calls, legs, call_of_leg)
    calls["provider"] = pa.repeat(PROVIDER, len(calls[_RECORD]))
    return ParsedRecords(_table(calls), _table(legs), recordings, rejected)


def _places_in_runs(numbers: Numbers) -> Numbers:
    """Of each leg its place in its record, by the numbers of their records: the legs of a record stand together."""
    return np.arange(len(numbers)) - np.searchsorted(numbers, numbers)


def _complete(columns: Columns, extracted_at: datetime) -> None:
    """Adds what follows from a row's own values."""
    read_at = pa.repeat(pa.scalar(extracted_at, TIMESTAMP), len(columns[_RECORD]))
    columns["extracted_at"] = read_at
    columns["recording_seen_at"] = pc.if_else(columns["recording_id"].is_valid(), read_at, None)
    columns["duration_ms"] = pc.coalesce(columns["duration_ms"], pc.multiply(columns[SECONDS], 1000))


def _without_lost_facts(calls: Columns, legs: Columns) -> tuple[Columns, Columns]:
    """The same rows; of deleted records without facts, only what `parse_records` says."""
    facts = pc.or_(calls["result"].is_valid(), calls["duration_ms"].is_valid())
    stub = pc.and_not(pc.fill_null(calls["deleted"], False), facts)
    if not pc.any(stub).as_py():
        return calls, legs
    left = {name: column if name in _STUB else pc.if_else(stub, None, column) for name, column in calls.items()}
    return left, _without(legs, calls[_RECORD].filter(stub).to_pylist())


def _recordings(calls: Columns, legs: Columns, call_of_leg: Numbers) -> pa.Table:
    """One row a record and recording, from the earliest leg that carries it, else from the record.

    The record, its master leg and further legs repeat one recording; legs also carry recordings of their own
    (https://developers.ringcentral.com/guide/voice/call-log/details). A leg says best when its recording began.
    """
    count = len(calls[_RECORD])
    no_leg = {"leg_index": pa.nulls(count, pa.int32())}
    carriers = {name: pa.concat_arrays([legs[name], (calls | no_leg)[name]]) for name in _CARRIER}
    call_of = np.concatenate([call_of_leg, np.arange(count)])
    carriers["start_time"] = pc.coalesce(carriers["start_time"], calls["start_time"].take(pa.array(call_of)))

    # By record; in it the legs before the record itself, by their start, and in their order where they start together.
    order = np.lexsort((carriers["start_time"].cast(pa.int64()), carriers["leg_index"].is_null(), call_of))
    order = order[np.asarray(carriers["recording_id"].is_valid())[order]]
    recording_ids = carriers["recording_id"].dictionary_encode()
    claims = call_of * len(recording_ids.dictionary) + np.asarray(recording_ids.indices.fill_null(-1))
    _, firsts, claim_of = np.unique(claims[order], return_index=True, return_inverse=True)
    shortest = _shortest(carriers["duration_ms"], order, claim_of)[np.argsort(firsts)]
    chosen = order[np.sort(firsts)]

    rows = _take(calls, call_of[chosen], ("account_id", "call_id", "session_id", "extracted_at"))
    session_of_call = calls["telephony_session_id"].take(pa.array(call_of[chosen]))
    rows |= _take(carriers, chosen, _CARRIER)
    rows["telephony_session_id"] = pc.coalesce(
        rows["telephony_session_id"], session_of_call, rows["session_id"], rows["recording_id"]
    )
    rows |= {name: rows.pop(f"{RECORDING}{name}") for name in ("type", "uri", "content_uri")}
    # Of all that carry it: the record's master leg has the ringing, and the wait in a queue, too.
    rows["claimed_ms"] = pa.array(shortest, pa.int64(), mask=shortest == _UNKNOWN)
    del rows["duration_ms"]
    rows |= {
        "provider": pa.repeat(PROVIDER, len(chosen)),
        "status": pa.repeat("pending", len(chosen)),
        "attempts": pa.repeat(pa.scalar(0, pa.int64()), len(chosen)),
    }
    return pa.table(rows)


def _shortest(durations: pa.Array, order: Numbers, claim_of: Numbers) -> Numbers:
    """The shortest of the durations that make each claim, in the order of the claims."""
    shortest = np.full(claim_of.max(initial=-1) + 1, _UNKNOWN)
    np.minimum.at(shortest, claim_of, np.asarray(durations.fill_null(_UNKNOWN))[order])
    return shortest


def _take(columns: Columns, rows: Numbers, names: Sequence[str]) -> Columns:
    return {name: columns[name].take(pa.array(rows)) for name in names}


def _without(columns: Columns, numbers: Collection[int]) -> Columns:
    if not numbers:
        return columns
    stays = pa.array(~np.isin(columns[_RECORD], list(numbers)))
    return {name: column.filter(stays) for name, column in columns.items()}


def _table(columns: Columns) -> pa.Table:
    """What of the columns belongs to the rows' own table: the rest was on its way to another one."""
    return pa.table(
        {
            name: column
            for name, column in columns.items()
            if name not in (_RECORD, SECONDS) and not name.startswith(RECORDING)
        }
    )


_UNKNOWN = np.iinfo(np.int64).max

_CARRIER = (
    "recording_id",
    "duration_ms",
    "telephony_session_id",
    "leg_index",
    "start_time",
    f"{RECORDING}type",
    f"{RECORDING}uri",
    f"{RECORDING}content_uri",
)
