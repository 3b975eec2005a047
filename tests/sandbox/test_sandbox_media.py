"""Recordings: what they sound like, how long they are, ranges, availability and deletion."""

from __future__ import annotations

import io
import subprocess
import wave
from datetime import UTC, datetime
from itertools import pairwise

import imageio_ffmpeg
import numpy as np
import pytest
import requests

from sandbox.ringcentral import CallMix, Recording, Sandbox, SandboxConfig, tone_of
from tests.conftest import NOON, StartSandbox
from tests.sandbox.conftest import LogIn

DAY = (datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))


def content_url(sandbox: Sandbox, recording: Recording) -> str:
    return f"{sandbox.media_url}/restapi/v1.0/account/~/recording/{recording.id}/content"


def decode(content: bytes) -> np.ndarray:
    """Decodes with ffmpeg, at the file's own sample rate."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "-", "-f", "s16le", "-"]
    done = subprocess.run(command, input=content, capture_output=True, check=True)
    assert done.stderr == b""
    return np.frombuffer(done.stdout, dtype="<i2")


def loudest_hz(samples: np.ndarray, sample_rate: int) -> float:
    second = samples[5 * sample_rate : 6 * sample_rate]
    return float(np.abs(np.fft.rfft(second)).argmax())


@pytest.mark.parametrize("sample_rate", [16_000, 48_000])
@pytest.mark.parametrize("seconds", [30, 61, 90])
def test_an_mp3_lasts_exactly_as_long_as_its_metadata_says(
    start_sandbox: StartSandbox, log_in: LogIn, sample_rate: int, seconds: int
) -> None:
    mix = CallMix(calls_per_day=20, leg_seconds=(seconds, seconds))
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=mix, mp3_sample_rate=sample_rate))
    recording = sandbox.truth(*DAY).recordings[0]
    api = log_in(sandbox)

    answer = api.get(content_url(sandbox, recording), timeout=10)
    metadata = api.get(f"{sandbox.platform_url}/restapi/v1.0/account/~/recording/{recording.id}", timeout=10).json()

    assert answer.headers["Content-Type"] == metadata["contentType"] == "audio/mpeg"
    assert metadata["duration"] == seconds
    samples = decode(answer.content)
    assert len(samples) == seconds * sample_rate
    assert loudest_hz(samples, sample_rate) == tone_of(recording.id)
    assert np.abs(samples.astype(int)).reshape(-1, sample_rate).max(axis=1).min() > 3000


def test_recordings_of_one_tone_and_length_are_one_file(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=CallMix(leg_seconds=(30, 30))))

    contents = {recording.id: sandbox.content_of(recording.id) for recording in sandbox.truth(*DAY).recordings}

    files = {tone_of(identifier): content for identifier, content in contents.items()}
    assert len(files) < len(contents) / 2
    assert all(contents[identifier] is files[tone_of(identifier)] for identifier in contents)
    assert len(set(files.values())) == len(files)


def test_a_wav_is_8_khz_mono_pcm_of_the_exact_length(start_sandbox: StartSandbox, log_in: LogIn) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, audio_format="wav"))
    recording = sandbox.truth(*DAY).recordings[0]

    answer = log_in(sandbox).get(content_url(sandbox, recording), timeout=10)

    assert answer.headers["Content-Type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.getnframes() == recording.duration_ms * 8
    assert loudest_hz(decode(answer.content), 8000) == tone_of(recording.id)


def test_a_mixed_company_has_both_formats(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, audio_format="mixed"))

    types = [recording.content_type for recording in sandbox.truth(*DAY).recordings]

    assert 0.15 < types.count("audio/wav") / len(types) < 0.45


def test_recordings_of_a_session_differ_in_tone(unlimited: Sandbox) -> None:
    for session in unlimited.truth(*DAY).sessions:
        tones = sorted(tone_of(recording.id) for recording in session.recordings)
        assert all(higher - lower >= 100 for lower, higher in pairwise(tones))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("bytes=0-1023", slice(0, 1024)), ("bytes=1000-", slice(1000, None)), ("bytes=-500", slice(-500, None))],
)
def test_a_range_is_answered_with_206(unlimited: Sandbox, api: requests.Session, asked: str, expected: slice) -> None:
    recording = unlimited.truth(*DAY).recordings[0]
    whole = unlimited.content_of(recording.id)

    answer = api.get(content_url(unlimited, recording), headers={"Range": asked}, timeout=10)

    first, last = expected.indices(len(whole))[:2]
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(whole)}"
    assert answer.content == whole[expected]


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", "bytes=9-3", "lines=1-2"])
def test_a_range_outside_of_the_file_is_416(unlimited: Sandbox, api: requests.Session, asked: str) -> None:
    recording = unlimited.truth(*DAY).recordings[0]

    answer = api.get(content_url(unlimited, recording), headers={"Range": asked}, timeout=10)

    assert (answer.status_code, answer.json()["errorCode"]) == (416, "CMN-107")
    assert answer.headers["Content-Range"] == f"bytes */{len(unlimited.content_of(recording.id))}"


def test_the_token_may_stand_in_the_query_of_the_media_host_only(unlimited: Sandbox, api: requests.Session) -> None:
    recording = unlimited.truth(*DAY).recordings[0]
    header = str(api.headers["Authorization"])
    token = {"access_token": header.removeprefix("Bearer ")}
    on_platform = content_url(unlimited, recording).replace(unlimited.media_url, unlimited.platform_url)

    assert requests.get(content_url(unlimited, recording), params=token, timeout=10).status_code == 200
    assert requests.get(on_platform, params=token, timeout=10).status_code == 401
    assert requests.get(on_platform, headers={"Authorization": header}, timeout=10).status_code == 200


def test_the_disposition_is_what_was_asked_for(unlimited: Sandbox, api: requests.Session) -> None:
    url = content_url(unlimited, unlimited.truth(*DAY).recordings[0])
    named = {"contentDisposition": "Attachment", "contentDispositionFilename": "call 1.mp3"}

    assert "Content-Disposition" not in api.get(url, timeout=10).headers
    assert api.get(url, params=named, timeout=10).headers["Content-Disposition"] == 'attachment; filename="call 1.mp3"'
    refused = api.get(url, params={"contentDisposition": "Sideways"}, timeout=10)
    assert (refused.status_code, refused.json()["parameterName"]) == (400, "contentDisposition")


def test_a_recording_is_not_there_before_its_delay(
    unlimited: Sandbox, start_sandbox: StartSandbox, log_in: LogIn
) -> None:
    session = unlimited.truth(datetime(2026, 3, 4, 11, tzinfo=UTC), NOON).sessions[-1]
    age = (NOON - session.end_time).total_seconds()
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=unlimited.config.mix, recording_delay=age + 1))
    url = content_url(sandbox, session.recordings[0])
    api = log_in(sandbox)

    answer = api.get(url, timeout=10)
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "CMN-102")

    sandbox.clock.advance(1)
    assert api.get(url, timeout=10).status_code == 200


def test_deleted_media_leaves_the_call_log_record_without_its_reference(sandbox: Sandbox, log_in: LogIn) -> None:
    session = next(session for session in sandbox.truth(*DAY).sessions if len(session.recordings) == 1)
    record, recording = session.records[0], session.recordings[0]
    api = log_in(sandbox)
    account = f"{sandbox.platform_url}/restapi/v1.0/account/~"
    log = f"{account}/call-log/{record.id}?view=Detailed"
    before = api.get(log, timeout=10).json()

    answer = api.delete(f"{account}/call-recordings", json={"records": [recording.id]}, timeout=10)

    assert answer.status_code == 204
    after = api.get(log, timeout=10).json()
    assert before["recording"]["id"] == recording.id
    assert "recording" not in after
    assert all("recording" not in leg for leg in after["legs"])
    assert after["lastModifiedTime"] > before["lastModifiedTime"]
    assert api.get(content_url(sandbox, recording), timeout=10).status_code == 404
