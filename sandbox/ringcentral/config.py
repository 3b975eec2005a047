"""Every knob of the RingCentral sandbox."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

from sandbox.ringcentral.directory import EXTENSIONS

AudioFormat = Literal["mp3", "wav", "mixed"]
Group = Literal["light", "medium", "heavy", "auth"]
CallLogOrder = Literal["descending", "ascending"]
DeletedRecords = Literal["full", "stub"]

MP3_SAMPLE_RATES = (16_000, 24_000, 32_000, 48_000)


@dataclass(frozen=True, slots=True)
class QuotaLimit:
    """A usage plan of one API group: https://developers.ringcentral.com/guide/basics/rate-limits .

    Attributes:
        limit: Requests allowed in the window.
        window: Length of the sliding window in seconds.
        penalty: Seconds for which a group stays shut once its limit is exceeded.
    """

    limit: int
    window: float = 60
    penalty: float = 60

    def __post_init__(self) -> None:
        if self.limit < 1 or self.window <= 0 or self.penalty < 0:
            raise ValueError(f"a quota needs limit >= 1, window > 0 and penalty >= 0, got {self}")


DEFAULT_QUOTAS: Mapping[Group, QuotaLimit] = {
    "light": QuotaLimit(50),
    "medium": QuotaLimit(40),
    "heavy": QuotaLimit(10),
    "auth": QuotaLimit(5),
}


_SHARES = (
    "recorded_share",
    "on_demand_share",
    "transferred_share",
    "split_transfer_share",
    "repeated_leg_share",
    "short_share",
    "fax_share",
    "long_share",
    "rewritten_share",
    "unmoved_share",
    "repeated_record_share",
    "conversation_share",
)
# Within these, all that belongs to a call starts on its UTC day or on the next one, where the world looks for it.
_RANGES: Mapping[str, tuple[int, int]] = {
    "leg_seconds": (30, 3600),
    "transfer_recordings": (2, 9),
    "long_seconds": (30, 12_600),
    "rewrite_seconds": (1, 86_400),
    "linked_seconds": (1, 14_400),
}


@dataclass(frozen=True, slots=True)
class CallMix:
    """What the calls of a day are like. Shares lie between 0 and 1.

    Attributes:
        calls_per_day: Telephony sessions that start on every UTC day.
        recorded_share: Of answered voice calls.
        on_demand_share: Of recorded calls: recorded with *9 instead of automatically.
        transferred_share: Of recorded calls: blind transfers, each with further recordings.
        split_transfer_share: Of transferred calls: the part after the transfer is a call-log record of its own,
            with the same telephonySessionId, instead of further legs of the one record.
        repeated_leg_share: Of recorded conversations: a second leg repeats the recording of the first.
        short_share: Of answered voice calls: shorter than the 30 seconds below which no recording is kept.
        fax_share: Of all calls.
        leg_seconds: Shortest and longest recorded conversation, whole seconds between 30 and 3600.
        transfer_recordings: Fewest and most recordings of a transferred call, between 2 and 9.
        long_share: Of answered calls that are not short: last `long_seconds`. They are not transferred, and their
            recordings hold the first `leg_seconds` of them.
        long_seconds: Shortest and longest of those, whole seconds between 30 and 12600.
        rewritten_share: Of voice records of ten seconds and more: listed first as a snapshot from the middle of the
            call, and rewritten under the same id some time after its end.
        rewrite_seconds: Least and most seconds from the end of a call to that, between 1 and 86400.
        unmoved_share: Of rewritten records: lastModifiedTime stays that of the snapshot, so that no extract of changes
            tells of the last version.
        repeated_record_share: Of recorded calls: another extension has a record of its own of the same telephony
            session, with the same recording.
        conversation_share: Of all groups of three calls: two or three of them make one conversation, by a transfer
            with consultation or as a conference. Some of the links between them stand on one side only.
        linked_seconds: From the start of a telephony session to that of the next one in its conversation, or of the
            record that repeats its recording; between 1 and 14400.
    """

    calls_per_day: int = 200
    recorded_share: float = 0.7
    on_demand_share: float = 0.15
    transferred_share: float = 0.25
    split_transfer_share: float = 0.4
    repeated_leg_share: float = 0.7
    short_share: float = 0.08
    fax_share: float = 0.04
    leg_seconds: tuple[int, int] = (30, 90)
    transfer_recordings: tuple[int, int] = (2, 4)
    long_share: float = 0
    long_seconds: tuple[int, int] = (3600, 12_600)
    rewritten_share: float = 0
    rewrite_seconds: tuple[int, int] = (30, 900)
    unmoved_share: float = 0
    repeated_record_share: float = 0
    conversation_share: float = 0
    linked_seconds: tuple[int, int] = (60, 900)

    def __post_init__(self) -> None:
        if not 0 <= self.calls_per_day <= 1_000_000:
            raise ValueError(f"calls_per_day must lie between 0 and 1000000, got {self.calls_per_day}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        for name, (least, most) in _RANGES.items():
            first, last = getattr(self, name)
            if not least <= first <= last <= most:
                raise ValueError(f"{name} must be a range within {least} to {most}, got {(first, last)}")


def _check_logins(users: int, parallel_sessions: int) -> None:
    if not 1 <= users <= len(EXTENSIONS):
        raise ValueError(f"users must be 1 to {len(EXTENSIONS)}, got {users}")
    if parallel_sessions < 1:
        raise ValueError(f"parallel_sessions must be at least 1, got {parallel_sessions}")


def _personal_jwt(client_id: str, user: int = 0) -> str:
    """A string in the form of a personal JWT; the sandbox compares it and checks no signature."""
    subject = EXTENSIONS[user].number
    parts = ({"alg": "RS256", "typ": "JWT"}, {"iss": "sandbox", "sub": subject, "aud": client_id})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "not-a-signature"])


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Every knob of a sandbox. What RingCentral has not established says so.

    Attributes:
        seed: Decides every call and every sound, together with the day.
        mix: What the calls of a day are like.
        host: Address both listeners bind to.
        port: Of the platform host; 0 for a free one.
        media_port: Of the media host; 0 for a free one.
        client_id: Of the one registered application.
        client_secret: Of the same application.
        jwt: The personal JWT of the first user; derived from `client_id` when empty.
        users: How many users of the account have a personal JWT, each with a quota of its own; see `jwts`.
        app_scopes: Application permissions of the access token; without one, 403 CMN-401.
        user_permissions: Permissions of the user; without one, 403 CMN-408.
        quotas: Limits by group; None switches every limit off, a missing group is not limited.
        media_group: Group that recording contents count in. Not established: documents say Heavy, users also report
            a more generous one.
        media_rate_headers: Whether recording contents carry X-Rate-Limit headers. Not established.
        token_seconds: Longest life of an access token.
        refresh_tokens: Whether the application option "Issue refresh tokens" is on.
        parallel_sessions: Further logins end the oldest session of the same user and application.
        detailed_per_page_cap: Largest page of the Detailed view. Not established: older documents say 250, newer
            ones name no limit, which None stands for.
        call_log_order: By start time; samples are descending. Not established.
        deleted_records: Whether showDeleted and the extract of changes list a deleted record with all it had but the
            recordings, or as a stub of id, uri, sessionId and startTime. Not established.
        sync_token_seconds: Life of a token of the extract of changes; None for one without end. Not established.
        appearance_delay: Seconds between the end of a call and its record in the call log.
        recording_delay: Seconds between the end of a call and its recordings; before, 404 CMN-102. That body is not
            established.
        retention_days: After which recordings vanish from their records, which are not modified by it, and from the
            media host.
        audio_format: What the company setting stores recordings as; `mixed` makes a share of them WAV.
        wav_share: Of recordings, when `mixed`.
        mp3_sample_rate: In Hz: 16000, 24000, 32000 or 48000.
        mp3_bit_rate: In bit/s, constant.
        latency: Seconds that every answer takes longer.
        now: Fixed wall time; None for the real one.
        offset: Added to the real wall time.
    """

    seed: int = 1
    mix: CallMix = field(default_factory=CallMix)
    host: str = "127.0.0.1"
    port: int = 0
    media_port: int = 0
    client_id: str = "sandbox-client"
    client_secret: str = field(default="sandbox-secret", repr=False)
    jwt: str = field(default="", repr=False)
    users: int = 1
    app_scopes: tuple[str, ...] = (
        "CallControl",
        "EditCallLog",
        "ReadAccounts",
        "ReadCallLog",
        "ReadCallRecording",
        "SubscriptionWebhook",
    )
    user_permissions: tuple[str, ...] = (
        "EditCompanyCallRecordings",
        "FullCompanyCallLog",
        "ReadCallLog",
        "ReadCallRecording",
    )
    quotas: Mapping[Group, QuotaLimit] | None = field(default_factory=lambda: DEFAULT_QUOTAS)
    media_group: Group = "heavy"
    media_rate_headers: bool = True
    token_seconds: int = 3600
    refresh_tokens: bool = False
    parallel_sessions: int = 5
    detailed_per_page_cap: int | None = None
    call_log_order: CallLogOrder = "descending"
    deleted_records: DeletedRecords = "full"
    sync_token_seconds: float | None = None
    appearance_delay: float = 0
    recording_delay: float = 0
    retention_days: float = 90
    audio_format: AudioFormat = "mp3"
    wav_share: float = 0.3
    mp3_sample_rate: int = 16_000
    mp3_bit_rate: int = 32_000
    latency: float = 0
    now: datetime | None = None
    offset: timedelta = timedelta()

    def __post_init__(self) -> None:
        if not self.jwt:
            object.__setattr__(self, "jwt", _personal_jwt(self.client_id))
        if self.mp3_sample_rate not in MP3_SAMPLE_RATES:
            raise ValueError(f"mp3_sample_rate must be one of {MP3_SAMPLE_RATES}, got {self.mp3_sample_rate}")
        _check_logins(self.users, self.parallel_sessions)
        if self.token_seconds < 1:
            raise ValueError(f"token_seconds must be at least 1, got {self.token_seconds}")
        if self.sync_token_seconds is not None and self.sync_token_seconds <= 0:
            raise ValueError(f"sync_token_seconds must be more than 0, or None, got {self.sync_token_seconds}")
        for name, choices in (("call_log_order", CallLogOrder), ("deleted_records", DeletedRecords)):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(f"{name} must be one of {get_args(choices)}, got {getattr(self, name)!r}")
        for name in ("appearance_delay", "recording_delay", "retention_days", "latency"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")

    @property
    def jwts(self) -> tuple[str, ...]:
        """The personal JWTs that are accepted, of the first users of the directory."""
        return (self.jwt, *(_personal_jwt(self.client_id, user) for user in range(1, self.users)))
