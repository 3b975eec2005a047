"""The names that Sinch gives recordings and transcripts: `<UTC time>_<application key>_<call id>.<format>`.

The documents say fourteen digits (`yyyyMMddHHmmss`) and show twelve; both are read. A call id may have `_` in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_NAME = re.compile(
    r"(?P<time>\d{14}|\d{12})_(?P<application_key>[0-9A-Fa-f-]{32,36})_(?P<call_id>.+?)"
    r"(?P<transcript>-transcript)?\.(?P<format>\w+)"
)


@dataclass(frozen=True)
class FileName:
    """What the name of a file in the bucket says.

    Attributes:
        time: A moment of the recording, in UTC, to the second or the minute; Sinch does not say which.
        application_key: The application of the call.
        call_id: The call.
        format: `mp3`, `wav`, of a transcript `json`.
        transcript: Whether it is the transcript of a recording.
    """

    time: datetime
    application_key: str
    call_id: str
    format: str
    transcript: bool = False

    def __str__(self) -> str:
        """The name."""
        suffix = "-transcript" if self.transcript else ""
        return f"{self.time:%Y%m%d%H%M%S}_{self.application_key}_{self.call_id}{suffix}.{self.format}"


def parse_file_name(name: str) -> FileName | None:
    """What a name says, without its folder; None where it is not one that Sinch makes."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    digits = found["time"].ljust(14, "0")
    try:
        time = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return FileName(
        time, found["application_key"], found["call_id"], found["format"].lower(), found["transcript"] is not None
    )
