"""What is merged here: tones that tell the legs apart, and glides whose pitch says where in a leg one is.

They are made, and the results decoded, with a program that shares no code with Voxlake: the ffmpeg binary.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imageio_ffmpeg

from voxlake.audio.merge import MergeResult, Target, merge

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
# No two legs that follow each other are alike; all lie within what 8 kHz at the lowest bit rates carries.
PITCHES = (500, 1700, 900, 1300, 700, 1100, 1500, 600)
_GLIDE_FROM, _GLIDE_TO = 300, 2500


@dataclass(frozen=True)
class Format:
    """How a leg is coded.

    Attributes:
        suffix: Of the file, which names its format.
        options: ffmpeg's, for the output.
        rate: Hz.
        channels: 1 or 2.
        noisy: Whether there is noise below the sound, which a variable bit rate spends more on.
    """

    suffix: str
    options: tuple[str, ...]
    rate: int
    channels: int = 1
    noisy: bool = False


@dataclass(frozen=True)
class Kind:
    """A merge to make.

    Attributes:
        suffix: Of the result.
        formats: One a leg.
        seconds: How long each leg is.
        method: How it must be merged: `copy` or `encode`.
        exact: Whether a place in the file can be worked out from a moment. At a variable bit rate there is only the
            seek table, which has one byte for a place: a 256th of the file, here a fifth of a second.
        format: What `merge` is told to make.
    """

    suffix: str
    formats: tuple[Format, ...]
    seconds: float
    method: str
    exact: bool = True
    format: Literal["auto", "flac", "opus"] = "auto"


@dataclass(frozen=True)
class Merged:
    """A merged file, what `merge` said of it, and the titles that it was given."""

    path: Path
    result: MergeResult
    titles: Sequence[str]


_MP3_16K = Format(".mp3", ("-b:a", "32k"), 16_000)
_MP3_8K = Format(".mp3", ("-b:a", "16k"), 8_000)
_MP3_VBR = Format(".mp3", ("-q:a", "4"), 44_100, channels=2)
_MP3_VBR_NOISY = Format(".mp3", ("-q:a", "4"), 44_100, channels=2, noisy=True)
_WAV_MU_LAW = Format(".wav", ("-c:a", "pcm_mulaw"), 8_000)
_WAV_S16 = Format(".wav", ("-c:a", "pcm_s16le"), 16_000)

KINDS = {
    # Eight minutes: a 256th, the unit of the seek table, is two seconds.
    "mp3-16k-long": Kind(".mp3", (_MP3_16K,) * 8, 61.3, "copy"),
    "mp3-8k": Kind(".mp3", (_MP3_8K,) * 3, 12.3, "copy"),
    "mp3-44k-stereo-vbr": Kind(".mp3", (_MP3_VBR, _MP3_VBR_NOISY) * 2, 12.3, "copy", exact=False),
    "mixed": Kind(".mp3", (_MP3_8K, _WAV_MU_LAW, _MP3_16K), 12.3, "encode"),
    "wav-mu-law": Kind(".wav", (_WAV_MU_LAW,) * 3, 12.3, "copy"),
    "wav-s16": Kind(".wav", (_WAV_S16,) * 3, 12.3, "copy"),
    "flac": Kind(".flac", (_WAV_S16,) * 3, 12.3, "encode", format="flac"),
    "opus": Kind(".opus", (_WAV_S16, _MP3_8K, _WAV_S16), 12.3, "encode", format="opus"),
}


def merged_tones(kind: Kind, folder: Path) -> Merged:
    """Legs of one pitch each: `PITCHES`, in order."""
    return _merged(kind, folder, [f"sin(2*PI*{pitch}*t)" for pitch in PITCHES[: len(kind.formats)]])


def merged_glides(kind: Kind, folder: Path) -> Merged:
    """Legs whose pitch rises (the first, the third, …) or falls steadily, so that neighbours differ too."""
    rise = (_GLIDE_TO - _GLIDE_FROM) / kind.seconds
    up = f"sin(2*PI*({_GLIDE_FROM}*t+{rise / 2}*t*t))"
    down = f"sin(2*PI*({_GLIDE_TO}*t-{rise / 2}*t*t))"
    return _merged(kind, folder, [(up, down)[leg % 2] for leg in range(len(kind.formats))])


def place_in_glide(kind: Kind, leg: int, pitch: float) -> float:
    """Where in a leg of `merged_glides` a pitch is heard, in seconds from its start."""
    part = (pitch - _GLIDE_FROM) / (_GLIDE_TO - _GLIDE_FROM)
    return kind.seconds * (1 - part if leg % 2 else part)


def decoded_seconds(path: Path, rate: int, channels: int) -> float:
    """How long a file is when all of it is decoded."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-f", "s16le", "-"]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    return len(sound) / (2 * channels * rate)


def _merged(kind: Kind, folder: Path, sounds: Sequence[str]) -> Merged:
    folder.mkdir()
    made: dict[tuple[str, Format], Path] = {}
    for sound, leg in zip(sounds, kind.formats, strict=True):
        if (sound, leg) not in made:
            made[sound, leg] = _make(folder / f"leg{len(made)}{leg.suffix}", sound, leg, kind.seconds)
    legs = [made[leg] for leg in zip(sounds, kind.formats, strict=True)]
    titles = [f"{leg} · Zoë → Łukasz" for leg in range(len(legs))]
    path = folder / f"merged{kind.suffix}"
    return Merged(path, merge(legs, path, titles, target=Target(kind.format)), titles)


def _make(path: Path, sound: str, leg: Format, seconds: float) -> Path:
    noise = "+0.05*(random(0)-0.5)" if leg.noisy else ""
    source = f"aevalsrc='0.5*{sound}{noise}':s={leg.rate}:d={seconds}"
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-ac", str(leg.channels), *leg.options, str(path)]
    subprocess.run(command, check=True)
    return path
