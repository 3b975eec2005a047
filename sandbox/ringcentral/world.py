"""Every call there ever was and will be: days are planned when they are asked for, in any order."""

from __future__ import annotations

import gc
import math
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TypeVar

from sandbox.ringcentral import ids
from sandbox.ringcentral.calls import CallRecord, Recording, Session
from sandbox.ringcentral.config import SandboxConfig
from sandbox.ringcentral.conversations import plan_day, plan_session

T = TypeVar("T")

_DAY = timedelta(days=1)
# A day of 100,000 calls takes about 200 MB.
_CACHED_DAYS = 40
_CACHED_CALLS = 400_000
_FEWEST_CACHED_DAYS = 4


@dataclass(frozen=True, slots=True)
class Truth:
    """What an archive of a time range must hold, whatever has been deleted since.

    Attributes:
        calls: Call-log records that start in the range and are listed, in their latest version, by start time.
        sessions: Telephony sessions that start in the range and have recordings, by start time, with those of their
            records that are listed.
        conversations: The telephonySessionIds that belong together, in order, of each conversation that starts in the
            range and is listed with all its records.
    """

    calls: tuple[CallRecord, ...]
    sessions: tuple[Session, ...]
    conversations: tuple[tuple[str, ...], ...] = ()

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Each recording of the sessions once, in play order."""
        return tuple(recording for session in self.sessions for recording in session.recordings)


@dataclass(frozen=True, slots=True)
class _StartDay:
    """The records that start on a UTC day, by start time and id.

    Attributes:
        longest: The most time that passes between the start of one of them and its last version in the call log.
    """

    records: tuple[CallRecord, ...]
    starts: list[datetime]
    longest: timedelta


@dataclass(frozen=True, slots=True)
class _ChangeDay:
    """The records of which a version is modified on a UTC day, by modification time and id."""

    times: list[datetime]
    records: list[CallRecord]


class World:
    """The calls that a configuration implies."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        days = _CACHED_CALLS // max(1, config.mix.calls_per_day)
        days = max(_FEWEST_CACHED_DAYS, min(_CACHED_DAYS, days))
        lock = threading.RLock()
        self._planned_day = _cached(self._plan_day, days, lock)
        self._start_day = _cached(self._sort_by_start, days, lock)
        self._change_day = _cached(self._sort_by_change, days, lock)
        latest = timedelta(seconds=config.appearance_delay)
        if config.mix.rewritten_share:
            latest += timedelta(seconds=config.mix.rewrite_seconds[1])
        # Days between the one that a session is planned for and the last one on which it changes.
        self._change_days = 1 + math.ceil(latest / _DAY)

    def _plan_day(self, day: date) -> tuple[Session, ...]:
        # Nothing of a plan is garbage: looking for some would take half of the time for 100,000 calls.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return tuple(sorted(plan_day(self._config, day), key=lambda session: session.start_time))
        finally:
            if collecting:
                gc.enable()

    def _sort_by_start(self, day: date) -> _StartDay:
        # The second record of a session may start after midnight, so the day before is looked at as well.
        records = [
            record
            for planned in (day - _DAY, day)
            for session in self._planned_day(planned)
            for record in session.records
            if record.start_time.date() == day
        ]
        records.sort(key=lambda record: (record.start_time, record.id))
        return _StartDay(
            records=tuple(records),
            starts=[record.start_time for record in records],
            longest=max((record.listed_time - record.start_time for record in records), default=timedelta()),
        )

    def _sort_by_change(self, day: date) -> _ChangeDay:
        changes = [
            (modified, record.id, record)
            for back in range(self._change_days, -1, -1)
            for session in self._planned_day(day - back * _DAY)
            for record in session.records
            for modified in {version.last_modified_time for version in (record, record.snapshot) if version is not None}
            if modified.date() == day
        ]
        changes.sort(key=lambda change: change[:2])
        return _ChangeDay([time for time, _, _ in changes], [record for _, _, record in changes])

    def sessions(self, date_from: datetime, date_to: datetime) -> tuple[Session, ...]:
        """Sessions with at least one record that starts in [date_from, date_to), by start time."""
        found = [
            session
            for day in _days(date_from - _DAY, date_to)
            for session in self._planned_day(day)
            if any(date_from <= record.start_time < date_to for record in session.records)
        ]
        return tuple(found)

    def records(self, date_from: datetime, date_to: datetime) -> tuple[CallRecord, ...]:
        """The last versions of the records that start in [date_from, date_to), by start time and id."""
        return tuple(record for day, low, high in self._slices(date_from, date_to) for record in day.records[low:high])

    def listed(self, date_from: datetime, date_to: datetime, now: datetime) -> list[CallRecord]:
        """What the call log has of [date_from, date_to) at a moment, by start time and id."""
        listed: list[CallRecord] = []
        for day, low, high in self._slices(date_from, date_to):
            settled = min(high, max(low, bisect_right(day.starts, now - day.longest)))
            listed.extend(day.records[low:settled])
            versions = (record.listed_at(now) for record in day.records[settled:high])
            listed.extend(version for version in versions if version is not None)
        return listed

    def changes(self, after: datetime, up_to: datetime) -> Iterator[tuple[datetime, CallRecord]]:
        """The records of which a version is modified in (after, up_to], with that time, by time and id."""
        for day in _days(after, up_to + timedelta(milliseconds=1)):
            changes = self._change_day(day)
            low, high = bisect_right(changes.times, after), bisect_right(changes.times, up_to)
            yield from zip(changes.times[low:high], changes.records[low:high], strict=True)

    def truth(self, date_from: datetime, date_to: datetime, now: datetime) -> Truth:
        """What an archive of [date_from, date_to) must hold at a moment."""
        starting = [session for session in self.sessions(date_from, date_to) if session.start_time >= date_from]
        sessions = (replace(session, records=_listed(session.records, now)) for session in starting)
        return Truth(
            calls=tuple(self.listed(date_from, date_to, now)),
            sessions=tuple(session for session in sessions if session.recordings),
            conversations=tuple(
                session.conversation.telephony_session_ids
                for session in starting
                if session.conversation is not None
                and session.conversation.telephony_session_ids[0] == session.telephony_session_id
                and session.conversation.listed_time <= now
            ),
        )

    def find_record(self, call_id: str) -> CallRecord | None:
        """The last version of the call-log record of an id."""
        session = self._session_at(ids.place_of_call(self._config.seed, call_id))
        return next((record for record in session.records if record.id == call_id), None) if session else None

    def find_recording(self, recording_id: str) -> tuple[Recording, tuple[CallRecord, ...]] | None:
        """The recording of an id, with the call-log records that refer to it, by start time."""
        session = self._session_at(ids.place_of_recording(recording_id))
        if session is None:
            return None
        found = [
            (recording, record)
            for record in session.records
            for recording in record.recordings
            if recording.id == recording_id
        ]
        return (found[0][0], tuple(record for _, record in found)) if found else None

    def _slices(self, date_from: datetime, date_to: datetime) -> Iterator[tuple[_StartDay, int, int]]:
        for day in _days(date_from, date_to):
            starts = self._start_day(day)
            yield starts, bisect_left(starts.starts, date_from), bisect_left(starts.starts, date_to)

    def _session_at(self, place: ids.Place | None) -> Session | None:
        if place is None or place.index >= self._config.mix.calls_per_day:
            return None
        return plan_session(self._config, place.day, place.index)


def _cached(of_day: Callable[[date], T], days: int, lock: threading.RLock) -> Callable[[date], T]:
    """Remembers the latest used days; the lock keeps simultaneous requests from planning the same one."""
    remembered = lru_cache(maxsize=days)(of_day)

    def locked(day: date) -> T:
        with lock:
            return remembered(day)

    return locked


def _days(date_from: datetime, date_to: datetime) -> Iterator[date]:
    """Every UTC day of [date_from, date_to)."""
    day = date_from.astimezone(UTC).date()
    while datetime.combine(day, time(), UTC) < date_to:
        yield day
        day += _DAY


def _listed(records: tuple[CallRecord, ...], now: datetime) -> tuple[CallRecord, ...]:
    versions = (record.listed_at(now) for record in records)
    return tuple(version for version in versions if version is not None)
