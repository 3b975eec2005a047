"""Phone numbers as a reader sees who may not see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# A run of at least seven digits, with what people put between them; both Python and DuckDB (RE2) take it.
NUMBER_IN_TEXT = r"\+?\(?[0-9](?:[ .()/\-]{0,3}[0-9]){6,}"

_NUMBER = re.compile(NUMBER_IN_TEXT)
_DIGIT, _NO_DIGIT = re.compile(r"\d"), re.compile(r"\D")
_HIDDEN = "•••••"
_FIRST, _LAST, _LEAST_HIDDEN = 4, 2, 3


def mask_number(number: str) -> str:
    """A phone number of which the beginning and the end are left: `+1650•••••01`.

    How many digits are hidden does not show. What is too short to hide three of it is hidden whole; text without digits
    (`anonymous`) stays.
    """
    if not _DIGIT.search(number):
        return number
    digits = _NO_DIGIT.sub("", number)
    if len(digits) < _FIRST + _LAST + _LEAST_HIDDEN:
        return _HIDDEN
    return f"{'+' if number.startswith('+') else ''}{digits[:_FIRST]}{_HIDDEN}{digits[-_LAST:]}"


def mask_text(text: str) -> str:
    """Text, such as a name, with every phone number in it masked."""
    return _NUMBER.sub(lambda found: mask_number(found.group()), text)


def mask_column(name: str, values: pa.Array) -> pa.Array:
    """A column masked: a phone number where its name ends in `phone_number`, a name where it ends in `name`."""
    mask = _mask_of(name)
    return map_text(mask, values) if mask else values


def map_text(change: Callable[[str], str], values: pa.Array) -> pa.Array:
    """What a function makes of each text of a column; nulls stay. It is asked once for texts that are alike."""
    once = pc.dictionary_encode(values)
    return pa.array([change(text) for text in once.dictionary.to_pylist()], pa.string()).take(once.indices)


def masked(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its columns masked, as `mask_column` does it."""
    masks = {name: _mask_of(name) for name, value in row.items() if value is not None}
    return {name: mask(value) if (mask := masks.get(name)) else value for name, value in row.items()}


def _mask_of(column: str) -> Callable[[str], str] | None:
    if column.endswith("phone_number"):
        return mask_number
    return mask_text if column.endswith("name") else None
