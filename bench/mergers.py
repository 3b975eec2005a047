"""What merge.py merges, with what, and how right the result is.

Every contender is started as a person starts it: a command, with the threads that it starts by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.contenders import PEERS
from bench.wandering_tone import decode, find_legs, write_leg

VOXLAKE, WARM, ENCODES = "voxlake", "voxlake, warm", "ffmpeg, encoding"
# FFmpeg states no more than 1105 samples of padding in an MP3: one that ends fewer samples than these behind the start
# of a frame comes out longer than it was.
_BEHIND_A_FRAME = 47
_LEG_CODECS = {"mp3": "libmp3lame", "mulaw": "pcm_mulaw", "pcm16": "pcm_s16le"}
# What LAME takes off at each coding is heard by nobody; a clip or a gain would be.
_LEVELS = (0.75, 1.1)


@dataclass(frozen=True)
class Kind:
    """Of what kind a leg is: its codec (mp3, mulaw, pcm16), and its sample rate in Hz."""

    codec: str
    sample_rate: int

    @property
    def bit_rate(self) -> int:
        """Of an MP3 of that sample rate, in bits per second."""
        return 2 * self.sample_rate

    @property
    def suffix(self) -> str:
        """Of the leg's file."""
        return ".mp3" if self.codec == "mp3" else ".wav"


