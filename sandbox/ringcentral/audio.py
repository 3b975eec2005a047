"""The sound of recordings: a pulsing tone whose pitch tells which recording it is.

The base frequency follows from the recording id (`tone_of`). The recordings of one telephony session lie at least
100 Hz apart, so the order of parts in a merged file can be measured.
"""

from __future__ import annotations

import hashlib
import io
import math
import threading
import wave
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from sandbox.ringcentral.calls import Recording

WAV_SAMPLE_RATE = 8_000
_LOWEST_HZ = 300
_STEP_HZ = 25
_STEPS = 48
# 11 steps from one recording of a session to the next: as 11 and 48 share no divisor, no two of 48 parts coincide.
_STEPS_PER_PART = 11
_CACHE_BYTES = 64_000_000
# The first frames hold the encoder's delay and its settling; the loop starts behind them.
_LEAD_FRAMES = 8


def tone_of(recording_id: str) -> float:
    """Base frequency of a recording in Hz, a multiple of 25 between 300 and 1475."""
    session, part = recording_id[:-4], recording_id[-4:-3]
    start = int.from_bytes(hashlib.blake2b(session.encode(), digest_size=4).digest(), "big")
    step = (start + _STEPS_PER_PART * (int(part) if part.isdigit() else 0)) % _STEPS
    return float(_LOWEST_HZ + _STEP_HZ * step)


def samples_of(recording_id: str, duration_ms: int, sample_rate: int) -> np.ndarray:
    """The sound as mono 16-bit samples, exactly `duration_ms` long.

    Args:
        recording_id: Decides the pitch.
        duration_ms: Length in milliseconds.
        sample_rate: In Hz.

    Returns:
        int16 array of shape (samples,).
    """
    # One second is synthesised and repeated: the pitch is a whole number of Hz, so the seam is inaudible.
    time = np.arange(sample_rate) / sample_rate
    phase = 2 * np.pi * tone_of(recording_id) * time
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time)
    second = (syllables * (0.5 * np.sin(phase) + 0.12 * np.sin(2 * phase)) * 32767).astype(np.int16)
    return np.resize(second, duration_ms * sample_rate // 1000)


def encode_wav(samples: np.ndarray, sample_rate: int) -> bytes:
    """PCM in a WAV file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return target.getvalue()


def encode_mp3(samples: np.ndarray, sample_rate: int, bit_rate: int) -> bytes:
    """MP3 of a constant bit rate, with the header by which decoders drop the encoder's delay and padding.

    The sound repeats every second, so after as many seconds as make a whole number of MP3 frames the encoder would give
    the same frames again. They are written again instead of encoded again, which is many times faster. Frames can be
    copied because each holds all of its own bits (`reservoir=0`).
    """
    target = io.BytesIO()
    with av.open(target, "w", format="mp3", options={"id3v2_version": "0"}) as container:
        stream = container.add_stream(
            "libmp3lame", rate=sample_rate, layout="mono", options={"compression_level": "7", "reservoir": "0"}
        )
        stream.bit_rate = bit_rate
        container.start_encoding()
        frame_size = stream.codec_context.frame_size
        loop_frames = sample_rate // math.gcd(sample_rate, frame_size)
        loop_end = _LEAD_FRAMES + loop_frames
        repeats = max(0, len(samples) // (loop_frames * frame_size) - 2)
        encoded = samples[: len(samples) - repeats * loop_frames * frame_size]

        frame = av.AudioFrame.from_ndarray(encoded.reshape(1, -1), format="s16p", layout="mono")
        frame.sample_rate = sample_rate
        frame.pts = 0
        frame.time_base = Fraction(1, sample_rate)
        packets = [*stream.encode(frame), *stream.encode(None)]
        if repeats:
            loop_ticks = _pts(packets[loop_end]) - _pts(packets[_LEAD_FRAMES])
            again = [
                _later_copy(packet, loop_ticks * (repeat + 1))
                for repeat in range(repeats)
                for packet in packets[_LEAD_FRAMES:loop_end]
            ]
            for packet in packets[loop_end:]:
                packet.pts = packet.dts = _pts(packet) + repeats * loop_ticks
            packets[loop_end:loop_end] = again
        container.mux(packets)
    return target.getvalue()


def _pts(packet: av.Packet[Any]) -> int:
    assert packet.pts is not None, "the encoder stamps every packet of a stamped frame"
    return packet.pts


def _later_copy(packet: av.Packet[Any], ticks: int) -> av.Packet[Any]:
    copy: av.Packet[Any] = av.Packet(bytes(packet))
    copy.stream, copy.time_base, copy.duration = packet.stream, packet.time_base, packet.duration
    copy.pts = copy.dts = _pts(packet) + ticks
    return copy


@dataclass(frozen=True, slots=True)
class Mp3Settings:
    """How MP3 recordings are encoded: sample rate in Hz, bit rate in bit/s."""

    sample_rate: int
    bit_rate: int


class AudioStore:
    """Encoded recordings; the latest used ones stay in memory.

    Recordings of one tone and length are the same file, which is encoded once: 3,000 recordings that last 30 to 32
    seconds are 144 files.

    Args:
        mp3: How MP3 recordings are encoded.
        cache_bytes: What stays in memory at most.
    """

    def __init__(self, mp3: Mp3Settings, cache_bytes: int = _CACHE_BYTES) -> None:
        self._mp3 = mp3
        self._cache_bytes = cache_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[float, int, str], bytes] = OrderedDict()
        self._kept_bytes = 0

    def content(self, recording: Recording) -> bytes:
        """The whole file of a recording."""
        key = (tone_of(recording.id), recording.duration_ms, recording.content_type)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        content = self._encode(recording)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = content
                self._kept_bytes += len(content)
            while self._kept_bytes > self._cache_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._kept_bytes -= len(dropped)
        return content

    def _encode(self, recording: Recording) -> bytes:
        if recording.content_type == "audio/wav":
            samples = samples_of(recording.id, recording.duration_ms, WAV_SAMPLE_RATE)
            return encode_wav(samples, WAV_SAMPLE_RATE)
        samples = samples_of(recording.id, recording.duration_ms, self._mp3.sample_rate)
        return encode_mp3(samples, self._mp3.sample_rate, self._mp3.bit_rate)
