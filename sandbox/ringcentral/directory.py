"""The people of the sandbox: the company's extensions, and the outside world that calls them."""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNT_ID = "400144452008"


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a call, with the terms of the call log; None where RingCentral omits the field."""

    phone_number: str | None = None
    name: str | None = None
    extension_number: str | None = None
    extension_id: str | None = None
    location: str | None = None
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class Extension:
    """A user of the company."""

    id: int
    number: str
    name: str
    phone_number: str
    location: str
    device_id: str

    @property
    def by_number(self) -> Party:
        """As seen from outside, reached by a direct number."""
        return Party(phone_number=self.phone_number, name=self.name, location=self.location)

    @property
    def by_extension(self) -> Party:
        """As seen from inside, with the extension's number, id and phone."""
        return Party(
            name=self.name,
            extension_number=self.number,
            extension_id=str(self.id),
            device_id=self.device_id,
        )


_NAMES = (
    "Ada Okafor",
    "Ben Castellano",
    "Chloé Martin",
    "Dmitri Volkov",
    "Eun-ji Park",
    "Farah Haddad",
    "Grace O'Neill",
    "Hiro Tanaka",
    "Ines Ferreira",
    "Jonas Lindqvist",
    "Kavya Raman",
    "Luis Ortega",
)

EXTENSIONS: tuple[Extension, ...] = tuple(
    Extension(
        id=400144455008 + 2000 * position,
        number=str(101 + position),
        name=name,
        phone_number=f"+1650555{100 + position:04d}",
        location="San Mateo, CA",
        device_id=str(803750084016 + 1000 * position),
    )
    for position, name in enumerate(_NAMES)
)
"""The company's users; the first one owns the access token."""

MAIN_NUMBER = Party(phone_number="+18335550100", name="Voxlake Sandbox Company")

# 555-0100 to 555-0199 are set aside for fiction in every area code: https://nationalnanpa.com/number_resource_info/555_numbers.html
CITIES: tuple[tuple[str, str], ...] = (
    ("206", "Seattle, WA"),
    ("212", "New York, NY"),
    ("303", "Denver, CO"),
    ("305", "Miami, FL"),
    ("312", "Chicago, IL"),
    ("404", "Atlanta, GA"),
    ("415", "San Francisco (South), CA"),
    ("512", "Austin, TX"),
    ("617", "Boston, MA"),
    ("720", "Denver, CO"),
)


def outside_party(number: int) -> Party:
    """One of a thousand outside numbers, with the caller id name that a carrier gives it.

    Args:
        number: 0 to 999; the same number is always the same party.
    """
    area, location = CITIES[number // 100]
    name = "WIRELESS CALLER" if number % 3 == 0 else location.replace(",", "").upper()
    return Party(phone_number=f"+1{area}555{100 + number % 100:04d}", name=name, location=location)


def extension_of(path_segment: str) -> Extension | None:
    """The extension of a path segment: `~` for the token's owner, or an id; None if there is none."""
    if path_segment == "~":
        return EXTENSIONS[0]
    return next((extension for extension in EXTENSIONS if str(extension.id) == path_segment), None)
