import gzip
import hashlib
import io
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from scripted_server import Answer, Received, ScriptedServer

from sandbox.ringcentral import CallMix, Fault, QuotaLimit, Recording, Sandbox, SandboxConfig
from sandbox.ringcentral.faults import AnswerKind
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
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
        audio(MP3[100_000:], status=206),
        audio(MP3[100_000:], status=206, Content_Range=f"bytes 100000-199999/{len(MP3)}"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    client: RingCentralClient, media: ScriptedServer, second: Answer
) -> None:
    media.script(PATH, part(0, 99_999), second)

    with pytest.raises(BadReplyError, match=r"where byte 100000 should follow|where 200000 were announced"):
        download_recording(client, media.url + PATH, io.BytesIO())

    assert len(media.received) == 2


def broken(answer: Answer, sent: int) -> Answer:
    """The answer, whose body ends early."""
    return replace(answer, body=answer.body[:sent], headers={**answer.headers, "Content-Length": str(len(answer.body))})


def ranges(media: ScriptedServer) -> list[int | None]:
    """The first byte that each request asked for, None where it asked for all."""
    asked = [request.headers.get("Range") for request in media.received]
    return [None if text is None else int(text.removeprefix("bytes=").removesuffix("-")) for text in asked]


class BreakingServer(ScriptedServer):
    """Sends `sent` bytes of what is asked for, and breaks off if that is not all."""

    def __init__(self, content: bytes, sent: int) -> None:
        super().__init__()
        self.content, self.sent = content, sent

    def _answer_to(self, request: Received) -> Answer:
        super()._answer_to(request)
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if asked is None:
            return broken(audio(self.content), self.sent)
        first = int(asked[1])
        content_range = f"bytes {first}-{len(self.content) - 1}/{len(self.content)}"
        return broken(audio(self.content[first:], status=206, Content_Range=content_range), self.sent)


def test_a_recording_that_breaks_off_is_continued_where_it_broke(credentials: Credentials, tmp_path: Path) -> None:
    content = MP3 * 8
    with BreakingServer(content, sent=1_500_000).running() as media:
        credentials = replace(credentials, media_url=media.url)
        with (tmp_path / "it").open("wb") as file, RingCentralClient(credentials, SqliteState(tmp_path)) as client:
            downloaded = download_recording(client, media.url + PATH, file)

    assert (tmp_path / "it").read_bytes() == content
    assert downloaded == DownloadedRecording(len(content), hashlib.sha256(content).hexdigest(), "audio/mpeg")
    asked = ranges(media)
    # What came of the last chunk is asked for again, all else is not.
    assert asked[0] is None
    for request, first in enumerate(asked[1:], start=1):
        assert first is not None
        assert 0 <= 1_500_000 * request - first < request << 14
    assert len(asked) == 5


def test_a_recording_that_hardly_comes_is_given_up_after_three_more_requests(
    credentials: Credentials, tmp_path: Path
) -> None:
    with BreakingServer(MP3 * 8, sent=300_000).running() as media:
        credentials = replace(credentials, media_url=media.url)
        with (
            RingCentralClient(credentials, SqliteState(tmp_path)) as client,
            pytest.raises(TransportError, match="the body broke off"),
        ):
            download_recording(client, media.url + PATH, io.BytesIO())

    assert len(media.received) == 4


def test_nothing_that_came_is_nothing_to_continue(client: RingCentralClient, media: ScriptedServer) -> None:
    media.script(PATH, broken(audio(MP3), 0))

    with pytest.raises(TransportError, match="the body broke off"):
        download_recording(client, media.url + PATH, io.BytesIO())

    assert ranges(media) == [None]


def test_a_part_shorter_than_its_range_is_continued(client: RingCentralClient, media: ScriptedServer) -> None:
    short = audio(MP3[:50_000], status=206, Content_Range=f"bytes 0-99999/{len(MP3)}")
    media.script(PATH, short, part(50_000, len(MP3) - 1))
    destination = io.BytesIO()

    download_recording(client, media.url + PATH, destination)

    assert destination.getvalue() == MP3
    assert ranges(media) == [None, 50_000]


def test_a_server_that_ignores_the_range_is_read_from_the_start(
    client: RingCentralClient, media: ScriptedServer
) -> None:
    other = WAV + bytes(400_000)
    media.script(PATH, broken(audio(MP3), 500_000), audio(other, "audio/wav"))
    destination = io.BytesIO()

    downloaded = download_recording(client, media.url + PATH, destination)

    assert destination.getvalue() == other
    assert downloaded == DownloadedRecording(len(other), hashlib.sha256(other).hexdigest(), "audio/wav")
    assert len(media.received) == 2


def test_a_server_that_always_begins_anew_is_given_up(client: RingCentralClient, media: ScriptedServer) -> None:
    media.script(PATH, broken(audio(MP3 * 8), 3_000_000))

    with pytest.raises(TransportError, match="the body broke off"):
        download_recording(client, media.url + PATH, io.BytesIO())

    assert len(media.received) == 4


@pytest.mark.parametrize(
    ("stated", "asked"),
    [
        ({"ETag": '"a"', "Last-Modified": "Sat, 21 Nov 2026 08:00:00 GMT"}, '"a"'),
        ({"Last-Modified": "Sat, 21 Nov 2026 08:00:00 GMT"}, "Sat, 21 Nov 2026 08:00:00 GMT"),
        ({"ETag": 'W/"a"', "Last-Modified": "Sat, 21 Nov 2026 08:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_the_rest_is_asked_of_the_same_version(
    client: RingCentralClient, media: ScriptedServer, stated: dict[str, str], asked: str | None
) -> None:
    first = broken(audio(MP3, **stated), 500_000)
    media.script(PATH, first, audio(WAV, "audio/wav"))

    download_recording(client, media.url + PATH, io.BytesIO())

    assert [request.headers.get("If-Range") for request in media.received] == [None, asked]


@pytest.mark.parametrize(
    "rest", [part(98_304, len(MP3), total=len(MP3) + 1), replace(part(98_304, len(MP3) - 1), headers={"ETag": '"b"'})]
)
def test_the_rest_of_another_version_is_refused(client: RingCentralClient, media: ScriptedServer, rest: Answer) -> None:
    rest = replace(rest, headers={**part(98_304, len(MP3) - 1).headers, **rest.headers})
    media.script(PATH, broken(audio(MP3, ETag='"a"'), 98_304), rest)

    with pytest.raises(BadReplyError, match=f"where byte 98304 should follow in the same {len(MP3)} bytes"):
        download_recording(client, media.url + PATH, io.BytesIO())


def test_an_encoded_recording_is_read_from_the_start_again(client: RingCentralClient, media: ScriptedServer) -> None:
    # What cannot be compressed, so that much of it comes before the break.
    encoded = audio(gzip.compress(MP3[:4] + random.Random(1).randbytes(200_000)), Content_Encoding="gzip")
    media.script(PATH, broken(encoded, 150_000), encoded)
    destination = io.BytesIO()

    downloaded = download_recording(client, media.url + PATH, destination)

    assert destination.getvalue() == gzip.decompress(encoded.body)
    assert downloaded.size_bytes == 200_004
    assert ranges(media) == [None, None]


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
        kinds: tuple[AnswerKind, ...] = ("partial", "redirect", "truncated", "reset", "stall")
        for kind in kinds:
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
        ("wrong_type", BadReplyError),
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
    with RingCentralClient(credentials, SqliteState(tmp_path / "sandbox-state"), timeout=(10, 2)) as client:
        yield sandbox, client, recording, uri
