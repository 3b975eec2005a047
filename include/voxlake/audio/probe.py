"""What an audio file holds: its properties to the sample, and what is wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from voxlake.audio.mp3_reader import Mp3Reader
from voxlake.audio.wav_file import WavFile, read_wav

# A frame of 320 kbit/s at 32 kHz, with its padding.
_LONGEST_INFO_FRAME = 1441
_REMEDY = "download the recording again, and look at the answer's status and Content-Type if it stays so"


class NotAudioError(ValueError):
    """The bytes of a file are not MP3 or WAV audio. The message says what they look like and what to do."""


@dataclass(frozen=True)
class AudioProperties:
    """What a player finds in an audio file.

    Attributes:
        content_type: ``audio/mpeg`` or ``audio/wav``; of a merged file ``audio/flac`` or ``audio/ogg`` too.
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
class Defect:
    """What is wrong with audio that plays all the same.

    Attributes:
        kind: ``truncated`` if it ends before the end that the file states, or within a frame; ``damaged`` if bytes in
            it are no audio, or cannot be decoded.
        detail: the same with figures, in words.
    """

    kind: Literal["truncated", "damaged"]
    detail: str


@dataclass(frozen=True)
class Measured:
    """A file's properties, to the sample.

    Attributes:
        path: of the file.
        properties: the same, as the world sees them.
        samples: decoded samples per channel, before anything is cut off.
        start_skip: how many of them a player cuts off at the start (encoder and decoder delay).
        end_skip: how many of them it cuts off at the end (padding).
        defect: what is wrong with it, as far as it shows without decoding.
        wav: the file's header, if it is a WAV whose samples can be copied.
        undecodable: frames that cannot be decoded, as far as that was tried.
    """

    path: Path
    properties: AudioProperties
    samples: int
    start_skip: int
    end_skip: int
    defect: Defect | None = None
    wav: WavFile | None = None
    undecodable: int = 0

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
    """Read the properties of a file to the sample, without decoding it. Raises what `probe` raises."""
    with path.open("rb") as file:
        riff = file.read(4) in (b"RIFF", b"RF64")
    if not riff:
        return _measure_mp3(path)
    wav = read_wav(path)
    return _measure_wav(wav) if wav is not None else _measure_other(path)


def _measure_mp3(path: Path) -> Measured:
    reader = Mp3Reader(path)
    count = size = 0
    for frames in reader.frames():
        count += len(frames.starts)
        size += len(frames.data)
    header, stated = reader.header, reader.stated
    # Frames come one behind the other: where most bytes are part of none, a few of them look like frames by chance.
    if header is None or not count or size < reader.strays:
        raise not_audio(path)
    # A stale Info frame, of a file that grew since, or lost its end, states an end that is none.
    end_skip = stated.end_skip if stated.frames in (None, count) else 0
    samples = count * header.samples
    audible = samples - stated.start_skip - end_skip
    if audible <= 0:
        raise not_audio(path)
    rate = header.sample_rate
    return Measured(
        path=path,
        properties=AudioProperties(
            "audio/mpeg", "mp3", rate, header.channels, _ms(audible, rate), round(8 * size * rate / samples)
        ),
        samples=samples,
        start_skip=stated.start_skip,
        end_skip=end_skip,
        defect=_defect_of_mp3(reader, count, size),
    )


def _defect_of_mp3(reader: Mp3Reader, count: int, size: int) -> Defect | None:
    header, stated = reader.header, reader.stated
    if header is None:
        return None
    seconds = header.samples / header.sample_rate
    # Some encoders count the Info frame too.
    tolerance = 0 if stated.exact else 1
    if stated.frames is not None and count < stated.frames - tolerance:
        return Defect(
            "truncated", f"plays {count * seconds:.1f} s of the {stated.frames * seconds:.1f} s that its header states"
        )
    if stated.frames is None and stated.size is not None and size < stated.size - _LONGEST_INFO_FRAME:
        return Defect("truncated", f"has {size:,} bytes of audio of the {stated.size:,} that its header states")
    if reader.broken_off:
        return Defect("truncated", f"breaks off within a frame after {count * seconds:.1f} s")
    if reader.strays:
        return Defect("damaged", f"{reader.strays:,} bytes between its frames are no audio")
    return None


