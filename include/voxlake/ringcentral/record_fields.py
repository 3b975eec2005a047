"""What a field of a call-log record may hold, and many values of one field as an Arrow column.

A column is checked at once where all its values are of the usual form, else value by value, which names what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

TIMESTAMP = pa.timestamp("ms", tz="UTC")

_Number = TypeVar("_Number", int, float)

# Beyond it, not every whole number is a float of its own: JSON's numbers are not the same everywhere.
_LARGEST = 2**53
_PATH_IDENTIFIER = r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}"
# Whoever copies the lake to Windows could not make a file of such a name, whatever its suffix:
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
_DEVICE = r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])"
# RingCentral's own form of a time; the others of ISO 8601 are read one by one.
_USUAL_TIME = r"^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$"
_ARROW_TYPES = {
    frozenset({str}): pa.string(),
    frozenset({int}): pa.int64(),
    frozenset({float}): pa.float64(),
    frozenset({int, float}): pa.float64(),
    frozenset({bool}): pa.bool_(),
}


class InvalidRecordError(ValueError):
    """A record that cannot be landed; the text names the field and what was expected."""


@dataclass(frozen=True)
class Kind:
    """What the values of a field may be.

    Attributes:
        type: The Arrow type of their column.
        convert: One value of JSON, not null, as its column holds it; raises InvalidRecordError with what was expected.
        convert_all: The same for an array of values as JSON has them, nulls among them; None where it cannot tell
            that all are right.
    """

    type: pa.DataType
    convert: Callable[[Any], Any]
    convert_all: Callable[[pa.Array], pa.Array | None]

    def to_column(self, array: pa.Array) -> pa.Array | None:
        """The values of an array, as JSON has them, as their column; None where not all are of the usual form."""
        if pa.types.is_null(array.type):
            return pa.nulls(len(array), self.type)
        try:
            return self.convert_all(array)
        except pa.ArrowInvalid:
            return None


def to_column(kind: Kind, values: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
    """The values of one field as a column, and by place what is wrong with those that are null there instead."""
    column = kind.to_column(array) if (array := _array(values)) is not None else None
    if column is not None:
        return column, {}
    converted: list[Any] = [None] * len(values)
    wrong: dict[int, str] = {}
    for place, value in enumerate(values):
        if value is None:
            continue
        try:
            converted[place] = kind.convert(value)
        except InvalidRecordError as error:
            wrong[place] = str(error)
    return pa.array(converted, kind.type), wrong


def _array(values: Sequence[Any]) -> pa.Array | None:
    types = frozenset(map(type, values)) - {type(None)}
    if not types:
        return pa.nulls(len(values))
    try:
        return pa.array(values, _ARROW_TYPES[types])
    except (KeyError, OverflowError, UnicodeEncodeError, pa.ArrowInvalid):
        return None


def show(value: Any) -> str:
    """A value of JSON as an error names it, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidRecordError(f"expected text, got {show(value)}")
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
    if not re.fullmatch(_PATH_IDENTIFIER, identifier):
        raise InvalidRecordError(f"expected an id of letters, digits, '-' and '_', at most 128, got {show(value)}")
    if re.fullmatch(_DEVICE, identifier):
        raise InvalidRecordError(f"expected an id that can name a file on Windows too, got {show(value)}")
    return identifier


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRecordError(f"expected a whole number, got {show(value)}")
    return _bounded(value)


def _decimal(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRecordError(f"expected a number, got {show(value)}")
    return float(_bounded(value))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidRecordError(f"expected true or false, got {show(value)}")
    return value


def _time(value: Any) -> datetime:
    wrong = InvalidRecordError(f"expected an ISO 8601 time with its zone, got {show(value)}")
    try:
        time = datetime.fromisoformat(_text(value))
        if time.tzinfo is None:
            raise wrong
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong from None


def _bounded(value: _Number) -> _Number:
    if not abs(value) <= _LARGEST:
        raise InvalidRecordError(f"expected a number within ±2^53, got {show(value)}")
    return value


def _same(wanted: pa.DataType) -> Callable[[pa.Array], pa.Array | None]:
    return lambda array: array if array.type == wanted else None


def _identifiers(array: pa.Array) -> pa.Array | None:
    return array.cast(pa.string()) if array.type in (pa.string(), pa.int64()) else None


def _path_identifiers(array: pa.Array) -> pa.Array | None:
    usual = _all_matching(_identifiers(array), f"^{_PATH_IDENTIFIER}$")
    if usual is None or pc.any(pc.match_substring_regex(usual, f"^{_DEVICE}$"), min_count=0).as_py():
        return None
    return usual


def _integers(array: pa.Array) -> pa.Array | None:
    return _all_bounded(array) if array.type == pa.int64() else None


def _decimals(array: pa.Array) -> pa.Array | None:
    return _all_bounded(array.cast(pa.float64())) if array.type in (pa.int64(), pa.float64()) else None


def _times(array: pa.Array) -> pa.Array | None:
    texts = _all_matching(array, _USUAL_TIME) if array.type == pa.string() else None
    return None if texts is None else texts.cast(TIMESTAMP)


def _all_bounded(numbers: pa.Array) -> pa.Array | None:
    within = pc.and_(pc.less_equal(numbers, _LARGEST), pc.greater_equal(numbers, -_LARGEST))
    return numbers if pc.all(within, min_count=0).as_py() else None


def _all_matching(texts: pa.Array | None, pattern: str) -> pa.Array | None:
    if texts is None or not pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py():
        return None
    return texts


TEXT = Kind(pa.string(), _text, _same(pa.string()))
IDENTIFIER = Kind(pa.string(), _identifier, _identifiers)
PATH_IDENTIFIER = Kind(pa.string(), _path_identifier, _path_identifiers)
INTEGER = Kind(pa.int64(), _integer, _integers)
DECIMAL = Kind(pa.float64(), _decimal, _decimals)
FLAG = Kind(pa.bool_(), _flag, _same(pa.bool_()))
TIME = Kind(TIMESTAMP, _time, _times)
