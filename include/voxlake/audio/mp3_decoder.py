"""Decodes MP3 frames to samples, as many as they are said to have, and counts those that cannot be decoded whole."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import av
import av.logging
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from voxlake.audio.mp3_frames import FrameHeader, Frames
from voxlake.audio.wav_file import Samples

# So many at a time cost half of what they cost one by one; more of them cost memory.
_AT_A_TIME = 64
# What a decoder has to hear before it puts out what it would in the middle of the stream: the bit reservoir of the
# thinnest stream (24 kHz, 8 kbit/s: 11 bytes of main data a frame) reaches back 24 frames.
WARM_UP = 26


@dataclass
class Damage:
    """How many frames of a file could not be decoded, or not without a complaint; counted while it is decoded."""

    frames: int = 0


class Mp3Decoder:
    """A decoder of one stream.

    Args:
        header: of its frames.
        damage: counts what cannot be decoded.
    """

    def __init__(self, header: FrameHeader, damage: Damage) -> None:
        self._damage = damage
        self._header = header
        self._codec = _new_codec()
        self._before: list[bytes] = []

    def decode(self, frames: Frames) -> Iterator[Samples]:
        """The samples of the frames, which follow those decoded before, as floats of shape (channels, samples).

        A frame that cannot be decoded is silence.
        """
        for first in range(0, len(frames.starts), _AT_A_TIME):
            chunk = frames.cut(first, first + _AT_A_TIME)
            sound = self._decode_at_once(chunk)
            yield self._decode_one_by_one(chunk.split()) if sound is None else sound
            self._before = [*self._before, *chunk.cut(len(chunk.starts) - WARM_UP, len(chunk.starts)).split()][
                -WARM_UP:
            ]

    def _decode_at_once(self, chunk: Frames) -> Samples | None:
        with _complaints() as complaints:
            sound = self._try(chunk.data)
        whole = sound is not None and sound.shape[1] == len(chunk.starts) * self._header.samples
        return sound if whole and not complaints else None

    def _decode_one_by_one(self, frames: Sequence[bytes]) -> Samples:
        # The decoder has gone on behind the damage, so another one hears what came before.
        self._codec = _new_codec()
        decoded = []
        with _complaints() as complaints:
            for frame in self._before:
                self._try(frame)
            for frame in frames:
                complaints.clear()
                sound = self._try(frame)
                whole = sound is not None and sound.shape[1] == self._header.samples
                self._damage.frames += not whole or bool(complaints)
                decoded.append(
                    sound
                    if sound is not None and whole
                    else np.zeros((self._header.channels, self._header.samples), np.float32)
                )
        return np.concatenate(decoded, axis=1)

    def _try(self, data: bytes) -> Samples | None:
        try:
            decoded = self._codec.decode(av.Packet(data))
        except av.FFmpegError:
            return None
        # By their bytes: an array for each frame would take longer than decoding it.
        planes = [sound.planes for sound in decoded]
        if set(map(len, planes)) - {self._header.channels}:
            return None
        joined = b"".join([of_frame[plane] for plane in range(self._header.channels) for of_frame in planes])
        return np.frombuffer(joined, np.float32).reshape(self._header.channels, -1)


def _new_codec() -> AudioCodecContext:
    # The stubs know FFmpeg's codecs by name, but not this decoder, the one that puts out float samples.
    return cast("AudioCodecContext", av.CodecContext.create("mp3float", "r"))


@contextmanager
def _complaints() -> Iterator[list[tuple[int, str, str]]]:
    """What FFmpeg has to say within the block: it conceals some damage, and tells of it in its log alone."""
    before = av.logging.get_level()
    repeats = av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as complaints:
            yield complaints
    finally:
        av.logging.set_skip_repeated(repeats)
        av.logging.set_level(before)
