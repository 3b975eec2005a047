"""Joins MP3 streams of equal parameters: their frames are copied, but for three to six newly coded ones at each joint.

Every MP3 begins with some 1105 samples that no one recorded (encoder and decoder delay) and ends with as many as fill
its last frame. Frames set one behind the other keep all of them: 90 ms of excess at a joint of 16 kHz recordings and
170 ms at 8 kHz, so that a file of twenty legs runs seconds late. Here each recording is placed where it belongs on the
time line of the result, rounded to a whole frame because its own frames can only be moved by whole frames. The rounding
is never carried on, so no recording starts more than half a frame (12 to 36 ms) from its place, however many there are.

Recordings that are to lie far apart have frames of silence between them, which are joined to both like a recording.

What then belongs to the frames around a joint is neither the one recording's nor the other's: the end of the first, the
start of the second, some frames of silence between them or less than one of the one faded into the other. These are
coded anew, and so are two before them and one behind: a frame's transform reaches into the next frame, and its aliasing
cancels only where both sides of a seam hold the same sound, cut into blocks of the same length, which encoders change
up to two frames ahead of where a sound breaks off. The last of them also carries the bytes of the bit reservoir that
the first copied frame of the second recording points back to.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext

from voxlake.audio.id3 import Chapter
from voxlake.audio.mp3_decoder import Damage, Mp3Decoder
from voxlake.audio.mp3_frames import (
    BIT_RATES,
    DECODER_DELAY,
    FrameHeader,
    Frames,
    frame_header,
    main_data_begin,
    silent_frame,
    together,
    with_reservoir,
)
from voxlake.audio.mp3_reader import Mp3Reader
from voxlake.audio.mp3_writer import Mp3Writer
from voxlake.audio.timeline import Placed
from voxlake.audio.wav_file import Samples

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
# A shorter one would not hold what is coded anew at either end of it.
_SHORTEST_SILENCE = 12
_SILENCE_AT_A_TIME = 4096


@dataclass(frozen=True)
class _Strand:
    """A recording, or the silence between two, on the result's time line, in decoded samples.

    Attributes:
        read: its frames.
        frames: how many these are.
        shift: frames of the result before its first.
        start: where its audio starts.
        end: where its audio ends.
    """

    read: Callable[[], Iterator[Frames]]
    frames: int
    shift: int
    start: int
    end: int


@dataclass(frozen=True)
class _Joint:
    """The frames of the result, from `leave` up to `resume`, that are coded anew between two strands."""

    before: _Strand
    after: _Strand
    leave: int
    resume: int


def _joint_encoder(sample_rate: int, channels: int, bit_rate: int) -> AudioCodecContext:
    """An open MP3 encoder for float samples, one plane a channel, whose frames share no bits."""
    encoder = av.CodecContext.create("libmp3lame", "w")
    encoder.sample_rate, encoder.layout, encoder.format = sample_rate, ("mono", "stereo")[channels - 1], "fltp"
    encoder.bit_rate, encoder.options = bit_rate, {"reservoir": "0", "compression_level": "7"}
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


def join(placed: Sequence[Placed], file: BinaryIO, titles: Sequence[str]) -> list[Chapter]:
    """Write recordings in their places into one MP3, in constant memory.

    Args:
        placed: MP3 files of one sample rate and channel count, in their order, none over another; at least a second
            each if there are several.
        file: an empty file, open for writing.
        titles: of the chapters, one a recording.

    Returns:
        Where each recording starts and ends in the decoded result.
    """
    rate, channels = placed[0].part.properties.sample_rate, placed[0].part.properties.channels
    silence = silent_frame(rate, channels)
    frame_samples = frame_header(silence).samples
    # The LAME tag cannot tell decoders to cut off less than their own delay.
    lead = 1 if placed[0].part.start_skip < DECODER_DELAY else 0
    recordings = [_strand(one, placed[0].part.start_skip, frame_samples, lead) for one in placed]
    strands = list(_with_silences(recordings, silence))
    joints = [_joint(before, after, frame_samples) for before, after in pairwise(strands)]
    writer = Mp3Writer(file, rate, channels, titles)
    if lead:
        # FFmpeg takes up a stream only where two frames agree in the fourth byte: mode, copyright, emphasis.
        fourth = _first_frames(strands[0], 1)[0][3:4]
        writer.write(Frames(silence[:3] + fourth + silence[4:], [0]))
    for frames in _stretches(strands, joints):
        writer.write(frames)
    origin = recordings[0].start
    ends = [min(before.end, after.start) for before, after in pairwise(recordings)] + [recordings[-1].end]
    chapters = [
        Chapter(round(1000 * (one.start - origin) / rate), round(1000 * (end - origin) / rate))
        for one, end in zip(recordings, ends, strict=True)
    ]
    writer.finish(chapters, start_skip=origin, end_skip=placed[-1].part.end_skip)
    return chapters


def _strand(placed: Placed, origin: int, frame_samples: int, lead: int) -> _Strand:
    part = placed.part
    shift = lead + round((origin + placed.start - part.start_skip) / frame_samples)
    start = shift * frame_samples + part.start_skip
    return _Strand(
        lambda: Mp3Reader(part.path).frames(), part.samples // frame_samples, shift, start, start + part.audible
    )


def _with_silences(recordings: Sequence[_Strand], silence: bytes) -> Iterator[_Strand]:
    """The recordings, and between those that are far apart a strand of silence, of whole frames."""
    frame_samples = frame_header(silence).samples
    yield recordings[0]
    for before, after in pairwise(recordings):
        shift, end = -(-before.end // frame_samples), after.start // frame_samples
        if end - shift >= _SHORTEST_SILENCE:
            read = partial(_silence, silence, end - shift)
            yield _Strand(read, end - shift, shift, shift * frame_samples, end * frame_samples)
        yield after


def _silence(frame: bytes, count: int) -> Iterator[Frames]:
    for first in range(0, count, _SILENCE_AT_A_TIME):
        frames = min(_SILENCE_AT_A_TIME, count - first)
        yield Frames(frame * frames, range(0, frames * len(frame), len(frame)))


def _joint(before: _Strand, after: _Strand, frame_samples: int) -> _Joint:
    # Frames that both strands and the bridge agree about: see the top of this module.
    leave = min(before.end, after.start) // frame_samples - 2
    resume = -(-max(before.end, after.start) // frame_samples) + 1
    return _Joint(before, after, leave, resume)


def _stretches(strands: Sequence[_Strand], joints: Sequence[_Joint]) -> Iterator[Frames]:
    """The frames of the result in order: copied, bridge, copied, bridge, …, copied."""
    tail: list[bytes] = []
    for number, strand in enumerate(strands):
        first, last = 0, strand.frames
        if number:
            joint = joints[number - 1]
            yield together(_bridge(joint, tail, _first_frames(strand, _HEAD_FRAMES)))
            first = joint.resume - strand.shift
        if number < len(joints):
            last = joints[number].leave - strand.shift
        tail, passed = [], 0
        for frames in strand.read():
            yield frames.cut(first - passed, last - passed)
            passed += len(frames.starts)
            count = len(frames.starts)
            tail = [*tail, *frames.cut(count - _TAIL_FRAMES, count).split()][-_TAIL_FRAMES:]


def _first_frames(strand: _Strand, count: int) -> list[bytes]:
    head: list[bytes] = []
    for frames in strand.read():
        head += frames.cut(0, count - len(head)).split()
        if len(head) == count:
            break
    return head


def _bridge(joint: _Joint, tail: Sequence[bytes], head: Sequence[bytes]) -> list[bytes]:
    """The newly coded frames of a joint.

    Args:
        joint: which frames.
        tail: the last frames of the strand before.
        head: the first frames of the strand after.
    """
    before, after = joint.before, joint.after
    header = frame_header(head[0])
    first_heard = joint.leave - _WARM_UP
    # The encoder's first frame decodes to what it heard ENCODER_DELAY samples earlier: start as much later.
    times = np.arange(
        first_heard * header.samples + ENCODER_DELAY, (joint.resume + _LOOK_AHEAD) * header.samples + ENCODER_DELAY
    )
    tail_start = (before.shift + before.frames - len(tail)) * header.samples
    head_start = after.shift * header.samples
    into, out_of = _gains(times, before.end, after.start)
    sound = out_of * _heard(_decode(tail), tail_start, times) + into * _heard(_decode(head), head_start, times)
    sound /= _LAME_GAIN
    frames = _encode(sound, header.sample_rate, _joint_bit_rate(header, [*tail, *head]))
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
    return np.concatenate(list(Mp3Decoder(frame_header(frames[0]), Damage()).decode(together(frames))), axis=1)


def _joint_bit_rate(header: FrameHeader, around: Sequence[bytes]) -> int:
    """That of the frames around it if it does speech justice: a player that seeks by bytes is put out by no other."""
    usual = int(np.median([frame_header(frame).bit_rate for frame in around]))
    speech = speech_bit_rate(header.sample_rate, header.channels)
    return min(BIT_RATES[header.sample_rate], key=lambda one: abs(one - max(speech // 2, min(speech, usual))))


def _encode(sound: Samples, sample_rate: int, bit_rate: int) -> list[bytes]:
    """Encode to frames that keep their main data within themselves."""
    encoder = _joint_encoder(sample_rate, sound.shape[0], bit_rate)
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
