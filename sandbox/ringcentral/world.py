"""Every call there ever was and will be: days are planned when they are asked for, in any order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from sandbox.ringcentral import ids
from sandbox.ringcentral.calls import CallRecord, Recording, Session
from sandbox.ringcentral.config import SandboxConfig
from sandbox.ringcentral.planning import plan_session

_CACHED_DAYS = 40


@dataclass(frozen=True, slots=True)
class Truth:
    """What an archive of a time range must hold.

    Attributes:
        calls: Call-log records that start in the range and have ended, by start time.
        sessions: Telephony sessions that start in the range and have recordings, by start time, with those of their
            records that have ended.
    """

    calls: tuple[CallRecord, ...]
    sessions: tuple[Session, ...]

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Each recording of the sessions once, in play order."""
        return tuple(recording for session in self.sessions for recording in session.recordings)


class World:
    """The calls that a configuration implies."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._planned_day = lru_cache(maxsize=_CACHED_DAYS)(self._plan_day)

    def _plan_day(self, day: date) -> tuple[Session, ...]:
        sessions = (plan_session(self._config, day, index) for index in range(self._config.mix.calls_per_day))
        return tuple(sorted(sessions, key=lambda session: session.start_time))

    def sessions(self, date_from: datetime, date_to: datetime) -> tuple[Session, ...]:
        """Sessions with at least one record that starts in [date_from, date_to), by start time."""
        found: list[Session] = []
        # The second record of a session may start after midnight, so the day before is looked at as well.
        day = date_from.astimezone(UTC).date() - timedelta(days=1)
        while datetime.combine(day, time(), UTC) < date_to:
            found.extend(
                session
                for session in self._planned_day(day)
                if any(date_from <= record.start_time < date_to for record in session.records)
            )
            day += timedelta(days=1)
        return tuple(found)

    def records(self, date_from: datetime, date_to: datetime) -> tuple[CallRecord, ...]:
        """Call-log records that start in [date_from, date_to), by start time and id."""
        records = [
            record
            for session in self.sessions(date_from, date_to)
            for record in session.records
            if date_from <= record.start_time < date_to
        ]
        return tuple(sorted(records, key=lambda record: (record.start_time, record.id)))

    def truth(self, date_from: datetime, date_to: datetime, ended_by: datetime) -> Truth:
        """What an archive of [date_from, date_to) must hold when calls up to `ended_by` have ended."""
        sessions = (
            replace(session, records=tuple(record for record in session.records if record.end_time <= ended_by))
            for session in self.sessions(date_from, date_to)
            if session.start_time >= date_from
        )
        return Truth(
            calls=tuple(record for record in self.records(date_from, date_to) if record.end_time <= ended_by),
            sessions=tuple(session for session in sessions if session.recordings),
        )

    def find_record(self, call_id: str) -> CallRecord | None:
        """The call-log record of an id."""
        session = self._session_at(ids.place_of_call(self._config.seed, call_id))
        return next((record for record in session.records if record.id == call_id), None) if session else None

    def find_recording(self, recording_id: str) -> tuple[Recording, CallRecord] | None:
        """The recording of an id, with the call-log record that refers to it."""
        session = self._session_at(ids.place_of_recording(recording_id))
        if session is None:
            return None
        return next(
            (
                (recording, record)
                for record in session.records
                for recording in record.recordings
                if recording.id == recording_id
            ),
            None,
        )

    def _session_at(self, place: ids.Place | None) -> Session | None:
        if place is None or place.index >= self._config.mix.calls_per_day:
            return None
        return plan_session(self._config, place.day, place.index)
