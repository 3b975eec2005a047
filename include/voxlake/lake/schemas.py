"""The tables: columns, types, what each means, the keys, and which version of a row wins.

`docs/data-dictionary.md` is generated from here, and every Parquet file carries the descriptions in its schema.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

STRING = pa.string()
INTEGER = pa.int64()
SMALL = pa.int32()
DECIMAL = pa.float64()
FLAG = pa.bool_()
TIME = pa.timestamp("ms", tz="UTC")

# A recording's outcome only ever improves: a run that failed does not hide that another has the audio.
STATUS_RANK = ("pending", "failed", "unavailable", "downloaded")


@dataclass(frozen=True)
class Column:
    """A column and what it means to an analyst."""

    name: str
    type: pa.DataType
    description: str


@dataclass(frozen=True)
class Versions:
    """Columns that change together, and which of two versions of a row they are taken from.

    Attributes:
        newest_first: Columns to compare versions by, the most telling first; the largest value wins and null loses. A
            list is as large as it is long, a status as its place in `STATUS_RANK`.
        columns: The columns; empty stands for all that no other `Versions` of the table names.
        kept: Of these columns the winner's null does not hide an older value: what the source drops is not lost.
    """

    newest_first: tuple[str, ...]
    columns: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of the lake.

    Attributes:
        name: Its folder below `tables/`.
        description: What one row is.
        columns: In the order of the file.
        key: The columns that name a row; never null, never twice.
        versions: How two versions of a row become one.
        day_column: The time whose UTC day is the row's `date`.
        set_key: Where given, rows alike in it come and go as one: a newer version with fewer rows removes the rest.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    versions: tuple[Versions, ...]
    day_column: str = "start_time"
    set_key: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with each column's description in its metadata."""
        return pa.schema(
            [
                pa.field(
                    column.name,
                    column.type,
                    nullable=column.name not in self.key,
                    metadata={"description": column.description},
                )
                for column in self.columns
            ],
            metadata={"table": self.name, "description": self.description, "key": ", ".join(self.key)},
        )


def _party(side: str, who: str) -> tuple[Column, ...]:
    return (
        Column(f"{side}_phone_number", STRING, f"Phone number of the {who}, as RingCentral formats it (mostly E.164)."),
        Column(f"{side}_name", STRING, f"Displayed name of the {who}."),
        Column(f"{side}_extension_number", STRING, f"Extension number of the {who}."),
        Column(f"{side}_extension_id", STRING, f"Extension id of the {who}."),
        Column(f"{side}_location", STRING, f"City and state of the {who}, for PSTN numbers."),
        Column(f"{side}_device_id", STRING, f"Device id of the {who}."),
    )


_ACCOUNT = Column("account_id", STRING, "RingCentral account id (canonical, never `~`).")
_CALL = Column("call_id", STRING, "Id of the call-log record (`id`).")
_TELEPHONY_SESSION = Column(
    "telephony_session_id",
    STRING,
    "telephonySessionId (`s-…`): what all legs of one conversation share. A transfer with consultation has another.",
)
_SESSION = Column("session_id", STRING, "Legacy numeric sessionId; not interchangeable with telephony_session_id.")
_EXTRACTED_AT = Column("extracted_at", TIME, "When Voxlake read the page that this row comes from.")
_LAST_MODIFIED = Column("last_modified_time", TIME, "When RingCentral last changed the record.")
_EXTRA = Column(
    "extra", STRING, "JSON text of every field of the source that has no column here; null if there is none."
)

# What a call-log record and each of its legs have alike.
_CALL_FACTS = (
    Column("party_id", STRING, "Id of the party within the telephony session."),
    Column("extension_id", STRING, "Id of the extension whose call this is."),
    Column("type", STRING, "`Voice` or `Fax`."),
    Column("direction", STRING, "`Inbound` or `Outbound`."),
    Column("transport", STRING, "`PSTN` or `VoIP`."),
    Column("action", STRING, "What the call was, e.g. `Phone Call`, `VoIP Call`, `Transfer`."),
    Column("result", STRING, "How it ended, e.g. `Accepted`, `Missed`, `Voicemail`, `Call connected`."),
    Column("reason", STRING, "Why it ended so."),
    Column("reason_description", STRING, "The reason in words."),
    Column("internal_type", STRING, "RingCentral's internal type, e.g. `Local`, `LongDistance`, `TollFreeNumber`."),
    Column("start_time", TIME, "When it started."),
    Column("duration_ms", INTEGER, "How long it lasted, in milliseconds (`durationMs`, else `duration` × 1000)."),
    *_party("from", "caller"),
    *_party("to", "called party"),
    Column("recording_id", STRING, "Id of its recording; kept when RingCentral drops the reference after 90 days."),
    Column("short_recording", FLAG, "True if there was a recording too short to be kept (under 30 s)."),
    Column("delegate_id", STRING, "Extension id of who acted on behalf."),
    Column("delegate_name", STRING, "Name of who acted on behalf."),
    Column("transfer_target_session_id", STRING, "telephonySessionId of the session this one was transferred to."),
    Column("transferee_session_id", STRING, "telephonySessionId of the session that was transferred here."),
)
_COSTS = (
    Column("cost_included", DECIMAL, "Cost covered by the plan, in the account's currency."),
    Column("cost_purchased", DECIMAL, "Cost beyond the plan, in the account's currency."),
)
_NEWEST_RECORD = ("last_modified_time", "extracted_at")

