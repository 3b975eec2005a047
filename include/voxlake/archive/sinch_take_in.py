"""Take in: Sinch's callbacks out of the inbox, and the files it delivered into the lake, each version once."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from voxlake.archive.download import describe, held_audio
from voxlake.archive.sinch_callbacks import CALL_RESOURCE, Kept, keep
from voxlake.archive.sinch_calls import PROVIDER, CallFacts, call_row, read_facts
from voxlake.archive.sinch_files import Arrival, arrival_at, arrival_of, conferences_around, recording_row
from voxlake.audio.probe import NotAudioError, measure
from voxlake.lake import layout, tables
from voxlake.lake.schemas import CALLS, RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.sinch.client import SinchClient
from voxlake.sinch.errors import ForeignHostError, NotFoundError
from voxlake.sinch.events import Notification
from voxlake.sinch.landing import BucketRefusedError, FileReplacedError, Landing

log = logging.getLogger(__name__)

Row = dict[str, Any]

# Copies wait for the network; what they wait for is in the lake, row by row, after so many.
_AT_ONCE = 8
_BATCH = 200

_NOTHING = CallFacts()


@dataclass(frozen=True)
class Source:
    """Where files come from, and calls are asked for.

    Attributes:
        landing: Reads the bucket.
        client: Asks Sinch.
        application_key: Whose.
    """

    landing: Landing
    client: SinchClient
    application_key: str


@dataclass
class TakenIn:
    """What came in.

    Attributes:
        days: The UTC days of everything that was met, new or not: what is to be merged lies on them.
        met: How many files that was.
        recordings: New rows of `recordings`.
    """

    days: set[date] = field(default_factory=set)
    met: int = 0
    recordings: list[Row] = field(default_factory=list)


def land_calls(storage: Storage, touched: Mapping[str, Iterable[date]]) -> dict[str, CallFacts]:
    """Writes the rows of calls that callbacks came for; what is known of each.

    Args:
        storage: The lake.
        touched: The calls, each with UTC days that callbacks of it came.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = pool.map(lambda item: read_facts(storage, *item), touched.items())
        facts = dict(zip(touched, read, strict=True))
    _upsert_calls(storage, facts)
    return facts


def announced(
    source: Source, facts: Mapping[str, CallFacts]
) -> tuple[list[tuple[Arrival, str]], list[BucketRefusedError]]:
    """The files that callbacks told of, each with the call whose callback did; and the buckets that cannot be read."""
    arrivals: list[tuple[Arrival, str]] = []
    refusals = []
    for call_id, known in facts.items():
        for callback, kept in zip(known.callbacks, known.kept, strict=False):
            if isinstance(callback, Notification) and callback.destination:
                try:
                    found = _arrivals_at(source.landing, callback.destination, kept.received_at)
                    arrivals += [(arrival, call_id) for arrival in found]
                except BucketRefusedError as error:
                    refusals.append(error)
    return arrivals, refusals


def _arrivals_at(landing: Landing, destination: str, told_at: datetime) -> list[Arrival]:
    """What lies at a destination: of an object every version."""
    scheme, _, rest = destination.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3":
        return [arrival_at(destination, told_at)]
    return [arrival_of(file) for file in landing.files(bucket, key) if file.key == key]


def take_in(
    storage: Storage, source: Source, arrivals: Iterable[tuple[Arrival, str | None]], facts: Mapping[str, CallFacts]
) -> TakenIn:
    """Copies every file that the lake does not have yet, and writes the rows of what came in.

    The audio is in the lake before anything is said of it, and calls are there before their recordings: a process that
    is killed leaves nothing half-said, and the next one copies nothing again.

    Args:
        storage: The lake.
        source: Where files come from.
        arrivals: The files, each with the call whose callback told of it, if one did.
        facts: What is known of calls that callbacks came for.

    Raises:
        BucketRefusedError: A bucket cannot be read.
        SinchError: Sinch could not be asked for a call; what was copied is not copied again.
    """
    taken = TakenIn()
    told: dict[Arrival, str | None] = {}
    for arrival, call_id in arrivals:
        told[arrival] = told.get(arrival) or call_id
    taken.days, taken.met = {arrival.day for arrival in told}, len(told)
    known = _known(storage, taken.days)
    kept_transcripts = {
        path for day in taken.days for path in storage.list(f"raw/{PROVIDER}/transcripts/date={day.isoformat()}")
    }
    new = [
        arrival
        for arrival, call_id in told.items()
        if (
            arrival.transcript_path not in kept_transcripts
            if arrival.is_transcript
            # What nobody had told of may have been told of since.
            else arrival.recording_id not in known or (call_id and known[arrival.recording_id] is None)
        )
    ]
    new.sort(key=lambda arrival: (arrival.starts_at, arrival.uri))
    for first in range(0, len(new), _BATCH):
        group = new[first : first + _BATCH]
        _take_in_group(storage, source, {arrival: told[arrival] for arrival in group}, facts, taken)
    return taken


