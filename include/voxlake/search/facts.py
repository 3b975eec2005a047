"""What the lake knows of one conversation, as `read_conversation` returns it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class Party:
    """A party of a call or a leg; what the call log does not say is None."""

    phone_number: str | None
    name: str | None
    extension_number: str | None
    location: str | None


@dataclass(frozen=True)
class Leg:
    """A leg of a call, in the order of the record; attributes as the columns of the table legs."""

    leg_index: int
    leg_type: str | None
    start_time: datetime | None
    duration_ms: int | None
    direction: str | None
    action: str | None
    result: str | None
    reason_description: str | None
    caller: Party
    called: Party
    recording_id: str | None
    transfer_target_session_id: str | None
    transferee_session_id: str | None


@dataclass(frozen=True)
class Call:
    """A call-log record; attributes as the columns of the table calls.

    Attributes:
        raw_page: The page that the record was read from, relative to the lake root; None if it is not there any more.
        extracted_at: When that was.
        deleted: Whether the source has deleted the record since.
    """

    call_id: str
    start_time: datetime
    duration_ms: int | None
    direction: str | None
    type: str | None
    action: str | None
    result: str | None
    reason_description: str | None
    caller: Party
    called: Party
    recording_id: str | None
    deleted: bool
    legs: tuple[Leg, ...]
    extracted_at: datetime | None
    raw_page: str | None


@dataclass(frozen=True)
class Recording:
    """A recording; attributes as the columns of the table recordings.

    Attributes:
        day: The UTC day of its start, in whose folder its file lies.
        why: Why it is not held, or what is wrong with it, in words; None if nothing is.
        audio_path: Its file, relative to the lake root; None if it is not held.
    """

    recording_id: str
    call_id: str | None
    leg_index: int | None
    type: str | None
    day: date
    start_time: datetime
    status: str
    unavailable_reason: str | None
    why: str | None
    defect: str | None
    audio_path: str | None
    content_type: str | None
    size_bytes: int | None
    sha256: str | None
    duration_ms: int | None
    claimed_ms: int | None
    downloaded_at: datetime | None


@dataclass(frozen=True)
class Chapter:
    """A recording in the merged file.

    Attributes:
        recording_id: Which.
        start_ms: Where it starts in the file.
        end_ms: Where it ends.
        began_at: When its sound began, as well as the call log tells.
        from_name: Who spoke.
        to_name: With whom.
    """

    recording_id: str
    start_ms: int
    end_ms: int
    began_at: datetime | None
    from_name: str | None
    to_name: str | None


@dataclass(frozen=True)
class Gap:
    """A time between two recordings of which there is no sound.

    Attributes:
        at_ms: Where it is in the merged file.
        duration_ms: How long it really lasted.
        in_file: Whether the file has silence there for as long; otherwise it goes on at once.
    """

    at_ms: int
    duration_ms: int
    in_file: bool


@dataclass(frozen=True)
class Missing:
    """What the merged file lacks.

    Attributes:
        recording_id: Of which recording.
        reason: As in the table sessions.
        words: The same in words that need no knowledge of Voxlake.
        detail: Figures, or what the provider said; None if there are none.
    """

    recording_id: str
    reason: str
    words: str
    detail: str | None


@dataclass(frozen=True)
class MergedAudio:
    """The merged file.

    Attributes:
        made_by: The DAG run and task that made it, as `dag_id/run_id/task_id/map_index`; None where nobody noted it.
    """

    audio_path: str
    content_type: str
    size_bytes: int
    sha256: str
    duration_ms: int
    peaks_path: str | None
    merged_at: datetime
    chapters: tuple[Chapter, ...]
    gaps: tuple[Gap, ...]
    made_by: str | None


@dataclass(frozen=True)
class LinkedSession:
    """A session that transfers link with this one; it is a conversation of its own on the page.

    Attributes:
        day: The UTC day to look on first; None while no call tells of it.
        transferred_to: The sessions that it was transferred to.
    """

    telephony_session_id: str
    day: date | None
    start_time: datetime | None
    end_time: datetime | None
    caller: Party
    called: Party
    transferred_to: tuple[str, ...]


@dataclass(frozen=True)
class Conversation:
    """A conversation; direction, result and parties are those of its earliest call.

    Attributes:
        day: The UTC day of its start.
        status: As `FoundConversation.status`.
        calls: By start, each with its legs.
        recordings: By start.
        audio: The merged file; None if there is none.
        missing: What the merged file lacks, wholly or in part; where there is no file, what the
            archive does not hold.
        linked: All sessions of the transfers that it belongs to, itself included, by start; empty without a transfer.
    """

    provider: str
    telephony_session_id: str
    day: date
    start_time: datetime
    duration_ms: int
    direction: str | None
    result: str | None
    caller: Party
    called: Party
    status: str | None
    calls: tuple[Call, ...]
    recordings: tuple[Recording, ...]
    audio: MergedAudio | None
    missing: tuple[Missing, ...]
    linked: tuple[LinkedSession, ...]
