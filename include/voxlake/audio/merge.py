"""Merge: several recordings, one behind the other, into one file with a chapter for each.

Recordings of one codec, sample rate and channel count are copied and keep their quality; all others are decoded,
resampled and encoded once more. Nothing is ever held in memory whole.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import BinaryIO, Literal

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from voxlake.audio.mp3_file import SAMPLE_RATES, Chapter, Mp3Writer
from voxlake.audio.mp3_join import ENCODER_DELAY, join, speech_encoder
from voxlake.audio.probe import AudioProperties, Measured, audio_packets, measure, not_audio, open_audio, probe

__all__ = ["Chapter", "MergePlan", "MergeResult", "merge", "plan_merge"]

log = logging.getLogger(__name__)

# Below that, the frames that are coded anew at either end of an MP3 would meet.
_SHORTEST_COPIED_MS = 1000


@dataclass(frozen=True)
class MergePlan:
    """How recordings will be merged.

    Attributes:
        method: ``copy`` keeps the coded audio, ``encode`` decodes it and encodes it to MP3.
        content_type: of the result.
        suffix: of the result's file name, ``.mp3`` or ``.wav``.
    """

    method: Literal["copy", "encode"]
    content_type: str
    suffix: str


@dataclass(frozen=True)
class MergeResult:
    """What came of a merge.

    Attributes:
        properties: of the result, probed.
        chapters: one a part, in order: where each recording starts and ends in the decoded result.
        method: ``copy`` or ``encode``.
    """

    properties: AudioProperties
    chapters: tuple[Chapter, ...]
    method: Literal["copy", "encode"]


def plan_merge(parts: Sequence[AudioProperties]) -> MergePlan:
    """Decide how recordings of these properties are merged.

    MP3 files are copied if they share sample rate and channel count and last a second or more each; WAV files if they
    share their PCM codec (G.711 is one), sample rate and channel count. Anything else is encoded.

    Raises:
        ValueError: there are no parts.
    """
    if not parts:
        raise ValueError("nothing to merge: a merge needs one recording or more")
    first = parts[0]
    alike = len({(part.content_type, part.codec, part.sample_rate, part.channels) for part in parts}) == 1
    if alike and first.content_type == "audio/wav" and first.codec.startswith("pcm_"):
        return MergePlan("copy", "audio/wav", ".wav")
    long_enough = len(parts) == 1 or min(part.duration_ms for part in parts) >= _SHORTEST_COPIED_MS
    if alike and first.content_type == "audio/mpeg" and long_enough:
        return MergePlan("copy", "audio/mpeg", ".mp3")
    return MergePlan("encode", "audio/mpeg", ".mp3")


def merge(parts: Sequence[Path], destination: Path, titles: Sequence[str] = ()) -> MergeResult:
    """Merge recordings into one file, in the order given.

    An MP3 result carries its chapters as ID3 CHAP frames; WAV knows none. However many recordings there are, each
    starts within half an MP3 frame (copied MP3) or a sample a part (all others) of the summed lengths before it.

    Args:
        parts: MP3 and WAV files.
        destination: where the result goes; overwritten, and removed if the merge fails once it has begun to write.
        titles: of the chapters: one a part, or none at all.

    Raises:
        NotAudioError: a part is not audio; the message names it and says what it is instead.
        ValueError: there are no parts, a part is the destination, or titles and parts differ in number.
        OSError: a part cannot be opened, or the destination not be written.
    """
    if titles and len(titles) != len(parts):
        raise ValueError(f"{len(titles)} titles for {len(parts)} parts: give one a part, or none")
    if destination.exists() and any(part.exists() and part.samefile(destination) for part in parts):
        raise ValueError(f"{destination} is a part and the destination of the same merge")
    measured = [measure(part) for part in parts]
    plan = plan_merge([part.properties for part in measured])
    labels = titles or [""] * len(parts)
    try:
        if plan.suffix == ".wav":
            chapters = _copy_wav(measured, destination)
        else:
            with destination.open("wb") as file:
                write_mp3 = join if plan.method == "copy" else _encode
                chapters = write_mp3(measured, file, labels)
        return MergeResult(probe(destination), tuple(chapters), plan.method)
    except BaseException:
        destination.unlink(missing_ok=True)
        raise


def _copy_wav(parts: Sequence[Measured], destination: Path) -> list[Chapter]:
    # RF64 takes over where the sizes of a WAV header end, at 4 GB.
    with av.open(f"file:{destination}", "w", format="wav", options={"rf64": "auto"}) as output:
        with open_audio(parts[0].path) as (_, like):
            stream = output.add_stream_from_template(like)
        written = 0
        for part in parts:
            for data, samples in _pcm(part.path):
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, part.properties.sample_rate)
                packet.pts = packet.dts = written
                output.mux(packet)
                written += samples
    return _chapters([part.audible for part in parts], parts[0].properties.sample_rate)


def _pcm(path: Path) -> Iterator[tuple[bytes, int]]:
    with open_audio(path) as (container, stream):
        sample_bytes = (stream.codec_context.bit_rate or 0) // 8 // stream.sample_rate
        for packet in audio_packets(container, stream):
            # A file that was cut off may end within a sample, which would shift all that follows.
            samples = packet.size // sample_bytes
            yield bytes(packet)[: samples * sample_bytes], samples


def _encode(parts: Sequence[Measured], file: BinaryIO, titles: Sequence[str]) -> list[Chapter]:
    encoder = speech_encoder(
        _mp3_rate(max(part.properties.sample_rate for part in parts)),
        min(2, max(part.properties.channels for part in parts)),
        # Three tenths faster than LAME's default of 3, and LAME is nine tenths of the time that a merge takes.
        {"compression_level": "5"},
    )
    writer = Mp3Writer(file, encoder.sample_rate, encoder.channels, titles)
    fifo = AudioFifo()
    lengths = []
    for part in parts:
        before = fifo.samples_written
        for frame in _resampled(part.path, encoder):
            frame.pts, frame.time_base = None, Fraction(1, encoder.sample_rate)
            fifo.write(frame)
            _write(writer, encoder, fifo.read_many(encoder.frame_size))
        lengths.append(fifo.samples_written - before)
        if not lengths[-1]:
            raise not_audio(part.path)
    _write(writer, encoder, fifo.read_many(encoder.frame_size, partial=True))
    _write(writer, encoder, [None])
    chapters = _chapters(lengths, encoder.sample_rate)
    padding = writer.frames * encoder.frame_size - ENCODER_DELAY - sum(lengths)
    writer.finish(chapters, start_skip=ENCODER_DELAY, end_skip=padding)
    return chapters


def _write(writer: Mp3Writer, encoder: AudioCodecContext, frames: Sequence[AudioFrame | None]) -> None:
    for frame in frames:
        for packet in encoder.encode(frame):
            writer.write(bytes(packet))


def _resampled(path: Path, encoder: AudioCodecContext) -> Iterator[AudioFrame]:
    """Decode a file to the encoder's sample rate, channels and format, without the file's own delay and padding."""
    resampler, takes = None, None
    for frame in _decoded(path):
        if resampler is None or takes != (frame.sample_rate, frame.layout.name, frame.format.name):
            if resampler is not None:
                yield from resampler.resample(None)
            resampler = AudioResampler(encoder.format, encoder.layout, encoder.sample_rate)
            takes = (frame.sample_rate, frame.layout.name, frame.format.name)
        frame.pts = None
        yield from resampler.resample(frame)
    if resampler is not None:
        yield from resampler.resample(None)


def _decoded(path: Path) -> Iterator[AudioFrame]:
    damaged = 0
    with open_audio(path) as (container, stream):
        for packet in audio_packets(container, stream):
            try:
                yield from packet.decode()
            except av.InvalidDataError:
                damaged += 1
    if damaged:
        log.warning("%s: left out %d packets that cannot be decoded", path, damaged)


def _mp3_rate(sample_rate: int) -> int:
    """The lowest sample rate that MP3 knows and that loses nothing; 48 kHz at most."""
    return min((rate for rate in SAMPLE_RATES if rate >= sample_rate), default=max(SAMPLE_RATES))


def _chapters(lengths: Sequence[int], sample_rate: int) -> list[Chapter]:
    marks = [round(1000 * mark / sample_rate) for mark in accumulate(lengths, initial=0)]
    return [Chapter(start, end) for start, end in pairwise(marks)]
