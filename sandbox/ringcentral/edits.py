"""What users did to the call log: recordings and records that they deleted."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Edit:
    """One deletion, as one call-log record shows it.

    Attributes:
        number: In the order in which they happened, from 1.
        time: At which the record was modified, to the millisecond.
        call_id: Of the record.
    """

    number: int
    time: datetime
    call_id: str


class Edits:
    """Every deletion of a sandbox, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._edits: list[Edit] = []
        self._latest: dict[str, Edit] = {}
        self._calls: set[str] = set()
        self._recordings: set[str] = set()

    def delete_call(self, call_id: str, time: datetime) -> None:
        """Marks a record as deleted; its recordings are deleted apart."""
        with self._lock:
            if call_id not in self._calls:
                self._calls.add(call_id)
                self._add(call_id, time)

    def delete_recording(self, recording_id: str, call_ids: tuple[str, ...], time: datetime) -> None:
        """Deletes a recording, which modifies the records that refer to it."""
        with self._lock:
            if recording_id not in self._recordings:
                self._recordings.add(recording_id)
                for call_id in call_ids:
                    self._add(call_id, time)

    def _add(self, call_id: str, time: datetime) -> None:
        time = time.replace(microsecond=time.microsecond // 1000 * 1000)
        # Two at once may come in the other order; readers rely on the times of the list never going back.
        edit = Edit(len(self._edits) + 1, max(time, self._edits[-1].time) if self._edits else time, call_id)
        self._edits.append(edit)
        self._latest[call_id] = edit

    @property
    def deleted_calls(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._calls)

    def is_call_deleted(self, call_id: str) -> bool:
        return call_id in self._calls

    def is_recording_deleted(self, recording_id: str) -> bool:
        return recording_id in self._recordings

    def latest_of(self, call_id: str) -> Edit | None:
        """The last one that modified a record."""
        return self._latest.get(call_id)

    def after(self, number: int) -> tuple[Edit, ...]:
        """All that came after the one of a number, in order."""
        with self._lock:
            return tuple(self._edits[number:])

    def reset(self) -> None:
        with self._lock:
            self._edits.clear()
            self._latest.clear()
            self._calls.clear()
            self._recordings.clear()
