"""What the files that Sinch delivers are: which call or conference each is of, and its row in `recordings`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from voxlake.archive.sinch_calls import PROVIDER, CallFacts
from voxlake.lake import layout, tables
from voxlake.lake.schemas import CALLS
from voxlake.lake.storage import Storage
from voxlake.sinch.events import Notification
from voxlake.sinch.file_names import FileName, parse_file_name
from voxlake.sinch.landing import LandedFile

Row = dict[str, Any]

# What is beside a recording under its name: https://developers.sinch.com/docs/voice/api-reference/recording/
_TRANSCRIPT = "-transcript.json"

_NAMELESS = "the name of the file says no call, and no callback told of it; it is kept as a conversation of its own"


@dataclass(frozen=True)
class Arrival:
    """A file that is there to be taken in.

    Attributes:
        destination: Where it lies, as callbacks name it.
        uri: The same, with the version of an object.
        mark: Tells it from every other file, also from another one under its name.
        written_at: When it was written, or was told of.
        landed: The object; None where an `https` address gives it.
    """

    destination: str
    uri: str
    mark: str
    written_at: datetime
    landed: LandedFile | None = None

    @property
    def name(self) -> FileName | None:
        """What its name says; None where it says nothing."""
        return parse_file_name(self.destination.rpartition("/")[2])

    @property
    def is_transcript(self) -> bool:
        """Whether it is the transcript of a recording."""
        return self.destination.endswith(_TRANSCRIPT)

    @property
    def starts_at(self) -> datetime:
        """When the recording began, as well as is known."""
        return self.name.time if self.name is not None else self.written_at

    @property
    def day(self) -> date:
        """The UTC day of that."""
        return self.starts_at.date()

    @property
    def recording_id(self) -> str:
        """The same for the same bytes in the same place, however it was heard of."""
        call = layout.safe_id(self.name.call_id)[:90] if self.name is not None else "file"
        return f"{call}-{self.mark}"

    @property
    def transcript_path(self) -> str:
        """Where a transcript is kept."""
        call = self.name.call_id if self.name is not None else "file"
        stem = layout.safe_id(self.destination.rpartition("/")[2].removesuffix(_TRANSCRIPT))
        return layout.sinch_transcript(call, self.day, f"{stem[:100]}-{self.mark}")


def arrival_of(landed: LandedFile) -> Arrival:
    """An object of a bucket as something to take in."""
    version = landed.version or landed.etag.strip('"')
    return Arrival(landed.destination, landed.uri, _mark(landed.destination, version), landed.written_at, landed)


def arrival_at(address: str, told_at: datetime) -> Arrival:
    """What an address gives that a callback named."""
    return Arrival(address, address, _mark(address), told_at)


def recording_row(
    arrival: Arrival, facts: CallFacts, account_id: str, conference_ids: set[str], extracted_at: datetime
) -> Row:
    """The row of a recording, without what became of it.

    Args:
        arrival: The file.
        facts: What is known of the call that its name says, or of the one whose callback told of it.
        account_id: The application of whom nothing says it.
        conference_ids: Conferences that calls of these days were in: a file may be named after one.
        extracted_at: Now.
    """
    name, told = arrival.name, facts.announcement(arrival.destination, arrival.written_at)
    call_id = (told.call_id if told is not None else None) or (name.call_id if name is not None else None)
    conference = _conference(name, told, conference_ids)
    session = conference or call_id or arrival.recording_id
    return {
        "provider": PROVIDER,
        "account_id": (name.application_key if name is not None else facts.application_key) or account_id,
        "recording_id": arrival.recording_id,
        "telephony_session_id": layout.safe_id(session),
        "call_id": call_id,
        "type": "Conference" if conference else "Call",
        "start_time": arrival.starts_at,
        "uri": arrival.uri,
        "status": "pending",
        "error": None if call_id else _NAMELESS,
        "attempts": 1,
        "extracted_at": extracted_at,
    }


def conferences_around(storage: Storage, days: Iterable[date]) -> set[str]:
    """The conferences that calls of some UTC days, and of the days before, were in."""
    days = {day - timedelta(days=shift) for day in days for shift in (0, 1)}
    in_one = pc.field("telephony_session_id") != pc.field("call_id")
    # Not by provider: in files of earlier releases, the column is not there to be asked about.
    rows = tables.read(storage, CALLS, days, in_one, ["provider", "telephony_session_id"]).to_pylist()
    return {row["telephony_session_id"] for row in rows if row["provider"] == PROVIDER}


def _conference(name: FileName | None, told: Notification | None, conference_ids: set[str]) -> str | None:
    """The conference that a file is the recording of, as a whole; None if it is that of one call in it, or of none."""
    if told is not None and told.conference_id:
        return told.conference_id
    if name is not None and layout.safe_id(name.call_id) in conference_ids:
        return name.call_id
    return None


def _mark(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
