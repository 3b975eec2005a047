"""Encodes samples into a file with chapters: MP3, FLAC or Opus."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import av
import lameenc
import numpy as np
from av.audio.resampler import AudioResampler

from voxlake.audio.id3 import Chapter
from voxlake.audio.mp3_frames import BIT_RATES, SAMPLE_RATES, Frames, frame_header
from voxlake.audio.mp3_join import ENCODER_DELAY, speech_bit_rate
from voxlake.audio.mp3_writer import Mp3Writer
from voxlake.audio.probe import AudioProperties
from voxlake.audio.wav_file import Samples

EncodedFormat = Literal["mp3", "flac", "opus"]
CONTENT_TYPES: dict[EncodedFormat, str] = {"mp3": "audio/mpeg", "flac": "audio/flac", "opus": "audio/ogg"}

# Ogg counts in this whatever went in, and the encoder drops what no one hears of it.
_OPUS_RATE = 48_000
# What RFC 6716 calls right for speech of full band is 28 to 40 kbit/s, of wide band 16 to 20.
_OPUS_BIT_RATE = 24_000
# All that LAME weighs at its default of 3 takes twice as long, and is not heard in speech.
_LAME_QUALITY = 5
# Of these a FLAC of 16 bits would lose something.
_FINER_THAN_16_BITS = ("pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le")


@dataclass(frozen=True)
class Encoding:
    """How a file is encoded.

    Attributes:
        format: of the file.
        sample_rate: Hz.
        channels: 1 or 2.
        bit_rate: bits per second; 0 for FLAC, which needs what it needs.
        bits: of a sample of FLAC, 16 or 24.
    """

    format: EncodedFormat
    sample_rate: int
    channels: int
    bit_rate: int
    bits: int = 16


def encoding_for(parts: Sequence[AudioProperties], wanted: EncodedFormat, bit_rate: int | None) -> Encoding:
    """The encoding that keeps what the recordings have.

    Args:
        parts: what is to be encoded.
        wanted: the format.
        bit_rate: bits per second; None for one that does speech justice. MP3 takes the nearest that it has.
    """
    rate, channels = max(part.sample_rate for part in parts), min(2, max(part.channels for part in parts))
    if wanted == "flac":
        fine = any(part.codec in _FINER_THAN_16_BITS for part in parts)
        return Encoding("flac", rate, channels, 0, 24 if fine else 16)
    if wanted == "opus":
        return Encoding("opus", _OPUS_RATE, channels, bit_rate or _OPUS_BIT_RATE * channels)
    rate = _at_least(rate, SAMPLE_RATES)
    wish = bit_rate or speech_bit_rate(rate, channels)
    return Encoding("mp3", rate, channels, min(BIT_RATES[rate], key=lambda one: abs(one - wish)))


def encode(
    sound: Iterator[Samples], destination: Path, encoding: Encoding, chapters: Sequence[Chapter], titles: Sequence[str]
) -> None:
    """Write samples into a file, which is whole afterwards.

    Args:
        sound: floats of shape (channels, samples), at the encoding's sample rate.
        destination: the file; overwritten.
        encoding: how.
        chapters: of the file.
        titles: one a chapter; may be empty texts.

    Raises:
        OSError: the file cannot be written.
    """
    write = _encode_mp3 if encoding.format == "mp3" else _encode_by_ffmpeg
    write(sound, destination, encoding, chapters, titles)


def _encode_mp3(
    sound: Iterator[Samples], destination: Path, encoding: Encoding, chapters: Sequence[Chapter], titles: Sequence[str]
) -> None:
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(encoding.channels)
    encoder.set_in_sample_rate(encoding.sample_rate)
    encoder.set_out_sample_rate(encoding.sample_rate)
    encoder.set_bit_rate(encoding.bit_rate // 1000)
    encoder.set_quality(_LAME_QUALITY)
    heard, rest = 0, b""
    with destination.open("wb") as file:
        writer = Mp3Writer(file, encoding.sample_rate, encoding.channels, titles)
        for block in sound:
            pcm = np.rint(block.T * 32768).clip(-32768, 32767).astype("<i2")
            frames, rest = _whole_frames(rest + bytes(encoder.encode(pcm.tobytes())))
            writer.write(frames)
            heard += block.shape[1]
        frames, rest = _whole_frames(rest + bytes(encoder.flush()))
        writer.write(frames)
        frame_samples = 1152 if encoding.sample_rate >= 32_000 else 576
        writer.finish(chapters, ENCODER_DELAY, writer.frames * frame_samples - ENCODER_DELAY - heard)


def _whole_frames(stream: bytes) -> tuple[Frames, bytes]:
    """The frames that a stream begins with, and what is left of it."""
    starts, position = [], 0
    while position + 4 <= len(stream):
        end = position + frame_header(stream[position : position + 4]).length
        if end > len(stream):
            break
        starts.append(position)
        position = end
    return Frames(stream[:position], starts), stream[position:]


def _encode_by_ffmpeg(
    sound: Iterator[Samples], destination: Path, encoding: Encoding, chapters: Sequence[Chapter], titles: Sequence[str]
) -> None:
    codec, container_format = ("flac", "flac") if encoding.format == "flac" else ("libopus", "ogg")
    layout = ("mono", "stereo")[encoding.channels - 1]
    with av.open(f"file:{destination}", "w", format=container_format) as output:
        # FFmpeg's encoder of FLAC takes 24 bits in samples of 32.
        sample_format = "flt" if encoding.format == "opus" else {16: "s16", 24: "s32"}[encoding.bits]
        # Constrained, as it may take twice the bits that it is told otherwise.
        options = {"application": "voip", "vbr": "constrained"} if encoding.format == "opus" else {}
        # The stubs know the codecs of audio by name, but not these two by one.
        stream: Any = output.add_stream(cast("Any", codec), rate=encoding.sample_rate, options=options)
        stream.codec_context.layout, stream.codec_context.format = layout, sample_format
        if encoding.bit_rate:
            stream.codec_context.bit_rate = encoding.bit_rate
        # Ogg's own chapters; FFmpeg writes none into FLAC of itself, but reads them there.
        for number, (chapter, title) in enumerate(zip(chapters, titles, strict=True)):
            output.metadata[f"CHAPTER{number:03}"] = _clock(chapter.start_ms)
            output.metadata[f"CHAPTER{number:03}NAME"] = title
        output.start_encoding()
        resampler = AudioResampler(
            sample_format, layout, encoding.sample_rate, frame_size=stream.codec_context.frame_size or 4096
        )
        position = 0
        for block in sound:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", layout)
            frame.sample_rate, frame.time_base, frame.pts = (
                encoding.sample_rate,
                Fraction(1, encoding.sample_rate),
                position,
            )
            position += block.shape[1]
            for ready in resampler.resample(frame):
                output.mux(stream.encode(ready))
        for ready in resampler.resample(None):
            output.mux(stream.encode(ready))
        output.mux(stream.encode(None))


def _clock(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"


def _at_least(rate: int, rates: Sequence[int]) -> int:
    """The lowest of some sample rates that loses nothing of one; the highest if all do."""
    return min((one for one in rates if one >= rate), default=max(rates))