def _measure_wav(wav: WavFile) -> Measured:
    if not wav.samples:
        raise not_audio(wav.path)
    defect = None
    if wav.stated is not None and wav.size + wav.sample_bytes <= wav.stated:
        plays, states = (size / wav.sample_bytes / wav.sample_rate for size in (wav.size, wav.stated))
        defect = Defect("truncated", f"plays {plays:.1f} s of the {states:.1f} s that its header states")
    properties = AudioProperties(
        "audio/wav",
        wav.codec,
        wav.sample_rate,
        wav.channels,
        _ms(wav.samples, wav.sample_rate),
        8 * wav.sample_bytes * wav.sample_rate,
    )
    return Measured(wav.path, properties, wav.samples, start_skip=0, end_skip=0, defect=defect, wav=wav)


def _measure_other(path: Path) -> Measured:
    """A WAV of another codec than PCM and G.711, such as ADPCM: its packets do not say how much sound they hold."""
    properties, _ = _demuxed(path, "wav", "audio/wav")
    samples = sum(frame.samples for frames in decoded_packets(path) for frame in frames or ())
    if not samples:
        raise not_audio(path)
    properties = replace(properties, duration_ms=_ms(samples, properties.sample_rate))
    return Measured(path, properties, samples, start_skip=0, end_skip=0)


def decoded_packets(path: Path) -> Iterator[list[AudioFrame] | None]:
    """What FFmpeg makes of each packet of a WAV; None for one that it cannot decode.

    Raises:
        NotAudioError: it cannot decode any.
        OSError: the file cannot be opened or read.
    """
    with open_audio(path, "wav") as (container, stream):
        for packet in audio_packets(container, stream):
            try:
                yield packet.decode()
            except av.InvalidDataError:
                yield None


def measure_encoded(path: Path, content_type: str) -> AudioProperties:
    """The properties of a FLAC or Ogg Opus file that was made by us."""
    return _demuxed(path, content_type.removeprefix("audio/"), content_type)[0]


def _demuxed(path: Path, container_format: str, content_type: str) -> tuple[AudioProperties, int]:
    with open_audio(path, container_format) as (container, stream):
        duration = size = 0
        for packet in audio_packets(container, stream):
            duration += packet.duration or 0
            size += packet.size
        codec, rate, channels = stream.codec_context.codec.canonical_name, stream.sample_rate, stream.channels
        samples = round(duration * (stream.time_base or 0) * rate)
    if not samples:
        raise not_audio(path)
    bit_rate = round(8 * size * rate / samples)
    return AudioProperties(content_type, codec, rate, channels, _ms(samples, rate), bit_rate), samples


@contextmanager
def open_audio(path: Path, container_format: str) -> Iterator[tuple[InputContainer, AudioStream]]:
    """Open a file by FFmpeg for reading.

    Raises:
        NotAudioError: it is not of the format, or FFmpeg cannot read on within the block.
        OSError: the file cannot be opened or read.
    """
    try:
        # Other formats (playlists, concat scripts) would make FFmpeg open files and addresses that the bytes name.
        options = {"format_whitelist": container_format, "protocol_whitelist": "file"}
        with av.open(f"file:{path}", "r", options=options, metadata_errors="replace") as container:
            streams = container.streams.audio
            # A stream of a codec that FFmpeg does not know has no codec context, whatever the stubs say.
            if not streams or getattr(streams[0], "codec_context", None) is None or not streams[0].sample_rate:
                raise not_audio(path)
            yield container, streams[0]
    except OSError:
        raise
    except av.FFmpegError as error:
        raise not_audio(path) from error


def audio_packets(container: InputContainer, stream: AudioStream) -> "Iterator[Packet[AudioStream]]":
    """The packets that hold audio."""
    for packet in container.demux(stream):
        if packet.size:
            yield packet


def not_audio(path: Path) -> NotAudioError:
    """The error that says what the bytes of a file look like instead of audio."""
    with path.open("rb") as file:
        head = file.read(4096)
    return NotAudioError(f"{path}: not MP3 or WAV audio but {_looks_like(head)}; {_REMEDY}")


def _ms(samples: int, sample_rate: int) -> int:
    return round(1000 * samples / sample_rate)


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
