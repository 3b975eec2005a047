"""The tables: columns, types, what each means, the keys, and which version of a row wins.

`docs/data-dictionary.md` is generated from here, and every Parquet file carries the descriptions in its schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

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
    """A column and what it means to an analyst.

    Attributes:
        name: Its name.
        type: Its type.
        description: What it means.
        absent: What rows of an earlier release have in it, whose files lack the column.
    """

    name: str
    type: pa.DataType
    description: str
    absent: str | None = None


@dataclass(frozen=True)
class Versions:
    """Columns that change together, and which of two versions of a row they are taken from.

    Attributes:
        newest_first: Columns to compare versions by, the most telling first; the largest value wins, or the smallest
            where the name begins with `-`, and null loses. A list is as large as it is long, a status as its place in
            `STATUS_RANK`. What is alike in all of them is decided by the other columns, so that it does not depend on
            the order in which versions arrive.
        columns: The columns; empty stands for all that no other `Versions` of the table names.
        alike: Only versions count that have the newest row's values in these columns.
    """

    newest_first: tuple[str, ...]
    columns: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of the lake.

    Attributes:
        name: Its folder below `tables/`.
        description: What one row is.
        columns: In the order of the file.
        key: The columns that name a row; never null, never twice.
        versions: How two versions of a row become one; the first says which row is the newest.
        reach: How far apart the times of two versions of a row may lie, at most a day: near midnight, the days on both
            sides are looked at, and a row that moves leaves its old day.
        day_column: The time whose UTC day is the row's `date`.
        set_key: Where given, rows alike in it come and go as one: a newer version with fewer rows removes the rest.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    versions: tuple[Versions, ...]
    reach: timedelta
    day_column: str = "start_time"
    set_key: tuple[str, ...] = ()

    @cached_property
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


_PROVIDER = Column("provider", STRING, "`ringcentral` or `sinch`.", absent="ringcentral")
_ACCOUNT = Column(
    "account_id", STRING, "RingCentral account id (canonical, never `~`); of Sinch the application key of the call."
)
_CALL = Column("call_id", STRING, "Id of the call-log record (`id`); of Sinch the callId.")
_TELEPHONY_SESSION = Column(
    "telephony_session_id",
    STRING,
    "telephonySessionId (`s-…`): what all legs of one conversation share. A transfer with consultation has another. Of "
    "Sinch the callId; of a conference the conferenceId (a digest of it where it has other characters than letters, "
    "digits, `-` and `_`).",
)
_SESSION = Column("session_id", STRING, "Legacy numeric sessionId; not interchangeable with telephony_session_id.")
_EXTRACTED_AT = Column(
    "extracted_at", TIME, "When Voxlake read the page, or all the callbacks of a call, that this row comes from."
)
_LAST_MODIFIED = Column(
    "last_modified_time", TIME, "When RingCentral last changed the record; of Sinch the last time in its callbacks."
)
_EXTRA = Column(
    "extra",
    STRING,
    "JSON text of every field of the source that has no column here; null if there is none. Of Sinch an object for "
    "each kind of callback (`ice`, `ace`, `pie`, `dice`, `notify`) and for the call resource (`call`).",
)

# What a call-log record and each of its legs have alike.
_CALL_FACTS = (
    Column("party_id", STRING, "Id of the party within the telephony session."),
    Column("extension_id", STRING, "Id of the extension whose call this is."),
    Column("type", STRING, "`Voice` or `Fax`."),
    Column("direction", STRING, "`Inbound` or `Outbound`; of Sinch null where no `ice` came."),
    Column("transport", STRING, "`PSTN` or `VoIP`."),
    Column("action", STRING, "What the call was, e.g. `Phone Call`, `VoIP Call`, `Transfer`."),
    Column(
        "result",
        STRING,
        "How it ended, e.g. `Accepted`, `Missed`, `Voicemail`, `Call connected`; of Sinch `ANSWERED`, `BUSY`, "
        "`NOANSWER`, `FAILED`.",
    ),
    Column("reason", STRING, "Why it ended so."),
    Column("reason_description", STRING, "The reason in words."),
    Column("internal_type", STRING, "RingCentral's internal type, e.g. `Local`, `LongDistance`, `TollFreeNumber`."),
    Column("start_time", TIME, "When it started."),
    Column("duration_ms", INTEGER, "How long it lasted, in milliseconds (`durationMs`, else `duration` × 1000)."),
    *_party("from", "caller"),
    *_party("to", "called party"),
    Column("recording_id", STRING, "Id of its recording; kept when RingCentral drops the reference after 90 days."),
    Column(
        "recording_seen_at",
        TIME,
        "When Voxlake last read the recording's id at the source; before extracted_at once the source dropped it.",
    ),
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
_NEWEST_RECORD = Versions(newest_first=("last_modified_time", "extracted_at"))
_LAST_SEEN = ("recording_seen_at", "recording_id")

# RingCentral rewrites a record under its id while the call goes on; what it says of the start moves by minutes.
_RECORD_REACH = timedelta(hours=1)
# Records that claim one recording, and recordings of one session, start hours apart at most.
_SESSION_REACH = timedelta(hours=24)

CALLS = Table(
    name="calls",
    description="One row a call-log record of RingCentral, or a call of Sinch.",
    columns=(
        _PROVIDER,
        _ACCOUNT,
        _CALL,
        _SESSION,
        _TELEPHONY_SESSION,
        *_CALL_FACTS,
        Column("deleted", FLAG, "True if the record was deleted at the source; what it said before is kept."),
        *_COSTS,
        _LAST_MODIFIED,
        _EXTRACTED_AT,
        _EXTRA,
    ),
    key=("account_id", "call_id"),
    versions=(
        _NEWEST_RECORD,
        Versions(newest_first=_LAST_SEEN, columns=_LAST_SEEN),
        Versions(newest_first=("deleted",), columns=("deleted",)),
    ),
    reach=_RECORD_REACH,
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
    # A leg that comes in between takes the place of another: only what began at the same time is the same leg.
    versions=(_NEWEST_RECORD, Versions(newest_first=_LAST_SEEN, columns=_LAST_SEEN, alike=("start_time",))),
    reach=_RECORD_REACH,
    day_column="call_start_time",
    set_key=("account_id", "call_id"),
)

_AUDIO = (
    Column("audio_path", STRING, "The audio file, relative to the lake root."),
    Column("content_type", STRING, "`audio/mpeg` or `audio/wav`; of a merged file `audio/flac` or `audio/ogg` too."),
    Column("size_bytes", INTEGER, "Size of the audio file."),
    Column("sha256", STRING, "SHA-256 of the audio file, hexadecimal."),
    Column("duration_ms", INTEGER, "Length of the audio as it decodes, in milliseconds."),
)
_OUTCOME = (
    Column("status", STRING, "`pending`, `downloaded`, `unavailable` (the provider cannot give it) or `failed`."),
    Column(
        "unavailable_reason",
        STRING,
        "`record_deleted`, `removed` (the call log dropped the recording), `expired` (past the provider's retention), "
        "`not_found` (the call log still names it), `damaged` (no player plays what it has, which is kept below "
        "`raw/ringcentral/recordings/`) or `not_delivered` (Sinch told of it and no file came within "
        "`VOXLAKE_SINCH_DELIVERY_WAIT`); null unless `unavailable`.",
    ),
    Column("error", STRING, "Why it is `unavailable` or `failed`, or not available yet, in words."),
    Column("attempts", INTEGER, "How often a download was tried."),
    *_AUDIO,
    Column("codec", STRING, "Codec as FFmpeg names it, e.g. `mp3`, `pcm_s16le`."),
    Column("sample_rate", INTEGER, "Samples a second."),
    Column("channels", INTEGER, "1 for mono, 2 for stereo."),
    Column(
        "defect",
        STRING,
        "What is wrong with audio that plays all the same: `truncated` (it ends before the end that it states itself) or "
        "`damaged` (bytes in it are no audio, or cannot be decoded); null if nothing is.",
    ),
    Column("defect_detail", STRING, "The defect with its figures, in words."),
    Column("downloaded_at", TIME, "When the audio was stored."),
)

RECORDINGS = Table(
    name="recordings",
    description="One row a recording that a call-log record or a leg claims, or that Sinch delivered or told of, and "
    "what became of it.",
    columns=(
        _PROVIDER,
        _ACCOUNT,
        Column(
            "recording_id",
            STRING,
            "Id of the recording; of Sinch made of the callId and a digest of bucket, key and version of the object.",
        ),
        Column(
            "telephony_session_id",
            STRING,
            "telephonySessionId of the conversation it belongs to (the legacy sessionId where the source has none). Of "
            "Sinch the callId, of a recording of a conference the conferenceId; its own id where nothing says whose it "
            "is.",
        ),
        _SESSION,
        _CALL,
        Column("leg_index", SMALL, "The earliest leg that carries it; null if only the record itself does."),
        Column("type", STRING, "`Automatic` or `OnDemand`; of Sinch `Call` or `Conference`."),
        Column(
            "start_time",
            TIME,
            "When what was recorded started: the leg's start, else the record's. Of Sinch the time in the file's name, "
            "else when the object was written.",
        ),
        Column(
            "claimed_ms",
            INTEGER,
            "How long the shortest leg, or the record, lasted that carries it, in milliseconds: what duration_ms, the "
            "length of the audio, is to be held against.",
        ),
        Column(
            "uri", STRING, "The recording's metadata at RingCentral; of Sinch the object (`s3://…`) or `https` address."
        ),
        Column("content_uri", STRING, "The recording's audio at RingCentral; null of Sinch."),
        *_OUTCOME,
        _EXTRACTED_AT,
    ),
    key=("provider", "account_id", "recording_id"),
    versions=(
        # Several records may claim a recording, and it began with the earliest of them.
        Versions(newest_first=("-start_time", "-call_id", "extracted_at")),
        Versions(
            newest_first=("status", "attempts", "downloaded_at"),
            columns=tuple(column.name for column in _OUTCOME),
        ),
    ),
    reach=_SESSION_REACH,
)

SESSIONS = Table(
    name="sessions",
    description="One row a conversation with at least one recording held: the merged file and its chapters.",
    columns=(
        _PROVIDER,
        _ACCOUNT,
        _TELEPHONY_SESSION,
        Column(
            "conversation_id",
            STRING,
            "What sessions linked by transfers share (table conversations); the session's own id if it has no link.",
        ),
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
        Column(
            "status", STRING, "`complete`, or `partial` if something of its recordings is not in the file: see missing."
        ),
        Column(
            "missing",
            pa.list_(pa.struct([("recording_id", STRING), ("reason", STRING), ("detail", STRING)])),
            "What the file lacks, and why; empty if it is complete. Of a recording that is not in it the reason is its "
            "status, its unavailable_reason, or `unplayable`; of one that is in it as far as it plays, `truncated`, "
            "`damaged`, or `short` (an automatic recording that is shorter than its leg by more than "
            "`VOXLAKE_RECORDING_TOLERANCE`).",
        ),
        *_AUDIO,
        Column(
            "peaks_path",
            STRING,
            "The waveform beside the file, relative to the lake root: `duration` and `peaks` as wavesurfer.js takes them.",
        ),
        Column("merged_at", TIME, "When the file was made."),
        Column(
            "made_by",
            STRING,
            "Which task made the file, as `dag_id/run_id/task_id/map_index`; null for one of before this was noted.",
        ),
    ),
    key=("provider", "account_id", "telephony_session_id"),
    versions=(
        # The longest list of recordings first: a merge that knew less does not hide one that knew more.
        Versions(newest_first=("recording_ids", "merged_at")),
        # The smallest id of a conversation names it, so a link that is found later can only make it smaller.
        Versions(newest_first=("-conversation_id",), columns=("conversation_id",)),
    ),
    reach=_SESSION_REACH,
)

CONVERSATIONS = Table(
    name="conversations",
    description="One row a conversation of several telephony sessions, linked by transfers (`transferTarget`, "
    "`transferee`); a session without a link is a conversation of its own and has no row here.",
    columns=(
        _PROVIDER,
        _ACCOUNT,
        Column("conversation_id", STRING, "The smallest telephony_session_id of its sessions, as text."),
        Column("start_time", TIME, "Start of its earliest call."),
        Column("end_time", TIME, "End of its last call: start and duration."),
        Column(
            "telephony_session_ids",
            pa.list_(STRING),
            "Its sessions, by start; one that no call-log record tells of yet comes last.",
        ),
        Column(
            "sessions",
            pa.list_(
                pa.struct(
                    [
                        ("telephony_session_id", STRING),
                        ("start_time", TIME),
                        ("end_time", TIME),
                        ("from_phone_number", STRING),
                        ("from_name", STRING),
                        ("to_phone_number", STRING),
                        ("to_name", STRING),
                    ]
                )
            ),
            "The same sessions with their times and the parties of their first call; times are null while unknown.",
        ),
        Column(
            "links",
            pa.list_(pa.struct([("from_session_id", STRING), ("to_session_id", STRING)])),
            "Which session was transferred to which.",
        ),
        Column("call_ids", pa.list_(STRING), "The call-log records of its sessions, by start."),
        Column("recording_ids", pa.list_(STRING), "The recordings of its sessions, in the order they happened."),
        _EXTRACTED_AT,
    ),
    key=("provider", "account_id", "conversation_id"),
    # It only ever grows: what knew more of it wins.
    versions=(
        Versions(newest_first=("telephony_session_ids", "call_ids", "recording_ids", "extracted_at", "end_time")),
    ),
    reach=_SESSION_REACH,
)

RECONCILIATION = Table(
    name="reconciliation",
    description="One row a UTC day: what the source claims and what the archive holds, as last compared.",
    columns=(
        _PROVIDER,
        _ACCOUNT,
        Column("day", TIME, "First moment of the UTC day."),
        Column("reconciled_at", TIME, "When the day was compared; it was read from the source just before."),
        Column("calls_in_source", INTEGER, "Call-log records that the source lists for the day."),
        Column("calls_in_lake", INTEGER, "Rows of the table calls on the day."),
        Column("calls_missing", INTEGER, "Records that the source lists and the lake does not have (rejected ones)."),
        Column("calls_gone", INTEGER, "Rows of the lake that the source does not list any more, or lists as deleted."),
        Column("recordings_claimed", INTEGER, "Recordings that the day's records and legs claim, or claimed once."),
        Column("recordings_downloaded", INTEGER, "Of these, held in the lake."),
        Column("recordings_pending", INTEGER, "Of these, not asked for yet, or not finished by the source."),
        Column("recordings_failed", INTEGER, "Of these, could not be downloaded; the next run tries again."),
        Column(
            "recordings_unavailable", INTEGER, "Of these, the source cannot give them; by reason in the next columns."
        ),
        Column("unavailable_record_deleted", INTEGER, "Unavailable as the call-log record was deleted."),
        Column("unavailable_removed", INTEGER, "Unavailable as the call log dropped the recording."),
        Column("unavailable_expired", INTEGER, "Unavailable as the recording is past the provider's retention."),
        Column("unavailable_not_found", INTEGER, "Unavailable although the call log still names the recording."),
        Column("unavailable_damaged", INTEGER, "Unavailable as no player plays what the source has, which is kept."),
        Column("recordings_at_risk", INTEGER, "Pending or failed, and the provider deletes them within 14 days."),
        Column("first_deletion_at", TIME, "When the provider deletes the first that is pending or failed."),
        Column("sessions_recorded", INTEGER, "Sessions with a recording that begin on the day."),
        Column("sessions_complete", INTEGER, "Of these, merged with all their recordings."),
        Column("sessions_partial", INTEGER, "Of these, merged, but something is missing: see sessions.missing."),
        Column("sessions_unmerged", INTEGER, "Of these, recordings are held that no merged file has."),
        Column("recordings_bytes", INTEGER, "Size of the day's recordings in the lake."),
        Column("sessions_bytes", INTEGER, "Size of the day's merged files."),
    ),
    key=("provider", "account_id", "day"),
    versions=(Versions(newest_first=("reconciled_at",)),),
    reach=timedelta(0),
    day_column="day",
)

ACCESS_LOG = Table(
    name="access_log",
    description="One row an access to recordings through the Recordings page: written before anything was given out.",
    columns=(
        Column("access_id", STRING, "Of this row alone."),
        Column("accessed_at", TIME, "When."),
        Column("user_id", STRING, "Who: the user's id in Airflow's auth manager."),
        Column("user_name", STRING, "The user's name, as Airflow showed it."),
        Column(
            "action",
            STRING,
            "`play`, `download` (of audio) or `export` (of a search). All that a player asks for of one file within half "
            "an hour is one row, or one for each process of the API server.",
        ),
        Column("provider", STRING, "Provider of the conversation; null for an export."),
        Column("telephony_session_id", STRING, "The conversation; null for an export."),
        Column("recording_id", STRING, "Of the original of one recording; null for a merged file and for exports."),
        Column("query", STRING, "What was searched for, of an export: the params of its URL, percent-decoded."),
        Column("address", STRING, "The client's network address, as the API server had it."),
        Column("user_agent", STRING, "What the client's program calls itself, at most 500 characters."),
    ),
    key=("access_id",),
    versions=(Versions(newest_first=("accessed_at",)),),
    reach=timedelta(0),
    day_column="accessed_at",
)

TABLES = (CALLS, LEGS, RECORDINGS, SESSIONS, CONVERSATIONS, RECONCILIATION, ACCESS_LOG)
