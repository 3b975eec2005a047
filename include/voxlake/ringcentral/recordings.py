"""Downloads the audio of a recording."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from voxlake.ringcentral.addresses import shown_url
from voxlake.ringcentral.client import MediaReply, RingCentralClient
from voxlake.ringcentral.errors import BadReplyError, TransportError
from voxlake.ringcentral.replies import describe

_CHUNK_BYTES = 1 << 18

# `RIFF`, four bytes of length, `WAVE`.
_SNIFFED_BYTES = 12

_AUDIO_TYPES = frozenset({"audio/mpeg", "audio/mp3", "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"})

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True)
class DownloadedRecording:
    """What was written.

    Attributes:
        size_bytes: Number of bytes.
        sha256: Their SHA-256 in hexadecimal.
        content_type: `audio/mpeg` or `audio/wav`, as the bytes themselves show.
    """

    size_bytes: int
    sha256: str
    content_type: str


def download_recording(
    client: RingCentralClient, content_uri: str, destination: BinaryIO, started: datetime | None = None
) -> DownloadedRecording:
    """Writes the audio of one recording to an open file.

    The memory it needs does not grow with the recording. If RingCentral sends only a part, the rest is asked for
    until the recording is whole (https://developers.ringcentral.com/guide/basics/media).

    Args:
        client: The connection.
        content_uri: The `contentUri` of the recording, as the call log gave it.
        destination: A binary file open for writing. After an error it may hold the start of the recording; what is
            not audio is never written.
        started: When the recording started: those that the provider deletes first go first where many wait.

    Raises:
        NotFoundError: The recording is not ready yet, or has been deleted.
        BadReplyError: The reply is not MP3 or WAV, is empty, or its parts do not fit together.
        TransportError: The audio broke off.
        RingCentralError: The request failed otherwise; see RingCentralClient.
    """
    digest = hashlib.sha256()
    size = 0
    content_type = ""
    total: int | None = None
    while total is None or size < total:
        headers = {"Range": f"bytes={size}-"} if size else None
        with client.stream(content_uri, headers, started) as reply:
            end = _end(reply, size, total)
            for chunk in _chunks(reply):
                content_type = content_type or _audio_type(reply, chunk)
                destination.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            if size == 0:
                raise _bad_audio(reply, "an empty body")
            if end is None:
                break
            if size != end[0]:
                raise TransportError(
                    f"GET {shown_url(reply.url)} broke off after {size} of {end[0]} bytes. Try again.",
                    status=reply.status,
                    method="GET",
                    url=shown_url(reply.url),
                )
            total = end[1]
    return DownloadedRecording(size, digest.hexdigest(), content_type)


def _end(reply: MediaReply, offset: int, total: int | None) -> tuple[int, int] | None:
    """Where a partial reply ends and how long the whole is, in bytes; None if the reply is the whole."""
    if reply.status == 200 and offset == 0:
        return None
    stated = reply.headers.get("Content-Range", "")
    found = _CONTENT_RANGE.fullmatch(stated)
    if found:
        first, last, length = (int(number) for number in found.groups())
        if first == offset <= last < length and total in {None, length}:
            return last + 1, length
    raise _bad_audio(reply, f"status {reply.status} and Content-Range {stated!r} where byte {offset} should follow")


def _chunks(reply: MediaReply) -> Iterator[bytes]:
    """The body in pieces, the first of them long enough to tell its kind by unless the body is shorter."""
    start = b""
    for piece in reply.body.chunks(_CHUNK_BYTES):
        if len(start) + len(piece) < _SNIFFED_BYTES:
            start += piece
            continue
        yield start + piece
        start = b""
    if start:
        yield start


def _audio_type(reply: MediaReply, start: bytes) -> str:
    """The type of the audio that begins with `start`.

    The bytes decide between MP3 and WAV, because a file named by the wrong type does not play. The header has to
    promise audio of either kind all the same.
    """
    stated = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    sniffed = _sniffed_type(start)
    if stated not in _AUDIO_TYPES or sniffed is None:
        raise _bad_audio(reply, f"Content-Type {stated!r} and {describe(start)}")
    return sniffed


def _sniffed_type(start: bytes) -> str | None:
    if start[:4] in {b"RIFF", b"RF64"} and start[8:12] == b"WAVE":
        return "audio/wav"
    if start.startswith(b"ID3"):
        return "audio/mpeg"
    # An MPEG audio frame begins with eleven set bits; then version 01 and layer 00 are reserved (ISO/IEC 11172-3).
    if len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0:
        version, layer = start[1] >> 3 & 0b11, start[1] >> 1 & 0b11
        return "audio/mpeg" if version != 0b01 and layer != 0b00 else None
    return None


def _bad_audio(reply: MediaReply, what: str) -> BadReplyError:
    shown = shown_url(reply.url)
    return BadReplyError(
        f"RingCentral answered GET {shown} with {what} instead of MP3 or WAV audio. Nothing of it is kept; try again "
        "later, and if it stays, listen to the recording in RingCentral's own call log.",
        status=reply.status,
        method="GET",
        url=shown,
    )
