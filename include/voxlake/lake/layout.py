"""Where things lie in the lake: every path is made here, and only from ids that are safe in a path."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime

# Whose a path is where nobody is named.
RINGCENTRAL = "ringcentral"

# What is there only while it is worked on.
LEASES, OUTCOMES = "leases", "outcomes"
# What providers have told of by themselves.
INBOX = "inbox"
# All that a lake has at its root.
FOLDERS = ("audio", INBOX, LEASES, OUTCOMES, "raw", "tables")

AUDIO_SUFFIXES = {"audio/mpeg": ".mp3", "audio/wav": ".wav"}
# Of merged files, which may be encoded anew.
SESSION_SUFFIXES = AUDIO_SUFFIXES | {"audio/flac": ".flac", "audio/ogg": ".opus"}

# What RingCentral's ids are made of (call ids, recording ids, telephonySessionIds `s-…`); no dot and no slash.
# Neither is it a name that Windows keeps for a device:
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
_ID = re.compile(r"(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])\Z)[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

_TABLE_FILE = re.compile(r"tables/([a-z_]+)/date=(\d{4}-\d\d-\d\d)/\1\.parquet")
_AUDIO_FOLDER = r"audio/(?:recordings|sessions)/provider=[a-z]+/date=\d{4}-\d\d-\d\d/"
_AUDIO_FILE = re.compile(_AUDIO_FOLDER + rf"{_ID.pattern}(?:{'|'.join(map(re.escape, SESSION_SUFFIXES.values()))})")
_PEAKS_FILE = re.compile(_AUDIO_FOLDER + rf"{_ID.pattern}\.peaks\.json")


def is_safe_id(identifier: str) -> bool:
    """Whether an id of a provider may become part of a path."""
    return _ID.fullmatch(identifier) is not None


def safe_id(text: str) -> str:
    """The text itself where it may become part of a path, else a digest of it: names that people choose may be any."""
    return text if is_safe_id(text) else f"sha256-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def raw_call_log_folder(start: datetime, end: datetime, extracted_at: datetime) -> str:
    """The folder of the pages of one read of `[start, end)`; `date=` is the UTC day of `start`."""
    return (
        f"{raw_call_log_day(start.astimezone(UTC).date())}/"
        f"{format_timestamp(start)}--{format_timestamp(end)}--{format_timestamp(extracted_at)}"
    )


def raw_call_log_day(day: date) -> str:
    """The folder of the folders that begin on a UTC day."""
    return f"raw/ringcentral/call_log/date={day.isoformat()}"


def raw_page(folder: str, number: int) -> str:
    """The file of a page, by its number from 1."""
    return f"{folder}/{number:05d}.json.gz"


def rejected_records(folder: str, number: int) -> str:
    """The file of the records of a page that did not land, with the reasons (JSON lines, gzip)."""
    return f"{folder}/rejected/{number:05d}.jsonl.gz"


def extracted_at(folder: str) -> datetime:
    """When the pages of a raw folder were read, from the folder's name.

    Raises:
        ValueError: The name is not one that `raw_call_log_folder` makes.
    """
    stamp = folder.rsplit("--", 1)[-1]
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{folder!r} is not a folder of raw call-log pages: its name ends in no time") from None


def table_file(table: str, day: date) -> str:
    """The Parquet file of a table's UTC day."""
    return f"tables/{table}/date={day.isoformat()}/{table}.parquet"


def day_of_table_file(path: str) -> date | None:
    """The reverse of `table_file`; None for what is no file of a table's day."""
    match = _TABLE_FILE.fullmatch(path)
    return date.fromisoformat(match[2]) if match else None


def recording_audio(recording_id: str, day: date, content_type: str, provider: str = RINGCENTRAL) -> str:
    """The audio of one recording, by the UTC day of its start."""
    return (
        f"audio/recordings/provider={_safe(provider)}/date={day.isoformat()}/"
        f"{_safe(recording_id)}{AUDIO_SUFFIXES[content_type]}"
    )


def damaged_recording(recording_id: str, day: date, content_type: str | None, provider: str = RINGCENTRAL) -> str:
    """What the provider sent for one recording and no player plays, by the UTC day of its start.

    Args:
        recording_id: Which recording.
        day: The UTC day of its start.
        content_type: What the provider calls it; None where nobody says what it is.
        provider: Whose it is.
    """
    suffix = AUDIO_SUFFIXES[content_type] if content_type else ".bin"
    return f"raw/{_safe(provider)}/recordings/date={day.isoformat()}/rejected/{_safe(recording_id)}{suffix}"


