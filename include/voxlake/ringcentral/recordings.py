"""Downloads the audio of a recording."""

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from voxlake.ringcentral.addresses import shown_url
from voxlake.ringcentral.client import MediaReply, RingCentralClient
from voxlake.ringcentral.errors import BadReplyError, TransportError
from voxlake.ringcentral.replies import describe

_log = logging.getLogger(__name__)

# What has come of a chunk is lost where the connection breaks within it.
_CHUNK_BYTES = 1 << 14

# A recording that breaks off is asked for again as long as each of the few requests that RingCentral grants brings this
# many bytes; so many in a row may bring less.
_WORTH_A_REQUEST = 1 << 20
_FRUITLESS_REQUESTS = 3

# Longer than the window of RingCentral's quota and its penalty together.
_REST_WAITS_SECONDS = 180.0

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


def content_uri_of(client: RingCentralClient, recording_id: str) -> str:
    """The address of a recording's audio, made of its id; RingCentral does not promise to keep this form.

    https://developers.ringcentral.com/api-reference/Call-Recordings/readCallRecordingContent
    """
    return f"{client.media_url}/restapi/v1.0/account/~/recording/{recording_id}/content"


def download_recording(
    client: RingCentralClient, content_uri: str, destination: BinaryIO, started: datetime | None = None
) -> DownloadedRecording:
    """Writes the audio of one recording to an open file.

    The memory it needs does not grow with the recording. If RingCentral sends only a part, or the connection breaks
    after some of it, the rest is asked for until the recording is whole
    (https://developers.ringcentral.com/guide/basics/media).

    Args:
        client: The connection.
        content_uri: The `contentUri` of the recording, as the call log gave it.
        destination: An empty binary file open for writing. After an error it may hold the start of the recording; what
            is not audio is never written.
        started: When the recording started: those that the provider deletes first go first where many wait.

    Raises:
        NotFoundError: The recording is not ready yet, or has been deleted.
        BadReplyError: The reply is not MP3 or WAV, is empty, or its parts do not fit together.
        TransportError: The audio broke off, and asking for the rest did not bring it.
        RingCentralError: The request failed otherwise; see RingCentralClient.
    """
    part = _Part(destination)
    goal, fruitless = 0, 0
    while not part.whole:
        try:
            # What has come would be lost if the rest gave its place in a task back.
            max_wait = _REST_WAITS_SECONDS if part.size else None
            with client.stream(content_uri, part.request_headers(), started, max_wait) as reply:
                part.receive(reply)
        except TransportError as error:
            fruitless = 0 if part.size >= goal else fruitless + 1
            if part.size == 0 or fruitless == _FRUITLESS_REQUESTS:
                raise
            goal = max(goal, part.size + _WORTH_A_REQUEST)
            _log.warning("%d bytes came of a recording, the rest is asked for: %s", part.size, error)
    return DownloadedRecording(part.size, part.digest.hexdigest(), part.content_type)


class _Part:
    """What has come of a recording: its start, up to and without byte `size`."""

    def __init__(self, destination: BinaryIO) -> None:
        self._destination = destination
        self._begin()

    def _begin(self) -> None:
        self._destination.seek(0)
        self._destination.truncate()
        self.size = 0
        self.total: int | None = None
        self.digest = hashlib.sha256()
        self.content_type = ""
        self.whole = False
        self._validator: str | None = None
        self._encoded = False

    def request_headers(self) -> dict[str, str]:
        """The headers that ask for what is missing."""
        if not self.size or self._encoded:
            return {}
        same = {"If-Range": self._validator} if self._validator else {}
        return {"Range": f"bytes={self.size}-", **same}

    def receive(self, reply: MediaReply) -> None:
        """Appends the body of a reply; raises as `download_recording`."""
        end = self._accept(reply)
        for chunk in _chunks(reply):
            self.content_type = self.content_type or _audio_type(reply, chunk)
            self._destination.write(chunk)
            self.digest.update(chunk)
            self.size += len(chunk)
        if self.size == 0:
            raise _bad_audio(reply, "an empty body")
        if end is not None and self.size > end:
            raise _bad_audio(reply, f"{self.size} bytes where {end} were announced")
        if end is not None and self.size < end:
            raise TransportError(
                f"GET {shown_url(reply.url)} broke off after {self.size} of {end} bytes. Try again.",
                status=reply.status,
                method="GET",
                url=shown_url(reply.url),
            )
        self.whole = self.total is None or self.size == self.total

    def _accept(self, reply: MediaReply) -> int | None:
        """Makes sure that a body belongs here.

        Returns:
            Where it ends, in bytes from the start of the recording; None if the reply does not say.
        """
        if reply.status == 200:
            # The whole, whatever was asked for: a server may ignore Range, or its file is another one by now.
            self._begin()
            self._validator = _validator(reply.headers)
            # Nobody asked for an encoding; lengths and ranges would count its bytes, not the recording's.
            self._encoded = reply.headers.get("Content-Encoding", "identity") != "identity"
            stated = reply.headers.get("Content-Length", "")
            self.total = int(stated) if stated.isdecimal() and not self._encoded else None
            return self.total
        stated = reply.headers.get("Content-Range", "")
        found = _CONTENT_RANGE.fullmatch(stated)
        if found:
            first, last, length = (int(number) for number in found.groups())
            validator = _validator(reply.headers) or self._validator
            same = self._validator in {None, validator} and self.total in {None, length}
            if same and first == self.size <= last < length:
                self._validator, self.total = validator, length
                return last + 1
        what = f"status {reply.status} and Content-Range {stated!r} where byte {self.size} should follow"
        raise _bad_audio(reply, f"{what} in the same {self.total} bytes" if self.total else what)


def _validator(headers: Mapping[str, str]) -> str | None:
    """What If-Range takes: a strong ETag, else the date (RFC 9110, 13.1.5)."""
    etag = headers.get("ETag", "")
    if etag:
        return None if etag.startswith("W/") else etag
    return headers.get("Last-Modified")


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
