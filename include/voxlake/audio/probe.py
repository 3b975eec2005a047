"""What an audio file holds: its properties, read from its packets without decoding them."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from voxlake.audio.mp3_file import parse_header

_CONTENT_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_REMEDY = "download the recording again, and look at the answer's status and Content-Type if it stays so"


class NotAudioError(ValueError):
    """The bytes of a file are not MP3 or WAV audio. The message says what they look like and what to do."""


@dataclass(frozen=True)
class AudioProperties:
    """What a player finds in an audio file.

    Attributes:
        content_type: ``audio/mpeg`` or ``audio/wav``.
        codec: FFmpeg's name of the codec: ``mp3``, ``pcm_s16le``, ``pcm_mulaw``, …
        sample_rate: Hz.
        channels: how many.
        duration_ms: of the audio as a player decodes it, without encoder delay and padding where the file states them.
        bit_rate: bits per second on average, 0 where unknown.
    """

    content_type: str
    codec: str
    sample_rate: int
    channels: int
    duration_ms: int
    bit_rate: int


@dataclass(frozen=True)
class Measured:
    """A file's properties, to the sample.

    Attributes:
        path: of the file.
        properties: the same, as the world sees them.
        samples: decoded samples per channel, before anything is cut off.
        start_skip: how many of them a player cuts off at the start (encoder and decoder delay).
        end_skip: how many of them it cuts off at the end (padding).
    """

    path: Path
    properties: AudioProperties
    samples: int
    start_skip: int
    end_skip: int

    @property
    def audible(self) -> int:
        """Samples per channel that a player plays."""
        return self.samples - self.start_skip - self.end_skip


def probe(path: Path) -> AudioProperties:
    """Read the properties of an MP3 or WAV file in constant memory.

    Raises:
        NotAudioError: the file holds anything else: a web page, JSON, text, an image, a header without audio, nothing.
        OSError: the file cannot be opened or read.
    """
    return measure(path).properties


def measure(path: Path) -> Measured:
    """Read the properties of a file to the sample. Raises what `probe` raises."""
    with open_audio(path) as (container, stream):
        duration = start_skip = end_skip = size = 0
        for packet in audio_packets(container, stream):
            start, end = _skips(packet)
            start_skip += start
            # A stale Info frame, of a file that grew since, states an end in the middle: that is none.
            end_skip = end_skip + end if end else 0
            duration += packet.duration or 0
            size += packet.size
        content_type, codec = _CONTENT_TYPES[container.format.name], _codec(stream)
        sample_rate, channels = stream.sample_rate, stream.channels
        samples = round(duration * (stream.time_base or 0) * sample_rate)
    audible = samples - start_skip - end_skip
    # Frames come one behind the other: where most bytes are not part of one, a few of them look like frames by chance.
    if audible <= 0 or (content_type == "audio/mpeg" and 2 * size < path.stat().st_size - _id3_bytes(path)):
        raise not_audio(path)
    return Measured(
        path=path,
        properties=AudioProperties(
            content_type=content_type,
            codec=codec,
            sample_rate=sample_rate,
            channels=channels,
            duration_ms=round(1000 * audible / sample_rate),
            bit_rate=round(8 * size * sample_rate / samples),
        ),
        samples=samples,
        start_skip=start_skip,
        end_skip=end_skip,
    )


@contextmanager
def open_audio(path: Path) -> Iterator[tuple[InputContainer, AudioStream]]:
    """Open an MP3 or WAV file for reading.

    Raises:
        NotAudioError: it is neither, or FFmpeg cannot read on within the block.
        OSError: the file cannot be opened or read.
    """
    with path.open("rb"):
        pass  # a missing or forbidden file is the caller's error, not the audio's
    try:
        # Other formats (playlists, concat scripts) would make FFmpeg open files and addresses that the bytes name.
        options = {"format_whitelist": "mp3,wav", "protocol_whitelist": "file"}
        with av.open(f"file:{path}", "r", options=options, metadata_errors="replace") as container:
            if not container.streams.audio or not container.streams.audio[0].sample_rate:
                raise not_audio(path)
            stream = container.streams.audio[0]
            if container.format.name == "mp3" and _codec(stream) != "mp3":
                raise not_audio(path)  # MPEG Layer I or II
            yield container, stream
    except OSError:
        raise
    except av.FFmpegError as error:
        raise not_audio(path) from error


def audio_packets(container: InputContainer, stream: AudioStream) -> "Iterator[Packet[AudioStream]]":
    """The packets that hold audio: of an MP3, whole frames of the stream's own parameters and nothing else."""
    mp3 = container.format.name == "mp3"
    for packet in container.demux(stream):
        if packet.size and (not mp3 or _is_frame_of(stream, bytes(packet))):
            yield packet


def not_audio(path: Path) -> NotAudioError:
    """The error that says what the bytes of a file look like instead of audio."""
    with path.open("rb") as file:
        head = file.read(4096)
    return NotAudioError(f"{path}: not MP3 or WAV audio but {_looks_like(head)}; {_REMEDY}")


def _is_frame_of(stream: AudioStream, frame: bytes) -> bool:
    header = parse_header(frame[:4])
    return header is not None and (header.sample_rate, header.channels, header.length) == (
        stream.sample_rate,
        stream.channels,
        len(frame),
    )


def _skips(packet: "Packet[AudioStream]") -> tuple[int, int]:
    if not packet.has_sidedata("skip_samples"):
        return 0, 0
    # https://ffmpeg.org/doxygen/trunk/group__lavc__packet__side__data.html: two little-endian 32-bit counts come first.
    start, end = struct.unpack_from("<II", bytes(packet.get_sidedata("skip_samples")))
    return start, end


def _codec(stream: AudioStream) -> str:
    # FFmpeg decodes MP3 with "mp3float" by default and calls the codec itself "mp3".
    return stream.codec_context.codec.canonical_name.removesuffix("float")


def _id3_bytes(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))


def _looks_like(head: bytes) -> str:
    if not head:
        return "an empty file"
    if head[:4] == b"RIFF":
        return "a RIFF header without audio that can be read"
    if head[:3] == b"ID3":
        return "an ID3 tag without audio that can be read"
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in {b"{", b"["}:
        return "JSON, most likely an error of the provider's API"
    if text[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML)"
    if text[:1] == b"<":
        return "XML"
    if all(byte >= 32 or byte in b"\t\n\r" for byte in head) and len(head.decode(errors="ignore").encode()) + 3 >= len(
        head
    ):
        return "text"
    return f"bytes of an unknown kind, the first of which are {head[:8].hex(' ')}"


_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "gzip-compressed data",
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
}
