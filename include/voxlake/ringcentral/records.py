"""Call-log records as rows: what RingCentral says in nested JSON, said in the columns of the lake's tables.

A record is taken whole or not at all: a field of the wrong type rejects it by name, a field that is not known is kept
in `extra`. Field list: https://developers.ringcentral.com/api-reference/Call-Log/readCompanyCallLog
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

Row = dict[str, Any]
_Number = TypeVar("_Number", int, float)
_Converter = Callable[[Any], Any]
_Tree = Mapping[str, "tuple[str, _Converter] | _Tree"]

PROVIDER = "ringcentral"


class InvalidRecordError(ValueError):
    """A record that cannot be landed; the text names the field and what was expected."""


@dataclass(frozen=True)
class RejectedRecord:
    """A record that did not land, and why."""

    reason: str
    record: Any


@dataclass
class ParsedRecords:
    """The rows of some records, by table, and what was rejected."""

    calls: list[Row] = field(default_factory=list)
    legs: list[Row] = field(default_factory=list)
    recordings: list[Row] = field(default_factory=list)
    rejected: list[RejectedRecord] = field(default_factory=list)


def parse_records(records: Iterable[Any], account_id: str | None, extracted_at: datetime) -> ParsedRecords:
    """Rows for `calls`, `legs` and `recordings`.

    Args:
        records: Call-log records of a Detailed page, as parsed from JSON.
        account_id: The account of the page, for records whose own `uri` does not name it.
        extracted_at: When the page was read.
    """
    parsed = ParsedRecords()
    for record in records:
        try:
            call, legs, recordings = parse_record(record, account_id, extracted_at)
        except InvalidRecordError as error:
            parsed.rejected.append(RejectedRecord(str(error), record))
        else:
            parsed.calls.append(call)
            parsed.legs.extend(legs)
            parsed.recordings.extend(recordings)
    return parsed


def parse_record(record: Any, account_id: str | None, extracted_at: datetime) -> tuple[Row, list[Row], list[Row]]:
    """The row of a record, of its legs, and of the recordings that it and they carry.

    Raises:
        InvalidRecordError: A field is missing or of the wrong type; the text names it.
    """
    if not isinstance(record, dict):
        raise InvalidRecordError(f"record: expected an object, got {_show(record)}")
    call = _read(record, _CALL, without=("legs",))
    for name, column in (("id", "call_id"), ("startTime", "start_time")):
        if column not in call:
            raise InvalidRecordError(f"{name}: missing; a call-log record cannot be keyed without it")
    call["account_id"] = _account_in(record.get("uri")) or account_id
    if call["account_id"] is None:
        raise InvalidRecordError("uri: names no account, and neither does the page; expected /account/{id}/ in it")
    call["extracted_at"] = extracted_at
    legs = [_leg(leg, index, call) for index, leg in enumerate(_leg_list(record))]
    recordings = _recordings(call, legs)
    for row in (call, *legs):
        if row.get("recording_id") is not None:
            row["recording_seen_at"] = extracted_at
        for column in [name for name in row if name.startswith(_RECORDING)]:
            del row[column]
    return call, legs, recordings


def _leg_list(record: Mapping[str, Any]) -> list[Any]:
    legs = record.get("legs")
    if legs is None:
        return []
    if not isinstance(legs, list):
        raise InvalidRecordError(f"legs: expected a list, got {_show(legs)}")
    return legs


def _leg(leg: Any, index: int, call: Row) -> Row:
    path = f"legs[{index}]"
    if not isinstance(leg, dict):
        raise InvalidRecordError(f"{path}: expected an object, got {_show(leg)}")
    row = _read(leg, _LEG, path=f"{path}.")
    row.update(
        account_id=call["account_id"],
        call_id=call["call_id"],
        leg_index=index,
        call_start_time=call["start_time"],
        last_modified_time=call.get("last_modified_time"),
        extracted_at=call["extracted_at"],
    )
    return row


def _recordings(call: Row, legs: list[Row]) -> list[Row]:
    """One row a recording id, from the earliest leg that carries it, else from the record.

    The record, its master leg and further legs repeat one recording; legs also carry recordings of their own
    (https://developers.ringcentral.com/guide/voice/call-log/details). A leg says best when its recording began.
    """
    rows: dict[str, Row] = {}
    by_start = sorted(legs, key=lambda leg: leg.get("start_time") or call["start_time"])
    for carrier in (*by_start, call):
        recording_id = carrier.get("recording_id")
        if recording_id is None or recording_id in rows:
            continue
        session_id = call.get("session_id")
        rows[recording_id] = {
            "provider": PROVIDER,
            "account_id": call["account_id"],
            "recording_id": recording_id,
            "telephony_session_id": carrier.get("telephony_session_id")
            or call.get("telephony_session_id")
            or session_id
            or recording_id,
            "session_id": session_id,
            "call_id": call["call_id"],
            "leg_index": carrier.get("leg_index"),
            "type": carrier.get(f"{_RECORDING}type"),
            "start_time": carrier.get("start_time") or call["start_time"],
            "uri": carrier.get(f"{_RECORDING}uri"),
            "content_uri": carrier.get(f"{_RECORDING}content_uri"),
            "status": "pending",
            "attempts": 0,
            "extracted_at": call["extracted_at"],
        }
    return list(rows.values())


def _read(source: Mapping[str, Any], tree: _Tree, *, path: str = "", without: tuple[str, ...] = ()) -> Row:
    row: Row = {}
    extra = _take(source, tree, row, path, without)
    seconds = row.pop(_SECONDS, None)
    if seconds is not None:
        row.setdefault("duration_ms", seconds * 1000)
    # In ASCII: JSON may hold half of a surrogate pair, which no column can.
    row["extra"] = json.dumps(extra, separators=(",", ":")) if extra else None
    return row


def _take(source: Mapping[str, Any], tree: _Tree, row: Row, path: str, without: tuple[str, ...] = ()) -> Row:
    """Moves what has a column into `row` and returns the rest, nested as it was."""
    extra: Row = {}
    for name, value in source.items():
        known = tree.get(name)
        if name in without or value is None:
            continue
        if known is None:
            extra[name] = value
        elif isinstance(known, tuple):
            column, convert = known
            try:
                row[column] = convert(value)
            except InvalidRecordError as error:
                raise InvalidRecordError(f"{path}{name}: {error}") from None
        elif isinstance(value, dict):
            if rest := _take(value, known, row, f"{path}{name}."):
                extra[name] = rest
        else:
            raise InvalidRecordError(f"{path}{name}: expected an object, got {_show(value)}")
    return extra


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidRecordError(f"expected text, got {_show(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidRecordError(f"expected text in Unicode, got half of a surrogate pair: {value!a}") from None
    return value


def _identifier(value: Any) -> str:
    # The same id is an integer in `extension.id` and text in `from.extensionId`.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value)


def _path_identifier(value: Any) -> str:
    identifier = _identifier(value)
    if not _PATH_IDENTIFIER.fullmatch(identifier):
        raise InvalidRecordError(f"expected an id of letters, digits, '-' and '_', got {_show(value)}")
    return identifier


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRecordError(f"expected a whole number, got {_show(value)}")
    return _bounded(value)


def _decimal(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRecordError(f"expected a number, got {_show(value)}")
    return float(_bounded(value))


def _bounded(value: _Number) -> _Number:
    if abs(value) > 2**53:
        raise InvalidRecordError(f"expected a number within ±2^53, got {_show(value)}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidRecordError(f"expected true or false, got {_show(value)}")
    return value


def _time(value: Any) -> datetime:
    wrong = InvalidRecordError(f"expected an ISO 8601 time with its zone, got {_show(value)}")
    try:
        time = datetime.fromisoformat(_text(value))
        if time.tzinfo is None:
            raise wrong
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong from None


def _account_in(uri: Any) -> str | None:
    match = _ACCOUNT_IN_URI.search(uri) if isinstance(uri, str) else None
    return match[1] if match else None


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 80 else f"{text[:77]}…"


_PATH_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_ACCOUNT_IN_URI = re.compile(r"/account/([A-Za-z0-9]+)(?:/|$)")

# Columns on their way to another row: the seconds become milliseconds, the recording a row of its own.
_SECONDS = "duration_s"
_RECORDING = "recording."


def _party(side: str) -> _Tree:
    return {
        "phoneNumber": (f"{side}_phone_number", _text),
        "name": (f"{side}_name", _text),
        "extensionNumber": (f"{side}_extension_number", _identifier),
        "extensionId": (f"{side}_extension_id", _identifier),
        "location": (f"{side}_location", _text),
        "device": {"id": (f"{side}_device_id", _identifier)},
    }


_SHARED: _Tree = {
    "telephonySessionId": ("telephony_session_id", _path_identifier),
    "partyId": ("party_id", _identifier),
    "extension": {"id": ("extension_id", _identifier)},
    "type": ("type", _text),
    "direction": ("direction", _text),
    "transport": ("transport", _text),
    "action": ("action", _text),
    "result": ("result", _text),
    "reason": ("reason", _text),
    "reasonDescription": ("reason_description", _text),
    "internalType": ("internal_type", _text),
    "startTime": ("start_time", _time),
    "duration": (_SECONDS, _integer),
    "durationMs": ("duration_ms", _integer),
    "from": _party("from"),
    "to": _party("to"),
    "recording": {
        "id": ("recording_id", _path_identifier),
        "type": (f"{_RECORDING}type", _text),
        "uri": (f"{_RECORDING}uri", _text),
        "contentUri": (f"{_RECORDING}content_uri", _text),
    },
    "shortRecording": ("short_recording", _flag),
    "delegate": {"id": ("delegate_id", _identifier), "name": ("delegate_name", _text)},
    "transferTarget": {"telephonySessionId": ("transfer_target_session_id", _text)},
    "transferee": {"telephonySessionId": ("transferee_session_id", _text)},
    "billing": {"costIncluded": ("cost_included", _decimal), "costPurchased": ("cost_purchased", _decimal)},
}
_CALL: _Tree = {
    **_SHARED,
    "id": ("call_id", _identifier),
    "sessionId": ("session_id", _path_identifier),
    "deleted": ("deleted", _flag),
    "lastModifiedTime": ("last_modified_time", _time),
}
_LEG: _Tree = {
    **_SHARED,
    "master": ("master", _flag),
    "legType": ("leg_type", _text),
}
