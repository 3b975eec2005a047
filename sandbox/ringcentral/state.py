"""What the listeners of one sandbox share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.ringcentral.audio import AudioStore, Mp3Settings
from sandbox.ringcentral.calls import Recording
from sandbox.ringcentral.clock import Clock
from sandbox.ringcentral.config import SandboxConfig
from sandbox.ringcentral.edits import Edits
from sandbox.ringcentral.faults import Faults
from sandbox.ringcentral.journal import Journal
from sandbox.ringcentral.quota import Quotas
from sandbox.ringcentral.sessions import Sessions
from sandbox.ringcentral.subscriptions import Subscriptions
from sandbox.ringcentral.sync_tokens import SyncTokens
from sandbox.ringcentral.world import World


@dataclass(slots=True)
class PagingHook:
    """What happens between two pages of a call log; see `Sandbox.between_pages`."""

    action: Callable[[int], None] | None = None


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
    sync_tokens: SyncTokens
    subscriptions: Subscriptions
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)
    edits: Edits = field(default_factory=Edits)
    between_pages: PagingHook = field(default_factory=PagingHook)

    def holds(self, recording: Recording, now: datetime) -> bool:
        """Whether a recording has neither been deleted nor outlived its retention."""
        if self.edits.is_recording_deleted(recording.id):
            return False
        return recording.end_time + timedelta(days=self.config.retention_days) > now

    def delete_recording(self, recording_id: str) -> None:
        """Deletes the media of a recording; its call-log records stay, without it.

        Raises:
            KeyError: If no recording has this id.
        """
        found = self.world.find_recording(recording_id)
        if found is None:
            raise KeyError(recording_id)
        self.edits.delete_recording(recording_id, tuple(record.id for record in found[1]), self.clock.now())

    def delete_call(self, call_id: str) -> None:
        """Deletes a call-log record and its recordings.

        Raises:
            KeyError: If no record has this id.
        """
        record = self.world.find_record(call_id)
        if record is None:
            raise KeyError(call_id)
        for recording in record.recordings:
            self.delete_recording(recording.id)
        self.edits.delete_call(call_id, self.clock.now())

    def reset(self) -> None:
        """Forgets requests, quotas, faults, deletions and sync tokens; logins and time stay."""
        self.journal.reset()
        self.quotas.reset()
        self.faults.clear()
        self.edits.reset()
        self.sync_tokens.expire()
        self.between_pages.action = None


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
        sync_tokens=SyncTokens(config.sync_token_seconds, clock.seconds),
        subscriptions=Subscriptions(clock.now),
    )
