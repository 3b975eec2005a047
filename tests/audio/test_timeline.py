from pathlib import Path

import numpy as np
import pytest

from tests.audio.sounds import Decode, MakeTone
from voxlake.audio.merge import Target, merge

WAV = {"s16": "pcm_s16le", "8 bits": "pcm_u8", "µ-law": "pcm_mulaw", "A-law": "pcm_alaw"}


@pytest.mark.parametrize("gap_ms", [35, 200, 437, 5_000, 90_250])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_gaps_between_copied_mp3s_are_silence(
    make_tone: MakeTone, decode: Decode, tmp_path: Path, rate: int, gap_ms: int
) -> None:
    parts = [make_tone(".mp3", pitch=pitch, seconds=1.503, rate=rate) for pitch in (500, 1300)]
    result = merge(parts, tmp_path / "result", starts_ms=[700_000, 701_503 + gap_ms])
    heard = decode(tmp_path / "result", rate)
    assert (heard.complaints, result.method) == ("", "copy")
    rounding_ms = 1000 * (1152 if rate == 44_100 else 576) / rate / 2 + 0.5
    assert result.chapters[0].end_ms == 1503
    second = result.chapters[1].start_ms
    assert second == pytest.approx(1503 + gap_ms, abs=rounding_ms)
    assert result.chapters[1].end_ms == second + 1503
    assert 1000 * heard.seconds == pytest.approx(second + 1503, abs=1)
    assert heard.pitch(100, 1_400) == pytest.approx(500, abs=2)
    assert heard.pitch(second + 100, second + 1_400) == pytest.approx(1300, abs=2)
    # What was coded anew rings on for a frame or two.
    if gap_ms > 400:
        assert np.abs(heard.between(1503 + 150, second - 150)).max() < 0.001


@pytest.mark.parametrize("codec", WAV)
def test_gaps_between_copied_wavs_are_silence(make_tone: MakeTone, decode: Decode, tmp_path: Path, codec: str) -> None:
    parts = [make_tone(".wav", "-c:a", WAV[codec], pitch=pitch, seconds=1, rate=8_000) for pitch in (500, 1300)]
    result = merge(parts, tmp_path / "result", starts_ms=[0, 301_000])
    heard = decode(tmp_path / "result", 8_000)
    assert (result.method, heard.samples) == ("copy", 302 * 8_000)
    assert np.abs(heard.between(1_000, 301_000)).max() < 0.001
    for number, start_ms in enumerate((0, 301_000)):
        assert np.array_equal(heard.between(start_ms, start_ms + 1_000), decode(parts[number], 8_000).sound[0])


def test_what_overlaps_is_added_and_nothing_else_is_changed(
    make_tone: MakeTone, decode: Decode, tmp_path: Path
) -> None:
    parts = [make_tone(".wav", pitch=pitch, seconds=3, loudness=0.4) for pitch in (500, 1300)]
    result = merge(parts, tmp_path / "result.flac", starts_ms=[0, 2_000], target=Target("flac"))
    heard = decode(tmp_path / "result.flac", 16_000)
    assert (result.method, heard.samples) == ("encode", 5 * 16_000)
    assert [(chapter.start_ms, chapter.end_ms) for chapter in result.chapters] == [(0, 3_000), (2_000, 5_000)]
    first, second = (decode(part, 16_000).sound[0] for part in parts)
    expected = np.zeros(5 * 16_000, np.float32)
    expected[: 3 * 16_000] += first
    expected[2 * 16_000 :] += second
    # A step of 16 bits.
    assert np.abs(heard.sound[0] - expected).max() < 2 / 32768


def test_a_sum_that_would_clip_is_turned_down_while_it_would(
    make_tone: MakeTone, decode: Decode, tmp_path: Path
) -> None:
    parts = [make_tone(".wav", pitch=pitch, seconds=3, loudness=0.8) for pitch in (500, 1300)]
    merge(parts, tmp_path / "result.flac", starts_ms=[0, 2_000], target=Target("flac"))
    heard = decode(tmp_path / "result.flac", 16_000)
    assert np.abs(heard.sound).max() == pytest.approx(0.97, abs=0.005)
    assert np.abs(heard.between(100, 1_900)).max() == pytest.approx(0.8, abs=0.005)
    assert np.abs(heard.between(3_500, 4_900)).max() == pytest.approx(0.8, abs=0.005)


def test_three_at_one_time_one_of_which_ends_first(make_tone: MakeTone, decode: Decode, tmp_path: Path) -> None:
    parts = [
        make_tone(".mp3", pitch=500, seconds=4),
        make_tone(".mp3", pitch=900, seconds=1, rate=8_000),
        make_tone(".wav", pitch=1700, seconds=1.5, channels=2),
    ]
    result = merge(parts, tmp_path / "result", starts_ms=[0, 1_000, 3_000])
    heard = decode(tmp_path / "result", 16_000, 2)
    assert (heard.complaints, result.properties.duration_ms) == ("", 4_500)
    spectrum = np.abs(np.fft.rfft(heard.between(1_100, 1_900)))
    strongest = np.argsort(spectrum)[-2:] * 16_000 / (0.8 * 16_000)
    assert sorted(strongest) == pytest.approx([500, 900], abs=3)
    assert heard.pitch(4_100, 4_400) == pytest.approx(1700, abs=5)


def test_an_overlap_of_a_few_milliseconds_is_none(make_tone: MakeTone, tmp_path: Path) -> None:
    parts = [make_tone(".mp3", seconds=2) for _ in range(3)]
    result = merge(parts, tmp_path / "result", starts_ms=[0, 1_960, 3_990])
    assert result.method == "copy"
    assert [chapter.start_ms for chapter in result.chapters] == pytest.approx([0, 2_000, 4_000], abs=19)


@pytest.mark.parametrize("starts", [[0], [0, 500, 400], [5, 4, 6]])
def test_starts_that_cannot_be_meant(make_tone: MakeTone, tmp_path: Path, starts: list[int]) -> None:
    with pytest.raises(ValueError, match="give one a recording, none before the one before it"):
        merge([make_tone(".mp3")] * 3, tmp_path / "result", starts_ms=starts)
    assert not (tmp_path / "result").exists()
