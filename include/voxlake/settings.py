"""Every setting of Voxlake, read once from the environment (`VOXLAKE_*`)."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def project_root() -> Path:
    """The folder that holds `dags/`: defaults that are paths are relative to it, whatever the working directory.

    An editable install (what `make install` and the image do) lies in the project; otherwise `AIRFLOW_HOME` is the
    folder beside which Airflow itself looks for `dags/`.
    """
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "dags").is_dir():
        return checkout
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()


class Settings(BaseSettings):
    """The settings; `docs/settings.md` is generated from the descriptions below."""

    # An empty variable is what a compose file makes of one that is not set.
    model_config = SettingsConfigDict(env_prefix="VOXLAKE_", env_ignore_empty=True, frozen=True)

    lake_url: str = Field(
        default_factory=lambda: str(project_root() / "lake"),
        description="Where the lake lies: a folder, or `s3://bucket/prefix`. Default: `lake/` beside `dags/`.",
    )
    aws_conn_id: str = Field(
        default="aws_default",
        description="The Airflow connection with the AWS credentials (and `endpoint_url`) of an S3 lake.",
    )
    s3_encryption: Literal["", "AES256", "aws:kms"] = Field(
        default="",
        description=(
            "Server-side encryption that every write to an S3 lake asks for: `AES256` (SSE-S3) or `aws:kms` (SSE-KMS). "
            "Default: none is asked for, so that the bucket's own applies."
        ),
    )
    s3_kms_key_id: str = Field(
        default="",
        description="The key of `aws:kms`, by id or ARN. Default: the account's own, `aws/s3`.",
    )
    state_dir: Path = Field(
        default_factory=lambda: project_root() / ".voxlake",
        description=(
            "Folder shared by all processes of a host: the encrypted access token and the request quota of each "
            "credential, and the index of the Recordings page. Holds nothing that cannot be lost. Default: `.voxlake/` "
            "beside `dags/`."
        ),
    )
    quota_url: str = Field(
        default="",
        # It may hold a password.
        repr=False,
        description=(
            "Where workers on several hosts share the access token and the request quota: a Redis server, as "
            "`redis://[[user]:password@]host[:port][/database]` or `rediss://…` (TLS), the password percent-encoded. "
            "Default: none, the file in "
            "`VOXLAKE_STATE_DIR` serves one host."
        ),
    )
    call_log_overlap: timedelta = Field(
        default=timedelta(hours=4),
        description=(
            "How far before its interval a scheduled run reads again, because a call is in the call log by its start "
            "but only after its end: longer than the longest calls. ISO 8601, such as `PT4H`. Default: 4 hours."
        ),
    )
    call_log_read: Literal["windows", "modifications"] = Field(
        default="windows",
        description=(
            "How scheduled runs read the call log: `windows` reads by start time, with the overlap; `modifications` "
            "asks for what changed since the run before (`call-log-extract-sync`, documented but not proven with real "
            "accounts) and goes back to windows where that is refused. Default: `windows`."
        ),
    )
    recording_wait: timedelta = Field(
        default=timedelta(hours=1),
        description=(
            "How long after its start a recording that the media host does not have (404) is waited for by its run; "
            "then it is `unavailable`, but every run that reads its call within three days looks once more. "
            "ISO 8601, such as `PT1H`. Default: 1 hour."
        ),
    )
    recording_retention: timedelta = Field(
        default=timedelta(days=90),
        description=(
            "How long after its start RingCentral keeps a recording: what comes nearest to it is fetched first, and "
            "what is past it is not waited for. ISO 8601, such as `P90D`. Default: 90 days."
        ),
    )
    recording_limit: int = Field(
        default=100_000,
        gt=0,
        description="How many recordings RingCentral keeps for an account; it deletes the oldest. Default: 100000.",
    )
    recording_tolerance: timedelta = Field(
        default=timedelta(minutes=1),
        description=(
            "How much shorter than its leg an automatic recording may be before its session counts as `partial`: legs "
            "ring, recordings do not. ISO 8601, such as `PT1M`. Default: 1 minute."
        ),
    )
    merge: Literal["append", "timeline"] = Field(
        default="append",
        description=(
            "How the recordings of a session are merged: `append` sets one behind the other; `timeline` sets each at "
            "its real time, with silence in the gaps, and mixes those that overlap. Default: `append`."
        ),
    )
    merge_format: Literal["auto", "mp3", "flac", "opus"] = Field(
        default="auto",
        description=(
            "Format of merged files. `auto`: recordings that are alike are copied, MP3 into MP3 and WAV into WAV, and "
            "all others encoded to MP3. `mp3`, `flac`, `opus`: every file is such a one, and only MP3s that are alike "
            "can be copied, for `mp3`. Default: `auto`."
        ),
    )
    merge_bit_rate: int | None = Field(
        default=None,
        ge=6_000,
        le=512_000,
        description=(
            "Bits per second of merged files that are encoded to MP3 or Opus. Default: what does speech justice: a "
            "channel of MP3 has 24000 up to 12 kHz, 48000 (of two: 32000) up to 24 kHz, 64000 above; one of Opus 24000."
        ),
    )
    audio_delivery: Literal["proxy", "redirect"] = Field(
        default="proxy",
        description=(
            "How the Recordings page gives out audio of a lake in S3: `proxy` through Airflow's API server; `redirect` "
            "by a signed URL of the bucket, good for 15 minutes, so that the API server carries no audio. Default: "
            "`proxy`."
        ),
    )
    sinch_aws_conn_id: str = Field(
        default="aws_default",
        description=(
            "The Airflow connection with the AWS credentials that may read the bucket which Sinch writes recordings "
            "into (`s3:ListBucketVersions`, `s3:GetObject`, `s3:GetObjectVersion`)."
        ),
    )
    sinch_delivery_wait: timedelta = Field(
        default=timedelta(hours=6),
        description=(
            "How long after Sinch told of a recording its file may take to arrive; then it is `unavailable`, until it "
            "arrives all the same. ISO 8601, such as `PT6H`. Default: 6 hours."
        ),
    )
    sinch_recorded: Literal["told", "answered"] = Field(
        default="told",
        description=(
            "Which calls `sinch_reconcile` expects a recording of: `told`, those that Sinch told of a recording of, or "
            "delivered one; `answered`, every call that was answered, as where Voxlake answers all callbacks. Default: "
            "`told`."
        ),
    )
    sinch_cdr_url: str = Field(
        default="",
        description=(
            "Where Sinch writes the daily files of call detail records: `s3://bucket/folder/`. Default: nowhere, and "
            "`sinch_reconcile` has nothing to compare with."
        ),
    )
    webhook_url: str = Field(
        default="",
        description=(
            "The public https address of `/voxlake-webhooks/ringcentral` of the API server, where RingCentral is to "
            "tell of calls: such as `https://airflow.example.com/voxlake-webhooks/ringcentral`. Default: none, and "
            "`ringcentral_subscription` fails."
        ),
    )
    event_filter: str = Field(
        default="/restapi/v1.0/account/~/telephony/sessions?withRecordings=true",
        description=(
            "Which calls RingCentral is to tell of: the account's recorded ones, or with "
            "`/restapi/v1.0/account/~/extension/~/telephony/sessions` those of the extension whose JWT is used. "
            "Default: `/restapi/v1.0/account/~/telephony/sessions?withRecordings=true`."
        ),
    )
    event_media: Literal["call_log", "id"] = Field(
        default="call_log",
        description=(
            "How recordings of sessions that events told of are fetched: `call_log` by the address that the call log "
            "gives, once it lists them; `id` also before, by an address made of the recording's id, which RingCentral "
            "serves and does not promise. What does not come so is left to the call log. Default: `call_log`."
        ),
    )
    reconcile_days: int = Field(
        default=3,
        gt=0,
        description=(
            "How many days the nightly `ringcentral_reconcile` reads again; hours in which no scheduler ran are made "
            "up as long as they lie in these days. Default: 3."
        ),
    )
    reconcile_missing_allowed: int = Field(
        default=0,
        ge=0,
        description=(
            "How many calls, recordings and sessions may be missing before `ringcentral_reconcile` fails its run. "
            "What the provider itself has no more does not count. Default: 0."
        ),
    )
    sinch_connect_to: str = Field(
        default="",
        pattern=r"^(\+\d{5,15}|sip:[^\s@]+@[^\s@]+|conference:\S{1,64})?$",
        description=(
            "Whom Sinch connects incoming calls to: a number (`+46…`), `sip:<user>@<host>` or `conference:<id>`. Where "
            "callers dial a number of the application's own it is needed. Default: whom the caller asked for."
        ),
    )
    sinch_record_at: Literal["ice", "ace"] = Field(
        default="ice",
        description=(
            "Which callback of Sinch's is answered so as to start the recording: `ice`, as the call comes in, with the "
            "ringing; `ace`, as it is answered, also of calls that the application places. Default: `ice`."
        ),
    )
    sinch_record_conference: Literal["participant", "conference"] = Field(
        default="participant",
        description=(
            "What is recorded of calls that Sinch connects to a conference: `participant`, a file for each, with what "
            "they hear; `conference`, the whole in one file, which Sinch's support has to allow. Default: "
            "`participant`."
        ),
    )
    sinch_callback_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#@]+/[^\s?#]*)?$",
        description=(
            "The team's own callback URL: Sinch's callbacks are passed on to it and its answers back, so that Voxlake "
            "only looks on. Without user, password or query. Default: none, Voxlake answers."
        ),
    )
    sinch_callback_failure: Literal["error", "answer"] = Field(
        default="error",
        description=(
            "What Sinch is answered where that URL fails or takes longer than 3 seconds: `error`, so that it asks the "
            "application's fallback URL; `answer`, what Voxlake would answer by itself. Default: `error`."
        ),
    )


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process.

    Raises:
        pydantic.ValidationError: A variable has a value of the wrong type; the message names it.
    """
    return Settings()
