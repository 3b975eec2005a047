"""Conferences, and the recordings of whole conferences: they end when everybody has left.

What Sinch's cloud names such a file is not documented. Here the conference's id stands where else the call's does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.sinch.recorder import Recorder
from sandbox.sinch.state import Made, State


@dataclass(slots=True)
class _Conference:
    recorder: Recorder
    participants: set[str] = field(default_factory=set)


class Conferences:
    """Those that are going on.

    Args:
        state: The sandbox.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._going_on: dict[str, _Conference] = {}

    def join(self, conference_id: str, call_id: str, record: Mapping[str, Any] | None, at: datetime) -> None:
        """Adds a participant, and starts to record the conference where the action asks for it."""
        conference = self._going_on.setdefault(conference_id, _Conference(Recorder(self._state, conference_id)))
        conference.participants.add(call_id)
        if record is not None:
            conference.recorder.start(record, at)

    def leave(self, conference_id: str, call_id: str, at: datetime) -> tuple[Made, Mapping[str, Any]] | None:
        """Takes a participant out; what was recorded, once the last one leaves."""
        conference = self._going_on[conference_id]
        conference.participants.discard(call_id)
        if conference.participants:
            return None
        del self._going_on[conference_id]
        return conference.recorder.stop(at)
