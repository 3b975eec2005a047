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
_HIDDEN = "•••••"
_FIRST, _LAST = 4, 2


def mask_number(number: str | None) -> str | None:
    """A phone number of which the beginning and the end are left: `+1650•••••01`.

    How many digits are hidden does not show. Of what is too short for that, all is hidden but the last two digits are
    not left either; text without digits (`anonymous`) stays.
    """
    if number is None or not any(character.isdigit() for character in number):
        return number
    kept = "".join(character for character in number if character.isdigit() or character == "+")
    first = _FIRST + kept.startswith("+")
    if len(kept) < first + _LAST + 3:
        return _HIDDEN
    return f"{kept[:first]}{_HIDDEN}{kept[-_LAST:]}"


def mask_text(text: str | None) -> str | None:
    """Text, such as a name, with every phone number in it masked."""
    if text is None:
        return None
    return _NUMBER.sub(lambda found: mask_number(found.group()) or "", text)


def mask_column(name: str, values: pa.Array) -> pa.Array:
    """A column masked: a phone number where its name ends in `phone_number`, a name where it ends in `name`."""
    mask = _mask_of(name)
    if mask is None:
        return values
    once = pc.dictionary_encode(values)
    return pa.array([mask(text) for text in once.dictionary.to_pylist()], pa.string()).take(once.indices)


def masked(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its columns masked, as `mask_column` does it."""
    return {name: mask(value) if (mask := _mask_of(name)) else value for name, value in row.items()}


def _mask_of(column: str) -> Callable[[str | None], str | None] | None:
    if column.endswith("phone_number"):
        return mask_number
    return mask_text if column.endswith("name") else None
