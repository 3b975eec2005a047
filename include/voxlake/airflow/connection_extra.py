"""The field extra of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def text_of(extra: Mapping[str, Any], name: str) -> str:
    """The text that an extra has under a name; empty where it has none.

    Raises:
        ValueError: What stands there is no text.
    """
    value = extra.get(name) or ""
    if not isinstance(value, str):
        raise ValueError(f"{name} in the field extra is no text: put it in quotation marks.")
    return value