CALLS = Table(
    name="calls",
    description="One row a call-log record.",
    columns=(
        _ACCOUNT,
        _CALL,
        _SESSION,
        _TELEPHONY_SESSION,
        *_CALL_FACTS,
        Column("deleted", FLAG, "True if the record was deleted at the source."),
        *_COSTS,
        _LAST_MODIFIED,
        _EXTRACTED_AT,
        _EXTRA,
    ),
    key=("account_id", "call_id"),
    versions=(Versions(newest_first=_NEWEST_RECORD, kept=("recording_id",)),),
)

LEGS = Table(
    name="legs",
    description="One row a leg of a call-log record (Detailed view); on the UTC day of its record's start.",
    columns=(
        _ACCOUNT,
        _CALL,
        Column("leg_index", SMALL, "Place of the leg in the record's `legs`, from 0."),
        Column("master", FLAG, "True for the master leg."),
        Column("leg_type", STRING, "legType, e.g. `Accept`, `FindMe`, `PstnToSip`."),
        _TELEPHONY_SESSION,
        *_CALL_FACTS,
        *_COSTS,
        Column("call_start_time", TIME, "When the record started: its UTC day is the row's `date`."),
        Column("last_modified_time", TIME, "When RingCentral last changed the record that has this leg."),
        _EXTRACTED_AT,
        _EXTRA,
    ),
    key=("account_id", "call_id", "leg_index"),
    versions=(Versions(newest_first=_NEWEST_RECORD, kept=("recording_id",)),),
    day_column="call_start_time",
    set_key=("account_id", "call_id"),
)

_PROVIDER = Column("provider", STRING, "`ringcentral`.")
_AUDIO = (
    Column("audio_path", STRING, "The audio file, relative to the lake root."),
    Column("content_type", STRING, "`audio/mpeg` or `audio/wav`."),
    Column("size_bytes", INTEGER, "Size of the audio file."),
    Column("sha256", STRING, "SHA-256 of the audio file, hexadecimal."),
    Column("duration_ms", INTEGER, "Length of the audio as it decodes, in milliseconds."),
)
_OUTCOME = (
    Column("status", STRING, "`pending`, `downloaded`, `unavailable` (the provider has it no more) or `failed`."),
    Column("error", STRING, "Why it is `unavailable` or `failed`, or not available yet."),
    Column("attempts", INTEGER, "How often a download was tried."),
    *_AUDIO,
    Column("codec", STRING, "Codec as FFmpeg names it, e.g. `mp3`, `pcm_s16le`."),
    Column("sample_rate", INTEGER, "Samples a second."),
    Column("channels", INTEGER, "1 for mono, 2 for stereo."),
    Column("downloaded_at", TIME, "When the audio was stored."),
)

RECORDINGS = Table(
    name="recordings",
    description="One row a recording that a call-log record or a leg claims, and what became of it.",
    columns=(
        _PROVIDER,
        _ACCOUNT,
        Column("recording_id", STRING, "Id of the recording."),
        Column(
            "telephony_session_id",
            STRING,
            "telephonySessionId of the conversation it belongs to (the legacy sessionId where the source has none).",
        ),
        _SESSION,
        _CALL,
        Column("leg_index", SMALL, "The earliest leg that carries it; null if only the record itself does."),
        Column("type", STRING, "`Automatic` or `OnDemand`."),
        Column("start_time", TIME, "When what was recorded started: the leg's start, else the record's."),
        Column("uri", STRING, "The recording's metadata at RingCentral."),
        Column("content_uri", STRING, "The recording's audio at RingCentral."),
        *_OUTCOME,
        _EXTRACTED_AT,
    ),
    key=("provider", "account_id", "recording_id"),
    versions=(
        # Of two records of one page that claim the same recording, always the same one.
        Versions(newest_first=("extracted_at", "call_id", "leg_index")),
        Versions(
            newest_first=("status", "attempts", "downloaded_at"),
            columns=tuple(column.name for column in _OUTCOME),
        ),
    ),
)

SESSIONS = Table(
    name="sessions",
    description="One row a conversation with at least one recording held: the merged file and its chapters.",
    columns=(
        _PROVIDER,
        _ACCOUNT,
        _TELEPHONY_SESSION,
        Column("start_time", TIME, "Start of the earliest recording."),
        Column("end_time", TIME, "End of the last recording: its start and its decoded length."),
        Column("direction", STRING, "Direction of the earliest call."),
        Column("from_phone_number", STRING, "Caller of the earliest call."),
        Column("to_phone_number", STRING, "Called party of the earliest call."),
        Column("call_ids", pa.list_(STRING), "The call-log records of the session, by start."),
        Column("recording_ids", pa.list_(STRING), "The recordings in the merged file, in play order."),
        Column(
            "chapters",
            pa.list_(
                pa.struct(
                    [
                        ("recording_id", STRING),
                        ("start_ms", INTEGER),
                        ("end_ms", INTEGER),
                        ("extension_id", STRING),
                        ("from_name", STRING),
                        ("to_name", STRING),
                    ]
                )
            ),
            "Where each recording starts and ends in the merged file, and who spoke with whom.",
        ),
        Column("status", STRING, "`complete`, or `partial` if a recording of the session is not in the file."),
        *_AUDIO,
        Column("merged_at", TIME, "When the file was made."),
    ),
    key=("provider", "account_id", "telephony_session_id"),
    # The longest list of recordings first: a merge that knew less does not hide one that knew more.
    versions=(Versions(newest_first=("recording_ids", "merged_at")),),
)

TABLES = (CALLS, LEGS, RECORDINGS, SESSIONS)