def session_audio(telephony_session_id: str, day: date, content_type: str, provider: str = RINGCENTRAL) -> str:
    """The merged audio of a session, by the UTC day of its earliest recording."""
    return _session_file(provider, telephony_session_id, day, SESSION_SUFFIXES[content_type])


def session_peaks(telephony_session_id: str, day: date, provider: str = RINGCENTRAL) -> str:
    """The waveform of the merged audio of a session, beside it (JSON)."""
    return _session_file(provider, telephony_session_id, day, ".peaks.json")


def _session_file(provider: str, telephony_session_id: str, day: date, suffix: str) -> str:
    return f"audio/sessions/provider={_safe(provider)}/date={day.isoformat()}/{_safe(telephony_session_id)}{suffix}"


def is_audio_file(path: str) -> bool:
    """Whether a path is that of a recording or a merged file: what may be given to a listener."""
    return _AUDIO_FILE.fullmatch(path) is not None


def is_peaks_file(path: str) -> bool:
    """Whether a path is that of a waveform."""
    return _PEAKS_FILE.fullmatch(path) is not None


def recording_lease(recording_id: str, provider: str = RINGCENTRAL) -> str:
    """Who is downloading a recording, while it is being downloaded (JSON)."""
    return f"{LEASES}/{_safe(provider)}/recordings/{_safe(recording_id)}.json"


def callbacks_folder(day: date, call_id: str = "") -> str:
    """Where Sinch's callbacks that were received on a UTC day are kept as they came: of one call, or of all."""
    folder = f"raw/sinch/callbacks/date={day.isoformat()}"
    return f"{folder}/{safe_id(call_id)}" if call_id else folder


def rejected_callback(received_at: datetime, digest: str) -> str:
    """The body of a callback that is none, as it came."""
    folder = callbacks_folder(received_at.astimezone(UTC).date())
    return f"{folder}/rejected/{format_timestamp(received_at)}--{_safe(digest)}.bin"


def sinch_transcript(call_id: str, day: date, name: str) -> str:
    """The transcript of a recording of a call, by the UTC day of the recording (JSON as it came)."""
    return f"raw/sinch/transcripts/date={day.isoformat()}/{safe_id(call_id)}/{_safe(name)}.json"


def inbox_folder(provider: str) -> str:
    """Where the events of a provider wait until they are acknowledged (JSON lines)."""
    return f"{INBOX}/{_safe(provider)}/new"


def acknowledged_folder(provider: str) -> str:
    """Where its acknowledged events lie for some days."""
    return f"{INBOX}/{_safe(provider)}/acknowledged"


def delivery(provider: str, received_at: datetime, nonce: str) -> str:
    """The events that came together; the names are in the order of the times."""
    stamp = received_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"{inbox_folder(provider)}/{stamp}-{_safe(nonce)}.jsonl"


def received_at(delivery_path: str) -> datetime:
    """When a delivery was written, from its name."""
    stamp = delivery_path.rpartition("/")[2].partition("-")[0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)


def is_acknowledged(path: str) -> bool:
    """Whether a path of an inbox is that of acknowledged events."""
    return path.split("/")[2:3] == ["acknowledged"]


def subscription(provider: str) -> str:
    """What is known of the subscription to the events of a provider (JSON)."""
    return f"{INBOX}/{_safe(provider)}/subscription.json"


def open_sessions(provider: str) -> str:
    """The telephony sessions that events have told of and that are not in the archive yet (JSON)."""
    return f"{INBOX}/{_safe(provider)}/open_sessions.json"


def inbox_lease(provider: str) -> str:
    """Who is taking events out of the inbox of a provider (JSON)."""
    return f"{LEASES}/{_safe(provider)}/inbox.json"


def outcome(run_id: str, step: str, telephony_session_id: str, provider: str = RINGCENTRAL) -> str:
    """What a step (`download`, `merge`) of a DAG run came to for a session, until it is published (Parquet)."""
    return f"{outcomes_folder(run_id, step, provider)}/{_safe(telephony_session_id)}.parquet"


def outcomes_folder(run_id: str, step: str, provider: str = RINGCENTRAL) -> str:
    """The folder of the outcomes of one step of a DAG run."""
    return f"{OUTCOMES}/{_safe(provider)}/{re.sub(r'[^A-Za-z0-9_.+-]', '-', run_id)}/{step}"


def format_timestamp(time: datetime) -> str:
    """A time in UTC as it stands in file names: sortable, to the millisecond, free of colons."""
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"


def _safe(identifier: str) -> str:
    if not is_safe_id(identifier):
        raise ValueError(f"{identifier!r} cannot be part of a path: expected letters, digits, '-' and '_'")
    return identifier
