"""Joins MP3 streams of equal parameters: their frames are copied, but for three to six newly coded ones at each joint.

Every MP3 begins with some 1105 samples that no one recorded (encoder and decoder delay) and ends with as many as fill
its last frame. Frames set one behind the other keep all of them: 90 ms of excess at a joint of 16 kHz recordings and
170 ms at 8 kHz, so that a file of twenty legs runs seconds late. Here each recording is placed where it belongs on the
time line of the result, rounded to a whole frame because its own frames can only be moved by whole frames. The rounding
is never carried on, so no recording starts more than half a frame (12 to 36 ms) from its place, however many there are.

What then belongs to the frames around a joint is neither the one recording's nor the other's: the end of the first, the
start of the second, at most a frame of silence between them or of the one faded into the other. Those frames are coded
anew, and so are two before them and one behind: a frame's transform reaches into the next frame, and its aliasing
cancels only where both sides of a seam hold the same sound, cut into blocks of the same length, which encoders change
up to two frames ahead of where a sound breaks off. The last of them also carries the bytes of the bit reservoir that
the first copied frame of the second recording points back to.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import BinaryIO, cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext

from voxlake.audio.mp3_file import (
    DECODER_DELAY,
    Chapter,
    Mp3Writer,
    frame_header,
    main_data_begin,
    silent_frame,
    with_reservoir,
)
from voxlake.audio.probe import Measured, audio_packets, open_audio

Samples = npt.NDArray[np.float32]
Times = npt.NDArray[np.int64]

ENCODER_DELAY = 576 + DECODER_DELAY  # LAME's own and the decoder's
# LAME turns the sound down by this at every bit rate up to 128 kbit/s (apply_abr_preset in its presets.c), where copied
# frames stay as loud as they were.
_LAME_GAIN = 0.95
# The encoder hears this many frames before the first that is used: its psychoacoustic model looks back.
_WARM_UP = 6
_LOOK_AHEAD = 4
# The bit reservoir of the thinnest stream (24 kHz, 8 kbit/s: 11 bytes of main data a frame) reaches back 24 frames.
# Behind the first frame that is heard come padding (7 frames at most) and the frames of the joint.
_TAIL_FRAMES = 24 + _WARM_UP + 12
# Delay (9 frames at most), the frames of the joint, and what the encoder hears beyond them.
_HEAD_FRAMES = 24


@dataclass(frozen=True)
class _Placed:
    """A recording on the result's time line, in decoded samples.

    Attributes:
        part: the recording.
        shift: frames of the result before the recording's first.
        start: where its audio starts.
        end: where its audio ends.
    """

    part: Measured
    shift: int
    start: int
    end: int


@dataclass(frozen=True)
class _Joint:
    """The frames of the result, from `leave` up to `resume`, that are coded anew between two recordings."""

    before: _Placed
    after: _Placed
    leave: int
    resume: int


def speech_encoder(sample_rate: int, channels: int, options: dict[str, str] | None = None) -> AudioCodecContext:
    """An open MP3 encoder for float samples, one plane a channel."""
    encoder = av.CodecContext.create("libmp3lame", "w")
    encoder.sample_rate, encoder.layout, encoder.format = sample_rate, ("mono", "stereo")[channels - 1], "fltp"
    encoder.bit_rate, encoder.options = speech_bit_rate(sample_rate, channels), options or {}
    encoder.open()
    return encoder


def speech_bit_rate(sample_rate: int, channels: int) -> int:
    """A constant bit rate that does speech justice, in bits per second.

    Low enough that with_reservoir finds room at every sample rate.
    """
    if sample_rate < 16_000:
        return 24_000 * channels
    if sample_rate < 32_000:
        return 48_000 if channels == 1 else 64_000
    return 64_000 * channels


def join(parts: Sequence[Measured], file: BinaryIO, titles: Sequence[str]) -> list[Chapter]:
    """Write the recordings behind each other into one MP3, in constant memory.

    Args:
        parts: MP3 files of one sample rate and channel count; at least a second each if there are several.
        file: an empty file, open for writing.
        titles: of the chapters, one a part.

    Returns:
        Where each recording starts and ends in the decoded result.
    """
    rate, channels = parts[0].properties.sample_rate, parts[0].properties.channels
    silence = silent_frame(rate, channels)
    frame_samples = frame_header(silence).samples
    # The LAME tag cannot tell decoders to cut off less than their own delay.
    lead = 1 if parts[0].start_skip < DECODER_DELAY else 0
    placed = _place(parts, frame_samples, lead)
    joints = [_joint(before, after, frame_samples) for before, after in pairwise(placed)]
    writer = Mp3Writer(file, rate, channels, titles)
    if lead:
        # FFmpeg takes up a stream only where two frames agree in the fourth byte: mode, copyright, emphasis.
        writer.write(silence[:3] + next(_frames(parts[0].path))[3:4] + silence[4:])
    for frame in chain.from_iterable(_stretches(placed, joints, frame_samples)):
        writer.write(frame)
    origin = placed[0].start
    ends = [min(before.end, after.start) for before, after in pairwise(placed)] + [placed[-1].end]
    chapters = [
        Chapter(round(1000 * (part.start - origin) / rate), round(1000 * (end - origin) / rate))
        for part, end in zip(placed, ends, strict=True)
    ]
    writer.finish(chapters, start_skip=origin, end_skip=parts[-1].end_skip)
    return chapters


def _place(parts: Sequence[Measured], frame_samples: int, lead: int) -> list[_Placed]:
    placed = []
    ideal = lead * frame_samples + parts[0].start_skip
    for part in parts:
        shift = round((ideal - part.start_skip) / frame_samples)
        start = shift * frame_samples + part.start_skip
        placed.append(_Placed(part, shift, start, start + part.audible))
        ideal += part.audible
    return placed


def _joint(before: _Placed, after: _Placed, frame_samples: int) -> _Joint:
    # Frames that both recordings and the bridge agree about: see the top of this module.
    leave = min(before.end, after.start) // frame_samples - 2
    resume = -(-max(before.end, after.start) // frame_samples) + 1
    return _Joint(before, after, leave, resume)


def _stretches(placed: Sequence[_Placed], joints: Sequence[_Joint], frame_samples: int) -> Iterator[Iterable[bytes]]:
    """The frames of the result in order: copied, bridge, copied, bridge, …, copied."""
    tail: deque[bytes] = deque()
    for number, part in enumerate(placed):
        frames = _frames(part.part.path)
        first, last = 0, part.part.samples // frame_samples
        if number:
            joint = joints[number - 1]
            head = list(islice(frames, _HEAD_FRAMES))
            yield _bridge(joint, list(tail), head)
            first = joint.resume - part.shift
            frames = chain(head, frames)
        if number < len(joints):
            last = joints[number].leave - part.shift
        tail = deque(maxlen=_TAIL_FRAMES)
        yield _copied(frames, first, last, tail)


def _copied(frames: Iterable[bytes], first: int, last: int, tail: deque[bytes]) -> Iterator[bytes]:
    for number, frame in enumerate(frames):
        tail.append(frame)
        if first <= number < last:
            yield frame


def _bridge(joint: _Joint, tail: Sequence[bytes], head: Sequence[bytes]) -> list[bytes]:
    """The newly coded frames of a joint.

    Args:
        joint: which frames.
        tail: the last frames of the recording before.
        head: the first frames of the recording after.
    """
    before, after = joint.before, joint.after
    header = frame_header(head[0])
    first_heard = joint.leave - _WARM_UP
    # The encoder's first frame decodes to what it heard ENCODER_DELAY samples earlier: start as much later.
    times = np.arange(
        first_heard * header.samples + ENCODER_DELAY, (joint.resume + _LOOK_AHEAD) * header.samples + ENCODER_DELAY
    )
    tail_start = before.shift * header.samples + before.part.samples - len(tail) * header.samples
    head_start = after.shift * header.samples
    into, out_of = _gains(times, before.end, after.start)
    sound = out_of * _heard(_decode(tail), tail_start, times) + into * _heard(_decode(head), head_start, times)
    sound /= _LAME_GAIN
    frames = _encode(sound, header.sample_rate)
    used = frames[_WARM_UP : _WARM_UP + joint.resume - joint.leave]
    return [*used[:-1], with_reservoir(used[-1], _reservoir(head, joint.resume - after.shift))]


def _gains(times: Times, end: int, start: int) -> tuple[Samples, Samples]:
    """How loud the recording that starts and the one that ends are: faded where both are heard, silent in between."""
    if end > start:
        into = ((times - start) / (end - start)).clip(0, 1).astype(np.float32)
        return into, 1 - into
    return (times >= start).astype(np.float32), (times < end).astype(np.float32)


def _heard(sound: Samples, start: int, times: Times) -> Samples:
    """The samples at those times of a sound that starts at `start`; silence outside of it."""
    inside = (times >= start) & (times < start + sound.shape[1])
    heard = np.zeros((sound.shape[0], len(times)), np.float32)
    heard[:, inside] = sound[:, times[inside] - start]
    return heard


def _decode(frames: Sequence[bytes]) -> Samples:
    """Decode frames, each to its full length; silence for one that cannot be decoded."""
    # The stubs know FFmpeg's codecs by name, but not this decoder, the one that puts out float samples.
    decoder = cast("AudioCodecContext", av.CodecContext.create("mp3float", "r"))
    header = frame_header(frames[0])
    silence = np.zeros((header.channels, header.samples), np.float32)
    decoded = []
    for frame in frames:
        try:
            decoded += [sound.to_ndarray() for sound in decoder.decode(av.Packet(frame))]
        except av.InvalidDataError:
            decoded.append(silence)
    return np.concatenate(decoded, axis=1)


def _encode(sound: Samples, sample_rate: int) -> list[bytes]:
    """Encode to frames that keep their main data within themselves."""
    encoder = speech_encoder(sample_rate, sound.shape[0], {"reservoir": "0"})
    packets = []
    for start in range(0, sound.shape[1], encoder.frame_size):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound[:, start : start + encoder.frame_size]), "fltp", encoder.layout
        )
        frame.sample_rate, frame.pts = sample_rate, start
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in packets + encoder.encode(None)]


def _reservoir(frames: Sequence[bytes], number: int) -> bytes:
    """The main data before a frame that belongs to it."""
    wanted = main_data_begin(frames[number])
    held = b"".join(frame[frame_header(frame).main_data :] for frame in frames[:number])
    # A recording cut out of a longer stream points back to bytes that it does not hold.
    return held[max(0, len(held) - wanted) :].rjust(wanted, b"\0")


def _frames(path: Path) -> Iterator[bytes]:
    with open_audio(path) as (container, stream):
        for packet in audio_packets(container, stream):
            yield bytes(packet)
