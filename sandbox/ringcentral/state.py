"""What the listeners of one sandbox share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.ringcentral.audio import AudioStore, Mp3Settings
from sandbox.ringcentral.calls import CallRecord
from sandbox.ringcentral.clock import Clock
from sandbox.ringcentral.config import SandboxConfig
from sandbox.ringcentral.faults import Faults
from sandbox.ringcentral.journal import Journal
from sandbox.ringcentral.quota import Quotas
from sandbox.ringcentral.sessions import Sessions
from sandbox.ringcentral.world import World


class Deletions:
    """Recordings and call-log records that a user deleted, with the time of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, datetime] = {}

    def add(self, identifier: str, time: datetime) -> None:
        with self._lock:
            self._times.setdefault(identifier, time)

    def time_of(self, identifier: str) -> datetime | None:
        with self._lock:
            return self._times.get(identifier)

    def reset(self) -> None:
        with self._lock:
            self._times.clear()


@dataclass(frozen=True, slots=True)
class State:
    """The parts of one sandbox.

    Attributes:
        platform_url: Base URL of the platform listener, without a slash at the end.
        media_url: Base URL of the media listener.
    """

    config: SandboxConfig
    platform_url: str
    media_url: str
    clock: Clock
    world: World
    audio: AudioStore
    sessions: Sessions
    quotas: Quotas
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)
    deleted_calls: Deletions = field(default_factory=Deletions)
    deleted_recordings: Deletions = field(default_factory=Deletions)

    def listed(self, record: CallRecord) -> bool:
        """Whether a record stands in the call log yet: its call has ended, and the delay has passed."""
        return record.end_time + timedelta(seconds=self.config.appearance_delay) <= self.clock.now()

    def reset(self) -> None:
        """Forgets requests, quotas, faults and deletions; logins and time stay."""
        self.journal.reset()
        self.quotas.reset()
        self.faults.clear()
        self.deleted_calls.reset()
        self.deleted_recordings.reset()


def build_state(config: SandboxConfig, platform_url: str, media_url: str) -> State:
    """A fresh sandbox behind two base URLs."""
    clock = Clock(config.now, config.offset)
    return State(
        config=config,
        platform_url=platform_url,
        media_url=media_url,
        clock=clock,
        world=World(config),
        audio=AudioStore(Mp3Settings(config.mp3_sample_rate, config.mp3_bit_rate)),
        sessions=Sessions(config.parallel_sessions, clock.seconds),
        quotas=Quotas(config.quotas, clock.seconds),
    )
