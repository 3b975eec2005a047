import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from scripted_server import Answer, ScriptedServer

from sandbox.ringcentral import CallMix, Fault, QuotaLimit, Recording, Sandbox, SandboxConfig
from sandbox.ringcentral.faults import AnswerKind
from voxlake.ringcentral.auth import Credentials
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.errors import (
    BadReplyError,
    ForeignHostError,
    NotFoundError,
    RingCentralError,
    ServerError,
    TransportError,
)
from voxlake.ringcentral.recordings import DownloadedRecording, download_recording
from voxlake.ringcentral.sqlite_state import SqliteState

PATH = "/restapi/v1.0/account/1/recording/7/content"
MP3 = b"\xff\xfb\x90\x64" + bytes(range(256)) * 3000
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(100)


def audio(body: bytes, content_type: str = "audio/mpeg", status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, {"Content-Type": content_type, **named})


def part(first: int, last: int, total: int | str = len(MP3)) -> Answer:
    return audio(MP3[first : last + 1], status=206, Content_Range=f"bytes {first}-{last}/{total}")


@pytest.mark.parametrize(
    ("body", "stated", "found"),
    [
        (MP3, "audio/mpeg", "audio/mpeg"),
        (b"ID3\x04" + MP3, "Audio/MPEG; charset=binary", "audio/mpeg"),
        (WAV, "audio/wav", "audio/wav"),
        (WAV, "audio/x-wav", "audio/wav"),
        (WAV, "audio/mpeg", "audio/wav"),
        (MP3, "audio/wav", "audio/mpeg"),
        (b"\xff\xf3", "audio/mpeg", "audio/mpeg"),
    ],
)
def test_audio_is_written_as_it_came(
    client: RingCentralClient, media: ScriptedServer, body: bytes, stated: str, found: str
) -> None:
    media.script(PATH, audio(body, stated))
    destination = io.BytesIO()

    downloaded = download_recording(client, media.url + PATH, destination)

    assert destination.getvalue() == body
    assert downloaded == DownloadedRecording(len(body), hashlib.sha256(body).hexdigest(), found)
    assert media.received[0].headers["Authorization"] == "Bearer first-token"


def test_audio_without_a_length_comes_in_small_chunks(client: RingCentralClient, media: ScriptedServer) -> None:
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (WAV[:1], WAV[1:9], WAV[9:])) + b"0\r\n\r\n"
    media.script(
        PATH, Answer(200, chunked, {"Content-Type": "audio/wav", "Transfer-Encoding": "chunked", "Content-Length": ""})
    )
    destination = io.BytesIO()

    downloaded = download_recording(client, media.url + PATH, destination)

    assert (destination.getvalue(), downloaded.content_type) == (WAV, "audio/wav")


def test_a_part_that_nobody_asked_for_is_completed(client: RingCentralClient, media: ScriptedServer) -> None:
    end = len(MP3) - 1
    media.script(PATH, part(0, 99_999), part(100_000, 500_000), part(500_001, end))
    destination = io.BytesIO()

    downloaded = download_recording(client, media.url + PATH, destination)

    assert destination.getvalue() == MP3
    assert downloaded.sha256 == hashlib.sha256(MP3).hexdigest()
    assert [request.headers.get("Range") for request in media.received] == [None, "bytes=100000-", "bytes=500001-"]


