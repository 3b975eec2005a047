"""Every pair of formats, merged and decoded by ffmpeg: order, length, level, and nothing to complain of."""

from __future__ import annotations

from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pytest

from tests.audio.formats import FORMATS, Format
from tests.audio.sounds import Decode, MakeTone
from voxlake.audio.merge import MergeResult, Target, merge

LOUDNESS = 0.6
PITCHES = (500, 1300)
SECONDS = (1.503, 1.217)
# What comes out by what goes in: copies and FLAC are exact; LAME turns down by 0.95, so that nothing clips.
LEVELS = {"copy": (0.99, 1.01), "flac": (0.99, 1.01), "mp3": (0.93, 1.01), "opus": (0.9, 1.1)}

Tones = dict[str, list[Path]]


@pytest.fixture(scope="session")
def tones(make_tone: MakeTone) -> Tones:
    """Of each format a part to come first and one to come second."""
    return {
        name: [
            make_tone(
                form.suffix,
                *form.options,
                pitch=pitch,
                seconds=seconds,
                rate=form.rate,
                channels=form.channels,
                loudness=LOUDNESS,
            )
            for pitch, seconds in zip(PITCHES, SECONDS, strict=True)
        ]
        for name, form in FORMATS.items()
    }


def alike(first: Format, second: Format) -> bool:
    """Whether recordings of the two formats can be copied behind each other."""
    same = (first.suffix, first.rate, first.channels) == (second.suffix, second.rate, second.channels)
    if first.suffix == ".mp3":
        return same
    return same and first.options == second.options and "adpcm_ima_wav" not in first.options


@pytest.mark.parametrize(("first", "second"), list(combinations_with_replacement(FORMATS, 2)))
def test_a_pair(tones: Tones, decode: Decode, tmp_path: Path, first: str, second: str) -> None:
    forms = FORMATS[first], FORMATS[second]
    parts = [tones[first][0], tones[second][1]]
    result = merge(parts, tmp_path / "result")
    assert result.method == ("copy" if alike(*forms) else "encode")
    rounding_ms = forms[0].frame_ms / 2 if result.method == "copy" else 0
    level = result.method if result.method == "copy" else result.properties.codec
    assert_heard(result, tmp_path / "result", parts, forms, decode, rounding_ms, LEVELS[level])


@pytest.mark.parametrize("kind", ["flac", "opus"])
@pytest.mark.parametrize("first", FORMATS)
def test_what_an_archive_may_want(tones: Tones, decode: Decode, tmp_path: Path, first: str, kind: str) -> None:
    forms = FORMATS[first], FORMATS["wav µ-law"]
    parts = [tones[first][0], tones["wav µ-law"][1]]
    result = merge(parts, tmp_path / "result", target=Target(kind))  # type: ignore[arg-type] # one of its literals
    assert (result.method, result.properties.codec) == ("encode", kind)
    assert_heard(result, tmp_path / "result", parts, forms, decode, 0, LEVELS[kind])


def assert_heard(
    result: MergeResult,
    file: Path,
    parts: list[Path],
    forms: tuple[Format, Format],
    decode: Decode,
    rounding_ms: float,
    level: tuple[float, float],
) -> None:
    heard = decode(file, result.properties.sample_rate, result.properties.channels)
    originals = [decode(part, form.rate, form.channels) for part, form in zip(parts, forms, strict=True)]
    lengths = [1000 * original.seconds for original in originals]
    assert heard.complaints == ""
    assert result.defects == (None, None)
    assert 1000 * heard.seconds == pytest.approx(sum(lengths), abs=rounding_ms + 0.2)
    assert result.properties.duration_ms == pytest.approx(1000 * heard.seconds, abs=0.51)
    joint = result.chapters[1].start_ms
    assert joint == pytest.approx(lengths[0], abs=rounding_ms + 0.7)
    assert result.chapters[0].end_ms == pytest.approx(joint, abs=rounding_ms + 0.7)
    # A window of 50 ms tells pitches 20 Hz apart. An MP3 without a tag begins with 70 ms of the encoder's delay.
    for start, end, pitch in ((joint - 70, joint - 20, 500), (joint + 90, joint + 140, 1300)):
        assert heard.pitch(start, end) == pytest.approx(pitch, abs=30)
    for number, chapter in enumerate(result.chapters):
        ours = heard.between(chapter.start_ms + 300, chapter.start_ms + 1_000)
        theirs = originals[number].between(300, 1_000)
        gain = np.sqrt(np.mean(ours**2) / np.mean(theirs**2))
        assert level[0] < gain < level[1]
    assert np.abs(heard.sound).max() < 1
