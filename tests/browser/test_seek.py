"""What Voxlake merges plays and seeks in Chromium's `<audio>`, and ffprobe sees its chapters.

Chromium trusts the headers of an MP3: the length comes from the Info frame, and a seek goes to where the seek table or
the bit rate says, without a look at what lies between. A decoder that reads from the start notices none of it.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.browser import installed
from tests.browser.conftest import GetMerged, Served
from tests.browser.player import Player
from tests.browser.sounds import KINDS, PITCHES, decoded_seconds, place_in_glide

# What the server sends before `loadedmetadata`, and no more. PCM may hide another codec, so FFmpeg looks further there.
# Ogg says how long it is at its end alone.
_HEAD_BYTES = {".mp3": 65_536, ".wav": 262_144, ".flac": 65_536}
_SEEK_ERROR = 0.3
_LONGEST = "mp3-16k-long"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].suffix in _HEAD_BYTES])
def test_the_length_is_known_from_the_head_of_the_file(
    player: Player, served: Served, tones: GetMerged, kind: str
) -> None:
    merged = tones(kind)
    properties = merged.result.properties
    assert merged.result.method == KINDS[kind].method
    address, head_bytes = served.address(merged.path), _HEAD_BYTES[merged.path.suffix]
    with served.meter.sending_at_most(head_bytes):
        duration = player.load(address)
        sent = served.meter.sent[address]
    assert duration == pytest.approx(properties.duration_ms / 1000, abs=0.005)
    assert duration == pytest.approx(
        decoded_seconds(merged.path, properties.sample_rate, properties.channels), abs=0.005
    )
    # A decoder believes a wrong delay in the file as Chromium does; the legs tell. MP3 frames are copied as a whole.
    frame = 1152 if properties.sample_rate >= 32_000 else 576
    rounding = frame / properties.sample_rate / 2 if properties.codec == "mp3" and merged.result.method == "copy" else 0
    assert duration == pytest.approx(KINDS[kind].seconds * len(KINDS[kind].formats), abs=rounding + 0.005)
    assert 0 < sent <= head_bytes
    if kind == _LONGEST:
        assert sent < merged.path.stat().st_size / 25


@pytest.mark.parametrize("kind", KINDS)
def test_every_chapter_is_heard_where_it_starts_and_in_its_middle(
    player: Player, served: Served, tones: GetMerged, kind: str
) -> None:
    merged = tones(kind)
    player.load(served.address(merged.path))
    assert len(merged.result.chapters) == len(KINDS[kind].formats)
    start = 0.05 if KINDS[kind].exact else 0.05 + _SEEK_ERROR
    wrong = []
    for number, chapter in enumerate(merged.result.chapters):
        for moment in (chapter.start_ms / 1000 + start, (chapter.start_ms + chapter.end_ms) / 2000):
            heard = player.hear(moment)
            assert heard.landed == pytest.approx(moment, abs=0.001)
            assert heard.middle > moment
            if heard.pitch != pytest.approx(PITCHES[number], abs=10):
                wrong.append(f"chapter {number} at {moment:.3f} s: {heard.pitch:.0f}, not {PITCHES[number]} Hz")
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_seek_lands_where_it_should(player: Player, served: Served, glides: GetMerged, kind: str) -> None:
    merged = glides(kind)
    player.load(served.address(merged.path))
    ahead = {}
    for number, chapter in enumerate(merged.result.chapters):
        part = (0.25, 0.5, 0.8)[number % 3]
        moment = (chapter.start_ms + part * (chapter.end_ms - chapter.start_ms)) / 1000
        heard = player.hear(moment)
        place = chapter.start_ms / 1000 + place_in_glide(KINDS[kind], number, heard.pitch)
        ahead[round(moment, 3)] = round(place - heard.middle, 3)
    assert {moment: seconds for moment, seconds in ahead.items() if abs(seconds) > _SEEK_ERROR} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_it_plays_to_its_end_and_no_further(player: Player, served: Served, tones: GetMerged, kind: str) -> None:
    merged = tones(kind)
    duration = player.load(served.address(merged.path))
    ended = player.play_to_end(duration - 0.6)
    assert ended.at == pytest.approx(duration, abs=0.05 if KINDS[kind].exact else _SEEK_ERROR)
    # No upper bound for the time itself: a busy machine may stop for a moment, and `at` says what was played.
    assert ended.seconds > 0.4


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].suffix != ".opus"])
def test_ffprobe_sees_the_chapters(tones: GetMerged, kind: str) -> None:
    merged = tones(kind)
    command = [installed.ffprobe(), "-v", "error", "-show_chapters", "-of", "json", str(merged.path)]
    seen = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["chapters"]
    assert [
        (round(1000 * float(chapter["start_time"])), round(1000 * float(chapter["end_time"])), chapter["tags"]["title"])
        for chapter in seen
    ] == [
        (chapter.start_ms, chapter.end_ms, title)
        for chapter, title in zip(merged.result.chapters, merged.titles, strict=True)
    ]


def test_a_missing_program_is_named_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VOXLAKE_CHROMIUM", raising=False)
    with pytest.raises(installed.MissingProgramError, match="apt-get install chromium"):
        installed.chromium()
    with pytest.raises(installed.MissingProgramError, match="apt-get install ffmpeg"):
        installed.ffprobe()
    monkeypatch.setenv("VOXLAKE_CHROMIUM", str(tmp_path / "nothing"))
    with pytest.raises(installed.MissingProgramError, match=r"VOXLAKE_CHROMIUM is .*nothing"):
        installed.chromium()
