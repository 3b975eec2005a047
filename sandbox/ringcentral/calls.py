"""What a planned call is made of: legs and recordings, records and telephony sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sandbox.ringcentral.directory import Extension, Party


@dataclass(frozen=True, slots=True)
class Recording:
    """One audio file, as long as the conversation it holds."""

    id: str
    type: Literal["Automatic", "OnDemand"]
    start_time: datetime
    duration_ms: int
    content_type: Literal["audio/mpeg", "audio/wav"]

    @property
    def end_time(self) -> datetime:
        return self.start_time + timedelta(milliseconds=self.duration_ms)


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of a record. The first one of a record is its master leg."""

    start_time: datetime
    duration_ms: int
    direction: Literal["Inbound", "Outbound"]
    action: str
    result: str
    leg_type: str
    from_: Party
    to: Party
    transport: Literal["PSTN", "VoIP"]
    extension: Extension
    reason: str | None = None
    reason_description: str | None = None
    internal_type: str | None = None
    recording: Recording | None = None
    short_recording: bool = False
    transfer_target: str | None = None
    transferee: str | None = None

    @property
    def end_time(self) -> datetime:
        return self.start_time + timedelta(milliseconds=self.duration_ms)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One record of the call log. Its from, to, direction, result and recording are those of its master leg.

    Attributes:
        last_modified_time: From when on the extract of changes has this version.
        listed_time: From when on the call log has this version.
        snapshot: What the call log has under the same id before; None where the first version is the last.
        transfer_target: telephonySessionId of the session that this one was transferred to with a consultation.
        transferee: The other way round.
    """

    id: str
    session_id: str
    telephony_session_id: str
    party_id: str
    type: Literal["Voice", "Fax"]
    legs: tuple[Leg, ...]
    cost_included: float
    last_modified_time: datetime
    listed_time: datetime
    message_type: Literal["VoiceMail", "Fax"] | None = None
    metadata_categories: tuple[str, ...] = ()
    snapshot: CallRecord | None = None
    transfer_target: str | None = None
    transferee: str | None = None

    def listed_at(self, moment: datetime) -> CallRecord | None:
        """The version that the call log has at a moment; None before the first."""
        return self if self.listed_time <= moment else self._snapshot_by(moment)

    def extracted_at(self, moment: datetime) -> CallRecord | None:
        """The version that the extract of changes has at a moment; None before the first."""
        return self if max(self.listed_time, self.last_modified_time) <= moment else self._snapshot_by(moment)

    def _snapshot_by(self, moment: datetime) -> CallRecord | None:
        if self.snapshot is not None and self.snapshot.last_modified_time <= moment:
            return self.snapshot
        return None

    @property
    def master(self) -> Leg:
        return self.legs[0]

    @property
    def start_time(self) -> datetime:
        return self.master.start_time

    @property
    def end_time(self) -> datetime:
        return max(leg.end_time for leg in self.legs)

    @property
    def duration_ms(self) -> int:
        return (self.end_time - self.start_time) // timedelta(milliseconds=1)

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Each recording of the record once, in play order."""
        return tuple({leg.recording.id: leg.recording for leg in self.legs if leg.recording}.values())


@dataclass(frozen=True, slots=True)
class Conversation:
    """Telephony sessions that a transfer with consultation or a conference connects.

    Attributes:
        telephony_session_ids: In order of their start.
        listed_time: From when on the call log has the last version of all their records.
    """

    telephony_session_ids: tuple[str, ...]
    listed_time: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """One telephony session: all records that share a telephonySessionId, in order of their start.

    Attributes:
        conversation: That it is a part of; None for a session of its own.
    """

    telephony_session_id: str
    records: tuple[CallRecord, ...]
    conversation: Conversation | None = None

    @property
    def start_time(self) -> datetime:
        return self.records[0].start_time

    @property
    def end_time(self) -> datetime:
        return max(record.end_time for record in self.records)

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Each recording of the session once, in play order."""
        found = {recording.id: recording for record in self.records for recording in record.recordings}
        return tuple(sorted(found.values(), key=lambda recording: recording.start_time))
