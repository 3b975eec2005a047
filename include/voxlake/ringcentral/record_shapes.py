"""Which field of a call-log record goes to which column, and records one by one as rows of values.

Field list: https://developers.ringcentral.com/api-reference/Call-Log/readCompanyCallLog
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from voxlake.ringcentral.record_fields import (
    DECIMAL,
    FLAG,
    IDENTIFIER,
    INTEGER,
    PATH_IDENTIFIER,
    TEXT,
    TIME,
    InvalidRecordError,
    Kind,
    show,
    to_column,
)

# Arrow arrays of one length, by column.
Columns = dict[str, Any]
# A value for each field of a shape, then a dict of all that has no column, nested as it was.
Row = list[Any]
Tree = Mapping[str, "Field | Tree"]
_Places = dict[str, "int | _Places"]


@dataclass(frozen=True)
class Field:
    """A field that has a column."""

    column: str
    kind: Kind


class Shape:
    """The fields of a record or of a leg that have columns, each with a place in a row.

    Attributes:
        tree: The fields by name, nested as in JSON.
        fields: The same in a row, each with its path in JSON.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.fields: list[tuple[str, Field]] = []
        self._places = self._number(tree, "")

    def take(self, source: Mapping[str, Any]) -> Row:
        """The values of a record or a leg, unchecked.

        Raises:
            InvalidRecordError: A value stands where an object should.
        """
        row: Row = [None] * (len(self.fields) + 1)
        row[-1] = _take(source, self._places, row)
        return row

    def to_columns(self, rows: Sequence[Row]) -> tuple[Columns, dict[int, str]]:
        """The columns of many rows, and by row what is wrong with it, if anything is."""
        columns: Columns = {}
        wrong: dict[int, str] = {}
        *values, extras = zip(*rows, strict=True) if rows else ((),) * (len(self.fields) + 1)
        for (path, known), values_of_rows in zip(self.fields, values, strict=True):
            columns[known.column], reasons = to_column(known.kind, values_of_rows)
            for row, reason in reasons.items():
                wrong.setdefault(row, f"{path}: {reason}")
        columns["extra"] = pa.array([to_json(extra) if extra else None for extra in extras], pa.string())
        return columns, wrong

    def _number(self, tree: Tree, path: str) -> _Places:
        places: _Places = {}
        for name, known in tree.items():
            if isinstance(known, Field):
                places[name] = len(self.fields)
                self.fields.append((f"{path}{name}", known))
            else:
                places[name] = self._number(known, f"{path}{name}.")
        return places


def to_json(value: Any) -> str:
    """The text of JSON in `extra`, always the same for the same value."""
    # In ASCII: JSON may hold half of a surrogate pair, which no column can.
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _take(source: Mapping[str, Any], places: _Places, row: Row) -> dict[str, Any]:
    """Puts what has a column into its place and returns the rest, nested as it was."""
    extra: dict[str, Any] = {}
    for name, value in source.items():
        if value is None:
            continue
        place = places.get(name)
        if place is None:
            extra[name] = _without_nulls(value)
        elif isinstance(place, int):
            row[place] = value
        elif isinstance(value, dict):
            try:
                rest = _take(value, place, row)
            except InvalidRecordError as error:
                raise InvalidRecordError(f"{name}.{error}") from None
            if rest:
                extra[name] = rest
        else:
            raise InvalidRecordError(f"{name}: expected an object, got {show(value)}")
    return extra


def _without_nulls(value: Any) -> Any:
    # A field that is null says no more than one that is missing.
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return value


# Columns on their way to another row: the seconds become milliseconds, the recording a row of its own.
SECONDS = "duration_s"
RECORDING = "recording."


def _party(side: str) -> Tree:
    return {
        "phoneNumber": Field(f"{side}_phone_number", TEXT),
        "name": Field(f"{side}_name", TEXT),
        "extensionNumber": Field(f"{side}_extension_number", IDENTIFIER),
        "extensionId": Field(f"{side}_extension_id", IDENTIFIER),
        "location": Field(f"{side}_location", TEXT),
        "device": {"id": Field(f"{side}_device_id", IDENTIFIER)},
    }


_SHARED: Tree = {
    "telephonySessionId": Field("telephony_session_id", PATH_IDENTIFIER),
    "partyId": Field("party_id", IDENTIFIER),
    "extension": {"id": Field("extension_id", IDENTIFIER)},
    "type": Field("type", TEXT),
    "direction": Field("direction", TEXT),
    "transport": Field("transport", TEXT),
    "action": Field("action", TEXT),
    "result": Field("result", TEXT),
    "reason": Field("reason", TEXT),
    "reasonDescription": Field("reason_description", TEXT),
    "internalType": Field("internal_type", TEXT),
    "startTime": Field("start_time", TIME),
    "duration": Field(SECONDS, INTEGER),
    "durationMs": Field("duration_ms", INTEGER),
    "from": _party("from"),
    "to": _party("to"),
    "recording": {
        "id": Field("recording_id", PATH_IDENTIFIER),
        "type": Field(f"{RECORDING}type", TEXT),
        "uri": Field(f"{RECORDING}uri", TEXT),
        "contentUri": Field(f"{RECORDING}content_uri", TEXT),
    },
    "shortRecording": Field("short_recording", FLAG),
    "delegate": {"id": Field("delegate_id", IDENTIFIER), "name": Field("delegate_name", TEXT)},
    "transferTarget": {"telephonySessionId": Field("transfer_target_session_id", TEXT)},
    "transferee": {"telephonySessionId": Field("transferee_session_id", TEXT)},
    "billing": {"costIncluded": Field("cost_included", DECIMAL), "costPurchased": Field("cost_purchased", DECIMAL)},
}
CALL = Shape(
    {
        **_SHARED,
        "id": Field("call_id", IDENTIFIER),
        "sessionId": Field("session_id", PATH_IDENTIFIER),
        "deleted": Field("deleted", FLAG),
        "lastModifiedTime": Field("last_modified_time", TIME),
    }
)
LEG = Shape({**_SHARED, "master": Field("master", FLAG), "legType": Field("leg_type", TEXT)})