def _take_in_group(
    storage: Storage,
    source: Source,
    group: Mapping[Arrival, str | None],
    facts: Mapping[str, CallFacts],
    taken: TakenIn,
) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # First of all, as the next call may overwrite them.
        outcomes = dict(zip(group, pool.map(lambda arrival: _bring(storage, source, arrival), group), strict=True))
    recordings = [arrival for arrival in group if not arrival.is_transcript]
    of_calls = _facts_of_calls(storage, source, recordings, group, facts)
    _upsert_calls(storage, of_calls)
    conference_ids = conferences_around(storage, {arrival.day for arrival in recordings})
    now = datetime.now(UTC)
    landed = [
        _with_outcome(
            recording_row(
                arrival,
                of_calls.get(_call_of(arrival, group) or "", _NOTHING),
                source.application_key,
                conference_ids,
                now,
            ),
            outcomes[arrival],
        )
        for arrival in recordings
    ]
    # Last: whoever sees a recording finds the call it belongs to.
    tables.upsert(storage, RECORDINGS, tables.to_arrow(RECORDINGS, landed))
    taken.recordings += landed
    for row in landed:
        if row["status"] != "downloaded":
            log.warning("recording %s is %s: %s", row["recording_id"], row["status"], row["error"])


def _upsert_calls(storage: Storage, facts: Mapping[str, CallFacts]) -> None:
    now = datetime.now(UTC)
    rows = [row for call_id, known in facts.items() if (row := call_row(call_id, known, now)) is not None]
    tables.upsert(storage, CALLS, tables.to_arrow(CALLS, rows))


def _facts_of_calls(
    storage: Storage,
    source: Source,
    recordings: Sequence[Arrival],
    told: Mapping[Arrival, str | None],
    facts: Mapping[str, CallFacts],
) -> dict[str, CallFacts]:
    """What is known of the calls of some recordings; of each Sinch is asked once, whatever callbacks have told."""
    days: defaultdict[str, set[date]] = defaultdict(set)
    for arrival in recordings:
        if (call_id := _call_of(arrival, told)) is not None:
            days[call_id].add(arrival.day)
    of_calls = {}
    for call_id, on_days in days.items():
        known = facts.get(call_id) or read_facts(storage, call_id, on_days)
        if known.resource is None and _ask(storage, source, call_id, known, on_days):
            known = read_facts(storage, call_id, known.days | on_days)
        of_calls[call_id] = known
    return of_calls


def _ask(storage: Storage, source: Source, call_id: str, known: CallFacts, days: set[date]) -> bool:
    """Asks Sinch what became of a call, and keeps the answer with the call's callbacks; whether there is one."""
    ice = known.incoming
    try:
        call = source.client.get_call(call_id, ice.call_resource_url if ice is not None else None)
    except (NotFoundError, ForeignHostError) as error:
        # Of a conference, of another application, or of long ago.
        log.info("nothing is known of call %s: %s", call_id, error)
        return False
    if call.status == "ONGOING":
        return False
    # On the day of the recording, where it is looked for: not on the day on which it was asked for.
    at = datetime.combine(min(days), datetime.min.time(), UTC)
    body = call.model_dump_json(by_alias=True, exclude_none=True).encode()
    keep(storage, call_id, Kept(CALL_RESOURCE, source.application_key, at, body))
    return True


def _bring(storage: Storage, source: Source, arrival: Arrival) -> Row:
    """Copies a file into the lake, unless it is there; what became of it, as columns of `recordings`."""
    try:
        with storage.scratch() as scratch:
            if arrival.is_transcript:
                _fetch(source, arrival, scratch)
                storage.publish(scratch, arrival.transcript_path)
                return {}
            path = held_audio(storage, _unheld(arrival))
            if path is not None:
                with storage.local_copy(path) as file:
                    return describe(file, path)
            _fetch(source, arrival, scratch)
            return _keep_audio(storage, scratch, arrival)
    except FileReplacedError as error:
        return {"status": "unavailable", "unavailable_reason": "not_found", "error": str(error)}
    except (ForeignHostError, NotFoundError) as error:
        return {"status": "failed", "error": str(error)}


def _keep_audio(storage: Storage, scratch: Path, arrival: Arrival) -> Row:
    try:
        content_type = measure(scratch).properties.content_type
        path = layout.recording_audio(arrival.recording_id, arrival.day, content_type, PROVIDER)
        described = describe(scratch, path)
    except NotAudioError as error:
        path = layout.damaged_recording(arrival.recording_id, arrival.day, None, PROVIDER)
        said = str(error).replace(str(scratch), arrival.uri)
        storage.publish(scratch, path)
        return {"status": "failed", "error": f"not audio, and kept as {path}: {said}"}
    storage.publish(scratch, path)
    log.info("recording %s: %s to %s", arrival.recording_id, arrival.uri, path)
    return described


def _fetch(source: Source, arrival: Arrival, scratch: Path) -> None:
    if arrival.landed is not None:
        source.landing.fetch(arrival.landed, scratch)
        return
    with scratch.open("wb") as file:
        source.client.download(arrival.uri, file)


def _with_outcome(row: Row, outcome: Row) -> Row:
    """What became of a recording, with the remark on its name where nothing worse is to be said."""
    return row | outcome | {"error": outcome.get("error") or row["error"]}


def _call_of(arrival: Arrival, told: Mapping[Arrival, str | None]) -> str | None:
    # Whose callback told of it knows more than its name: the conference.
    return told[arrival] or (arrival.name.call_id if arrival.name is not None else None)


def _unheld(arrival: Arrival) -> Row:
    return {
        "provider": PROVIDER,
        "recording_id": arrival.recording_id,
        "start_time": arrival.starts_at,
        "status": "pending",
    }


def _known(storage: Storage, days: Iterable[date]) -> dict[str, str | None]:
    """The recordings of some UTC days in the lake, each with its call."""
    rows = tables.read(storage, RECORDINGS, days, pc.field("provider") == PROVIDER, ["recording_id", "call_id"])
    return {row["recording_id"]: row["call_id"] for row in rows.to_pylist()}