@dataclass(frozen=True)
class Case:
    """One table: legs, and what they are to become.

    Attributes:
        kinds: Of the legs, in turns.
        legs: How many.
        leg_seconds: Of each, and up to a tenth of a second more.
        suffix: Of the result.
    """

    kinds: Sequence[Kind]
    legs: int
    leg_seconds: int
    suffix: str

    @property
    def name(self) -> str:
        """As `--case` takes it."""
        kinds = "+".join(f"{kind.codec}-{kind.sample_rate // 1000}k" for kind in self.kinds)
        return f"{self.legs}x{self.leg_seconds}s-{kinds}-to-{self.suffix[1:]}"

    @property
    def method(self) -> str:
        """What is right for these legs: copy or encode."""
        return "copy" if len(self.kinds) == 1 and self.kinds[0].suffix == self.suffix else "encode"

    @property
    def sample_rate(self) -> int:
        """Of the result, Hz."""
        return max(kind.sample_rate for kind in self.kinds)

    @property
    def bit_rate(self) -> int:
        """Of the result if it is an MP3, in bits per second."""
        return 2 * self.sample_rate

    @property
    def frame_ms(self) -> float:
        """How long a frame of an MP3 of this sample rate lasts."""
        return 1000 * 576 / self.sample_rate

    def lengths_ms(self) -> list[int]:
        """Of each leg: all end elsewhere in a frame."""
        lengths = []
        for number in range(self.legs):
            length = 1000 * self.leg_seconds + 37 * number % 101
            while any(length * rate // 1000 % 576 < _BEHIND_A_FRAME for rate in (8_000, 16_000)):
                length += 1
            lengths.append(length)
        return lengths

    def starts_ms(self) -> list[int]:
        """The true place of each leg, and where the last one ends."""
        return [0, *np.cumsum(self.lengths_ms()).tolist()]


@dataclass(frozen=True)
class Contender:
    """Something that merges: its name in the table, and its command for a case, the legs, their list and the result."""

    name: str
    command: Callable[[Case, Sequence[Path], Path, Path], Sequence[str | Path]]


@dataclass(frozen=True)
class Rightness:
    """How right a merged file is, decoded by the ffmpeg binary.

    Attributes:
        joint_ms: The most that a leg lies off of where it belongs behind the one before it.
        mean_ms: How far the legs start from their true places, on average.
        worst_ms: The same of the one that is farthest off.
        length_ms: How much longer it is than the legs together; negative if it is shorter.
        errors: Lines that ffmpeg complains with.
        wrong: What else is not as it should be.
    """

    joint_ms: float
    mean_ms: float
    worst_ms: float
    length_ms: float
    errors: int
    wrong: Sequence[str]


def _ffmpeg(*options: str) -> Callable[[Case, Sequence[Path], Path, Path], Sequence[str | Path]]:
    def command(case: Case, legs: Sequence[Path], listed: Path, result: Path) -> Sequence[str | Path]:
        head = ("ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "concat", "-safe", "0", "-i", listed)
        encoding = ("-c:a", "libmp3lame", "-b:a", str(case.bit_rate), "-ar", str(case.sample_rate))
        return [*head, *(options or encoding), result]

    return command


def _voxlake(case: Case, legs: Sequence[Path], listed: Path, result: Path) -> Sequence[str | Path]:
    return [sys.executable, "-m", "voxlake", "merge", *legs, "-o", result, "--bit-rate", str(case.bit_rate)]


def _sox(case: Case, legs: Sequence[Path], listed: Path, result: Path) -> Sequence[str | Path]:
    return ["sox", *legs, *(("-C", str(case.bit_rate // 1000)) if case.suffix == ".mp3" else ()), result]


def _pydub(case: Case, legs: Sequence[Path], listed: Path, result: Path) -> Sequence[str | Path]:
    return [PEERS, "-m", "bench.merge_with_pydub", result, str(case.bit_rate), *legs]


def contenders(case: Case) -> list[Contender]:
    """Those that can make what the case asks for, or are said to."""
    fitting = [Contender(VOXLAKE, _voxlake)]
    if len({kind.suffix for kind in case.kinds} | {case.suffix}) == 1:
        fitting.append(Contender("ffmpeg -c copy", _ffmpeg("-c", "copy")))
    if case.suffix == ".mp3":
        fitting.append(Contender(ENCODES, _ffmpeg()))
    return [*fitting, Contender("sox", _sox), Contender("pydub", _pydub)]


def make_legs(case: Case, folder: Path) -> list[Path]:
    """Makes the legs of a case in a folder, where they are not there from an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    legs = []
    for number, (start, length) in enumerate(zip(case.starts_ms(), case.lengths_ms(), strict=False)):
        kind = case.kinds[number % len(case.kinds)]
        leg = folder / f"{number:02}-{kind.codec}-{kind.sample_rate}{kind.suffix}"
        legs.append(leg)
        if leg.exists():
            continue
        tone, scratch = leg.with_suffix(".tone"), leg.with_name(f"new-{leg.name}")
        a_ms = kind.sample_rate // 1000
        write_leg(tone, start * a_ms, length * a_ms, kind.sample_rate)
        bit_rate = ("-b:a", str(kind.bit_rate)) if kind.codec == "mp3" else ()
        encoder = ("-c:a", _LEG_CODECS[kind.codec], *bit_rate)
        # Its MP3 are LAME's, with an Info frame that states the encoder's delay and padding.
        command: list[str | Path] = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", tone, *encoder, scratch]
        subprocess.run(command, check=True)  # noqa: S603 - ffmpeg of the PATH, and files of ours
        tone.unlink()
        samples = len(decode(scratch, kind.sample_rate)[0])
        if samples != length * a_ms:
            raise SystemExit(f"{scratch} decodes to {samples:,} samples, and {length * a_ms:,} went into it.")
        scratch.rename(leg)
    return legs


def judge(case: Case, result: Path) -> Rightness:
    """Decodes what a contender made, and looks for every leg in it.

    Raises:
        CalledProcessError: ffprobe cannot read it.
    """
    sound, complaints = decode(result, case.sample_rate)
    *starts, end = case.starts_ms()
    found = find_legs(sound, [start * case.sample_rate // 1000 for start in starts], case.sample_rate)
    heard = [leg for leg in found if leg is not None]
    wrong = [f"leg {number + 1} is not heard" for number, leg in enumerate(found) if leg is None]
    if len(wrong) > 3:
        wrong = [f"{len(wrong)} legs are not heard"]
    places = [start + leg.off_ms for start, leg in zip(starts, found, strict=True) if leg is not None]
    if places != sorted(places):
        wrong.append("legs are in another order")
    levels = [leg.level for leg in heard]
    if heard and (min(levels) < _LEVELS[0] or max(levels) > _LEVELS[1]):
        wrong.append(f"legs are {min(levels):.2f} to {max(levels):.2f} times as loud")
    decoded_ms = 1000 * len(sound) / case.sample_rate
    # Some readers count the encoder's delay and padding in.
    stated_ms = _stated_ms(result)
    if abs(stated_ms - decoded_ms) > 4 * case.frame_ms:
        wrong.append(f"header says {stated_ms / 1000:.1f} s, decodes to {decoded_ms / 1000:.1f} s")
    off = np.array([leg.off_ms for leg in heard] or [np.nan])
    return Rightness(
        joint_ms=float(np.abs(np.diff(off, prepend=0.0)).max()),
        mean_ms=float(np.abs(off).mean()),
        worst_ms=float(np.abs(off).max()),
        length_ms=decoded_ms - end,
        errors=len(complaints),
        wrong=wrong,
    )


def _stated_ms(result: Path) -> float:
    """The length that a file's header states, as a player shows it before it plays."""
    command: list[str | Path] = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "json", result]
    shown = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - ffprobe of the PATH, and a file of ours
    return 1000 * float(json.loads(shown.stdout)["format"].get("duration", "nan"))
