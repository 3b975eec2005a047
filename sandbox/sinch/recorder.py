"""Records a call or a conference, and writes the file where it was told to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.ringcentral.audio import encode_mp3, encode_wav, samples_of, tone_of
from sandbox.sinch.state import Made, State

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SAMPLE_RATE = 16_000
_BIT_RATE = 24_000


@dataclass(slots=True)
class Running:
    """A recording that is going on.

    Attributes:
        options: As the instruction gave them.
        started: Since when.
    """

    options: Mapping[str, Any]
    started: datetime


class Recorder:
    """Records one call, or one conference; what is started while it runs is left out of account.

    Args:
        state: The sandbox.
        name: The call id, or the conference's.
        uploads: Whether its files reach the bucket.
    """

    def __init__(self, state: State, name: str, *, uploads: bool = True) -> None:
        self._state = state
        self._name = name
        self._uploads = uploads
        self._running: Running | None = None
        self._parts = 0

    def start(self, options: Mapping[str, Any], at: datetime) -> None:
        """Starts a recording."""
        if self._running is None:
            self._running = Running(options, at)

    def stop(self, at: datetime) -> tuple[Made, Mapping[str, Any]] | None:
        """Ends the recording and writes its file; with the options it was started with, None if there is none."""
        running, self._running = self._running, None
        if running is None:
            return None
        seconds = (at - running.started).total_seconds()
        sound = f"{self._name}{self._parts % 10}000"
        self._parts += 1
        kind = str(running.options.get("format", "mp3")).lower()
        bucket, key = self._place(str(running.options["destinationUrl"]), running.started, kind)
        made = Made(self._name, bucket, key, running.started, seconds, tone_of(sound), self._uploads)
        if self._uploads:
            made = replace(made, uploaded=self._upload(made, running.options, _audio(sound, seconds, kind)))
        self._state.recordings.append(made)
        return made, running.options

    def _place(self, url: str, started: datetime, kind: str) -> tuple[str, str]:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        if key and not key.endswith("/"):
            return bucket, key
        return bucket, f"{key}{started:%Y%m%d%H%M%S}_{self._state.key}_{self._name}.{kind}"

    def _upload(self, made: Made, options: Mapping[str, Any], audio: bytes) -> bool:
        s3 = bucket_client(self._state.s3_endpoint, str(options.get("credentials", "")))
        try:
            s3.put_object(Bucket=made.bucket, Key=made.key, Body=audio)
            if transcribed(options):
                s3.put_object(Bucket=made.bucket, Key=transcript_key(made.key), Body=_transcript(made))
        except (BotoCoreError, ClientError):
            # Sinch says nothing of it: the file is never `available`.
            return False
        return True


def bucket_client(endpoint: str, credentials: str) -> S3Client:
    """A client with the credentials of an instruction, `key:secret:region`."""
    key, secret, region = credentials.split(":")
    return boto3.client(
        "s3",
        endpoint_url=endpoint or None,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name=region,
        config=Config(retries={"total_max_attempts": 1}),
    )


def transcript_key(key: str) -> str:
    """Where the transcript of a recording lies."""
    return f"{key.rpartition('.')[0]}-transcript.json"


def transcribed(options: Mapping[str, Any]) -> bool:
    """Whether the options ask for a transcript."""
    return bool((options.get("transcriptionOptions") or {}).get("enabled"))


def _transcript(made: Made) -> bytes:
    half = round(made.seconds / 2, 2)
    lines = [
        {"timestamp": 0.5, "speakerLabel": "Speaker 1", "text": "Good morning, how can I help?"},
        {"timestamp": half, "speakerLabel": "Speaker 2", "text": f"It is about call {made.call_id}."},
    ]
    return json.dumps({"text": " ".join(str(line["text"]) for line in lines), "lines": lines}).encode()


def _audio(sound: str, seconds: float, kind: str) -> bytes:
    samples = samples_of(sound, round(seconds * 1000), _SAMPLE_RATE)
    if kind == "wav":
        return encode_wav(samples, _SAMPLE_RATE)
    return encode_mp3(samples, _SAMPLE_RATE, _BIT_RATE)
