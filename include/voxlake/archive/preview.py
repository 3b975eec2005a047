"""Preview: what archiving a range of time would take, from its call log alone."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from voxlake.lake import tables
from voxlake.lake.schemas import RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.ringcentral.call_log import iter_call_log_pages
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.records import parse_page

# Records that a page of the call log has at most.
_PAGE = 1000
# An MP3 of 32 kbit/s: what is reckoned with where the lake holds no recording of these days to go by.
USUAL_BYTES_A_SECOND = 4000.0
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Preview:
    """What a range of time would take.

    Attributes:
        start: First moment.
        end: Where the range stops.
        calls: Call-log records that start in it.
        recordings: Recordings that they claim.
        held: How many of these the lake holds.
        unreadable: Records that would be rejected.
        call_log_requests: Requests for the call log that runs of an hour each would send.
        seconds: Length of the recordings that are to be fetched.
        bytes_a_second: Of recordings.
        from_the_lake: Whether that is of recordings that the lake holds; else it is the usual value.
        rate: Heavy requests a second that are granted; 0.0 if no reply has said.
    """

    start: datetime
    end: datetime
    calls: int
    recordings: int
    held: int
    unreadable: int
    call_log_requests: int
    seconds: float
    bytes_a_second: float
    from_the_lake: bool
    rate: float

    @property
    def requests(self) -> int:
        """All requests that count in the Heavy quota."""
        return self.call_log_requests + self.recordings - self.held

    @property
    def takes(self) -> timedelta | None:
        """How long the quota lets them take; None if no reply has said what it is."""
        return timedelta(seconds=self.requests / self.rate) if self.rate else None

    @property
    def bytes(self) -> float:
        """Of the recordings that are to be fetched; the merged sessions take as much again."""
        return self.seconds * self.bytes_a_second


def preview_range(
    client: RingCentralClient, storage: Storage, start: datetime, end: datetime, credentials: int = 1
) -> Preview:
    """Reads the call log of a range and says what archiving it would take; nothing is written.

    Args:
        client: Of the first credential, which reads the call log.
        storage: The lake, for what it holds already.
        start: With its zone.
        end: With its zone, after `start`.
        credentials: How many share the downloads; each is reckoned to be granted what the first is.

    Raises:
        ValueError: A time has no zone, or `start` is not before `end`.
        RingCentralError: The call log could not be read.
    """
    hours: Counter[int] = Counter()
    lengths: dict[str, int] = {}
    seen: set[str] = set()
    unreadable = 0
    for page in iter_call_log_pages(client, start, end):
        parsed = parse_page(page.body, datetime.now(UTC))
        unreadable += len(parsed.rejected)
        for call_id, began in zip(*_columns(parsed.calls, "call_id", "start_time"), strict=True):
            # Whether the last moment belongs to a window is not documented.
            if call_id not in seen and start <= began < end:
                seen.add(call_id)
                hours[(began - start) // _HOUR] += 1
        _add_lengths(lengths, parsed.calls)
        _add_lengths(lengths, parsed.legs)
    days = [start.astimezone(UTC).date() + timedelta(days=number) for number in range((end - start).days + 2)]
    held, measured = _held(storage, days)
    reads = sum(max(1, math.ceil(hours[hour] / _PAGE)) for hour in range(math.ceil((end - start) / _HOUR)))
    grants = [grant.limit / grant.window for grant in client.grants() if grant.group == "heavy"]
    return Preview(
        start=start,
        end=end,
        calls=len(seen),
        recordings=len(lengths),
        held=len(lengths.keys() & held),
        unreadable=unreadable,
        call_log_requests=reads,
        seconds=sum(length for recording, length in lengths.items() if recording not in held) / 1000,
        bytes_a_second=measured or USUAL_BYTES_A_SECOND,
        from_the_lake=measured is not None,
        rate=sum(grants) * credentials,
    )


def _columns(table: pa.Table, *names: str) -> list[list[Any]]:
    return [table[name].to_pylist() if name in table.column_names else [None] * table.num_rows for name in names]


def _add_lengths(lengths: dict[str, int], rows: pa.Table) -> None:
    """A recording is as long as the leg it is of; one that stands on several records is fetched once."""
    for recording, length in zip(*_columns(rows, "recording_id", "duration_ms"), strict=True):
        if isinstance(recording, str):
            lengths[recording] = max(lengths.get(recording, 0), length if isinstance(length, int) else 0)


def _held(storage: Storage, days: list[date]) -> tuple[set[str], float | None]:
    """The recordings of some days that the lake holds, and how many bytes a second of them has."""
    rows = tables.read(storage, RECORDINGS, days)
    rows = rows.filter(pc.equal(rows["status"], "downloaded"))
    milliseconds = pc.sum(rows["duration_ms"]).as_py() or 0
    size = pc.sum(rows["size_bytes"]).as_py() or 0
    return set(rows["recording_id"].to_pylist()), size * 1000 / milliseconds if milliseconds else None