@pytest.mark.parametrize(
    "second",
    [
        part(0, 99_999),
        part(100_001, 200_000),
        part(100_000, 200_000, total=len(MP3) + 1),
        part(100_000, 200_000, total="*"),
        audio(MP3),
        audio(MP3[100_000:], status=206),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    client: RingCentralClient, media: ScriptedServer, second: Answer
) -> None:
    media.script(PATH, part(0, 99_999), second)

    with pytest.raises(BadReplyError, match="where byte 100000 should follow"):
        download_recording(client, media.url + PATH, io.BytesIO())


def test_a_part_shorter_than_its_range_is_a_break(client: RingCentralClient, media: ScriptedServer) -> None:
    media.script(PATH, audio(MP3[:50_000], status=206, Content_Range=f"bytes 0-99999/{len(MP3)}"))

    with pytest.raises(TransportError, match="broke off after 50000 of 100000 bytes"):
        download_recording(client, media.url + PATH, io.BytesIO())


def test_a_body_shorter_than_its_length_is_a_break(client: RingCentralClient, media: ScriptedServer) -> None:
    media.script(PATH, audio(MP3[:300_000], Content_Length=str(len(MP3))))

    with pytest.raises(TransportError, match="the body broke off"):
        download_recording(client, media.url + PATH, io.BytesIO())


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (audio(b"<html>Sign in</html>", "text/html"), "Content-Type 'text/html' and an HTML page: '<html>Sign in"),
        (audio(b"<html>Sign in</html>"), "Content-Type 'audio/mpeg' and an HTML page"),
        (audio(b'{"errorCode": "X"}', "application/json"), "Content-Type 'application/json' and JSON"),
        (audio(b'{"errorCode": "X"}', "audio/wav"), "Content-Type 'audio/wav' and JSON"),
        (audio(MP3, "application/octet-stream"), "Content-Type 'application/octet-stream'"),
        (audio(b"OggS\x00\x02\x00\x00", "audio/mpeg"), "the bytes 4f 67 67 53 00"),
        (audio(b"\xff\xf1\x50\x80\x00", "audio/mpeg"), "the bytes ff f1"),
        (audio(b"RIFF\x00\x00\x00\x00AVI LIST", "audio/wav"), "the bytes 52 49"),
        (audio(b"\xff", "audio/mpeg"), "the bytes ff"),
        (audio(b""), "an empty body"),
    ],
)
def test_what_is_not_audio_is_named_and_not_written(
    client: RingCentralClient, media: ScriptedServer, answer: Answer, told: str
) -> None:
    media.script(PATH, answer)
    destination = io.BytesIO()

    with pytest.raises(BadReplyError) as raised:
        download_recording(client, media.url + PATH, destination)

    assert told in str(raised.value)
    assert f"GET {PATH}" in str(raised.value)
    assert destination.getvalue() == b""


@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (204, RingCentralError)])
def test_a_missing_recording_is_told_apart(
    client: RingCentralClient, media: ScriptedServer, status: int, kind: type[RingCentralError]
) -> None:
    media.script(PATH, Answer(status, b""))

    with pytest.raises(kind) as raised:
        download_recording(client, media.url + PATH, io.BytesIO())

    assert raised.value.status == status


@pytest.mark.parametrize("audio_format", ["mp3", "wav"])
def test_a_recording_of_the_sandbox_arrives_whole(
    start_sandbox: Callable[[SandboxConfig], Sandbox], tmp_path: Path, audio_format: Literal["mp3", "wav"]
) -> None:
    with _sandbox_recording(start_sandbox, tmp_path, audio_format) as (sandbox, client, recording, uri):
        for kind in ("partial", "redirect"):
            sandbox.faults.add(Fault("content", kind, times=1))
            destination = io.BytesIO()

            downloaded = download_recording(client, uri, destination)

            content = sandbox.content_of(recording.id)
            assert destination.getvalue() == content
            assert downloaded == DownloadedRecording(
                len(content), hashlib.sha256(content).hexdigest(), recording.content_type
            )


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("html", BadReplyError),
        ("json", BadReplyError),
        ("empty", BadReplyError),
        ("truncated", TransportError),
        ("redirect_foreign", ForeignHostError),
        ("not_found", NotFoundError),
        ("error", ServerError),
        ("unavailable", ServerError),
    ],
)
def test_a_fault_of_the_sandbox_is_told_by_type(
    start_sandbox: Callable[[SandboxConfig], Sandbox],
    tmp_path: Path,
    foreign: ScriptedServer,
    kind: AnswerKind,
    error: type[RingCentralError],
) -> None:
    with _sandbox_recording(start_sandbox, tmp_path, "mp3") as (sandbox, client, _, uri):
        sandbox.faults.add(Fault("content", kind, times=1, location=f"{foreign.url}/stolen"))

        with pytest.raises(error) as raised:
            download_recording(client, uri, io.BytesIO())

        assert type(raised.value) is error
        assert foreign.received == []
        assert download_recording(client, uri, io.BytesIO()).size_bytes > 0


@contextmanager
def _sandbox_recording(
    start_sandbox: Callable[[SandboxConfig], Sandbox], tmp_path: Path, audio_format: Literal["mp3", "wav"]
) -> Iterator[tuple[Sandbox, RingCentralClient, Recording, str]]:
    day = datetime(2026, 3, 3, tzinfo=UTC)
    sandbox = start_sandbox(
        SandboxConfig(
            now=day + timedelta(days=2),
            mix=CallMix(calls_per_day=5, recorded_share=1),
            quotas={"heavy": QuotaLimit(1000)},
            audio_format=audio_format,
        )
    )
    credentials = Credentials(
        sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url
    )
    recording = sandbox.truth(day, day + timedelta(days=1)).recordings[0]
    uri = f"{sandbox.media_url}/restapi/v1.0/account/~/recording/{recording.id}/content"
    with RingCentralClient(credentials, SqliteState(tmp_path / "sandbox-state")) as client:
        yield sandbox, client, recording, uri
