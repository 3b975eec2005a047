"""A tone that wanders, so that every second of it is known from all others: cut into legs, and found again.

Its frequency goes from one drawn value to the next without a leap, and its phase runs on over the ends of the legs: put
together rightly they are one tone without a click. A second of it fits in one place alone, to a small part of a sample.
"""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.float32]

# Hz; a telephone has them, and so has an MP3 of 8 kHz and 16 kbit/s.
_LOWEST, _HIGHEST = 400, 2400
_SECONDS_A_KNOT = 0.05
_LONGEST_SECONDS = 4 * 3600
_LEVEL = 0.5
# Behind the start of a leg, where a joint may fade from one leg to the other.
_FROM_START_SECONDS = 0.2
_PROBE_SECONDS = 1.0
# A leg is looked for so far around its true place, and in all of the sound if it is not there.
_NEAR_SECONDS = 6.0
_ALIKE = 0.5
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Found:
    """Where a leg is heard.

    Attributes:
        off_ms: How much later than its true place it starts; negative if it starts earlier.
        level: How loud it is; 1 as it was made.
    """

    off_ms: float
    level: float


def tone(start: int, count: int, sample_rate: int) -> Sound:
    """So many samples of the tone from one of them on, at any sample rate."""
    frequency, turns = _knots()
    times = np.arange(start, start + count) / sample_rate
    knot = (times / _SECONDS_A_KNOT).astype(np.int64)
    since = times - knot * _SECONDS_A_KNOT
    slope = (frequency[knot + 1] - frequency[knot]) / _SECONDS_A_KNOT
    phase = turns[knot] + frequency[knot] * since + slope * since**2 / 2
    sound: Sound = (_LEVEL * np.sin(2 * np.pi * (phase % 1))).astype(np.float32)
    return sound


@cache
def _knots() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The frequencies that the tone passes, and how many turns it has made by then."""
    frequency = np.random.default_rng(5).uniform(_LOWEST, _HIGHEST, round(_LONGEST_SECONDS / _SECONDS_A_KNOT) + 1)
    turns = np.concatenate([[0.0], np.cumsum((frequency[1:] + frequency[:-1]) / 2 * _SECONDS_A_KNOT)])
    return frequency, turns


def write_leg(path: Path, start: int, count: int, sample_rate: int) -> None:
    """Writes so many samples of the tone from one of them on as a WAV of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.rint(tone(start, count, sample_rate) * 32767).astype("<i2").tobytes())


def decode(path: Path, sample_rate: int) -> tuple[Sound, list[str]]:
    """The samples of a file as the ffmpeg binary plays it, and the lines of its complaints."""
    done = subprocess.run(  # noqa: S603 - what the bench made
        ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-f", "s16le", "-ac", "1", "-ar", str(sample_rate), "-"],  # noqa: S607 - of the PATH, as all contenders
        capture_output=True,
        check=False,
    )
    complaints = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    if done.returncode:
        complaints.append(f"ffmpeg ended with exit status {done.returncode}")
    return (np.frombuffer(done.stdout, "<i2") / np.float32(32768)).astype(np.float32), complaints


def find_legs(sound: Sound, starts: Sequence[int], sample_rate: int) -> list[Found | None]:
    """Looks for the legs that start at these samples of the tone; None for one that is not heard."""
    return [_find(sound, start, sample_rate) for start in starts]


def _find(sound: Sound, start: int, sample_rate: int) -> Found | None:
    begin = start + round(_FROM_START_SECONDS * sample_rate)
    probe = tone(begin, round(_PROBE_SECONDS * sample_rate), sample_rate)
    near = round(_NEAR_SECONDS * sample_rate)
    first = max(0, begin - near)
    likeness, place, level = _best(sound[first : begin + near + len(probe)], probe)
    place += first
    if likeness < _ALIKE:
        for block in range(0, len(sound), _BLOCK - len(probe)):
            found = _best(sound[block : block + _BLOCK], probe)
            if found[0] > likeness:
                likeness, place, level = found[0], found[1] + block, found[2]
    return Found(1000 * (place - begin) / sample_rate, level) if likeness >= _ALIKE else None


def _best(sound: Sound, probe: Sound) -> tuple[float, float, float]:
    """How alike a sound is to the probe where it is most alike (1: the same), where that is, and how loud."""
    places = len(sound) - len(probe) + 1
    if places < 3:
        return 0.0, 0.0, 0.0
    size = 1 << (len(sound) + len(probe)).bit_length()
    products = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(probe, size)), size)[:places]
    energy = np.concatenate([[0.0], np.cumsum(sound.astype(np.float64) ** 2)])
    heard = np.sqrt(np.maximum(energy[len(probe) :] - energy[: -len(probe)], 0))[:places]
    own = float(np.sqrt(np.sum(probe.astype(np.float64) ** 2)))
    # Near silence is like nothing.
    likeness = products / (own * np.maximum(heard, own / 100))
    best = int(np.argmax(likeness))
    top = min(max(best, 1), places - 2)
    before, at, after = (float(value) for value in likeness[top - 1 : top + 2])
    bend = before - 2 * at + after
    shift = (before - after) / (2 * bend) if best == top and bend else 0.0
    return float(likeness[best]), best + shift, float(products[best]) / own**2
