"""Phone numbers as a reader sees who may not see them."""

from __future__ import annotations

import re

# A run of at least seven digits, with what people put between them.
_NUMBER = re.compile(r"(?<!\d)\+?\(?\d(?:[ .()/\-]{0,3}\d){6,}(?!\d)")
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
