import re
import subprocess
import sys
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.audio.sounds import Decode, Describe, MakeTone
from voxlake.audio.merge import MergePlan, merge, plan_merge
from voxlake.audio.probe import AudioProperties, Defect, NotAudioError, probe

MP3_16K = AudioProperties("audio/mpeg", "mp3", 16_000, 1, 5_000, 32_000)
WAV_8K = AudioProperties("audio/wav", "pcm_mulaw", 8_000, 1, 5_000, 64_000)
COPY_MP3 = MergePlan("copy", "audio/mpeg")
COPY_WAV = MergePlan("copy", "audio/wav")
ENCODE = MergePlan("encode", "audio/mpeg")


def changed(properties: AudioProperties, **changes: str | int) -> AudioProperties:
    return AudioProperties(**(vars(properties) | changes))


@pytest.mark.parametrize(
    ("parts", "plan"),
    [
        ([MP3_16K], COPY_MP3),
        ([MP3_16K, changed(MP3_16K, bit_rate=48_000, duration_ms=90_000)], COPY_MP3),
        ([changed(MP3_16K, duration_ms=20)], COPY_MP3),
        ([MP3_16K, changed(MP3_16K, duration_ms=999)], ENCODE),
        ([MP3_16K, changed(MP3_16K, sample_rate=8_000)], ENCODE),
        ([MP3_16K, changed(MP3_16K, channels=2)], ENCODE),
        ([MP3_16K, WAV_8K], ENCODE),
        ([WAV_8K, changed(WAV_8K, duration_ms=20)], COPY_WAV),
        ([WAV_8K, changed(WAV_8K, codec="pcm_alaw")], ENCODE),
        ([changed(WAV_8K, codec="adpcm_ima_wav")], ENCODE),
        ([changed(WAV_8K, codec="mp3")], ENCODE),
    ],
)
def test_what_is_alike_is_copied(parts: list[AudioProperties], plan: MergePlan) -> None:
    assert plan_merge(parts) == plan


SAME = {
    "mp3 8 kHz": (".mp3", ("-b:a", "16k"), 8_000, 1),
    "mp3 16 kHz": (".mp3", ("-b:a", "32k"), 16_000, 1),
    "mp3 16 kHz stereo": (".mp3", ("-b:a", "48k"), 16_000, 2),
    "mp3 24 kHz, deep reservoir": (".mp3", ("-b:a", "8k"), 24_000, 1),
    "mp3 44.1 kHz": (".mp3", ("-b:a", "64k"), 44_100, 1),
    "mp3 44.1 kHz stereo, variable": (".mp3", ("-q:a", "4"), 44_100, 2),
    "mp3 without a tag": (".mp3", ("-write_xing", "0"), 16_000, 1),
    "wav s16": (".wav", ("-c:a", "pcm_s16le"), 16_000, 1),
    "wav u8": (".wav", ("-c:a", "pcm_u8"), 8_000, 2),
    "wav µ-law": (".wav", ("-c:a", "pcm_mulaw"), 8_000, 1),
    "wav A-law": (".wav", ("-c:a", "pcm_alaw"), 8_000, 1),
}
PITCHES = (500, 1700, 900, 1300, 700)
SECONDS = (1.503, 1.131, 2.017, 1.29, 1.8)


@pytest.mark.parametrize("kind", SAME)
def test_copied_recordings_follow_each_other_in_order_and_in_time(
    make_tone: MakeTone, decode: Decode, tmp_path: Path, kind: str
) -> None:
    suffix, options, rate, channels = SAME[kind]
    parts = [
        make_tone(suffix, *options, pitch=pitch, seconds=seconds, rate=rate, channels=channels)
        for pitch, seconds in zip(PITCHES, SECONDS, strict=True)
    ]
    result = merge(parts, tmp_path / "result")
    heard = decode(tmp_path / "result", rate, channels)
    assert (result.method, heard.complaints) == ("copy", "")
    frame_ms = 1000 * (1152 if rate >= 32_000 else 576) / rate if suffix == ".mp3" else 0
    lengths = [1000 * decode(part, rate, channels).seconds for part in parts]
    assert result.properties == probe(tmp_path / "result")
    assert result.properties.duration_ms == pytest.approx(1000 * heard.seconds, abs=0.51)
    assert result.chapters[0].start_ms == 0
    assert result.chapters[-1].end_ms == result.properties.duration_ms
    for number, (chapter, pitch) in enumerate(zip(result.chapters, PITCHES, strict=True)):
        assert heard.pitch(chapter.start_ms, chapter.end_ms) == pytest.approx(pitch, abs=2)
        assert chapter.start_ms == pytest.approx(sum(lengths[:number]), abs=frame_ms / 2 + 1)
        assert chapter.end_ms == pytest.approx(sum(lengths[: number + 1]), abs=frame_ms / 2 + 1)
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(result.chapters))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_twenty_joints_of_mp3_drift_by_less_than_a_frame(
    make_tone: MakeTone, decode: Decode, tmp_path: Path, rate: int
) -> None:
    parts = [make_tone(".mp3", seconds=seconds, rate=rate) for seconds in (1.011, 1.043, 1.087)] * 7
    merge(parts, tmp_path / "result")
    true = sum(decode(part, rate).samples for part in parts[:3]) * 7
    heard = decode(tmp_path / "result", rate)
    assert heard.complaints == ""
    assert abs(heard.samples - true) <= (1152 if rate == 44_100 else 576) / 2


def test_copied_mp3_is_the_same_to_the_bit_away_from_the_joints(
    make_tone: MakeTone, decode: Decode, tmp_path: Path
) -> None:
    parts = [make_tone(".mp3", "-b:a", "32k", pitch=pitch, seconds=1.5) for pitch in PITCHES]
    result = merge(parts, tmp_path / "result")
    whole = decode(tmp_path / "result", 16_000).sound[0]
    for part, chapter in zip(parts, result.chapters, strict=True):
        middle = decode(part, 16_000).sound[0, 5 * 576 : -5 * 576]
        # A chapter states milliseconds: 16 samples.
        near = round(chapter.start_ms * 16) + 5 * 576
        assert any(np.array_equal(middle, whole[near + shift :][: len(middle)]) for shift in range(-9, 10))


def noise_db(stretch: npt.NDArray[np.float32], rate: int, above_hz: int) -> float:
    """How loud all above a frequency is, in decibels relative to the whole."""
    spectrum = np.abs(np.fft.rfft(stretch * np.blackman(len(stretch)))) ** 2
    return float(10 * np.log10(spectrum[above_hz * len(stretch) // rate :].sum() / spectrum.sum()))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_a_joint_makes_no_noise(make_tone: MakeTone, decode: Decode, tmp_path: Path, rate: int) -> None:
    # Tones that swell and fade hold nothing above 1.5 kHz: whatever is there was made by the joint.
    swell = ("-af", "afade=d=0.1,areverse,afade=d=0.1,areverse")
    parts = [make_tone(".mp3", *swell, seconds=seconds, rate=rate) for seconds in (1.2, 1.53, 1.311, 1.4)]
    result = merge(parts, tmp_path / "result")
    heard = decode(tmp_path / "result", rate)
    for chapter in result.chapters[1:]:
        assert noise_db(heard.between(chapter.start_ms - 200, chapter.start_ms + 200), rate, 1_500) < -45


@pytest.mark.parametrize(
    ("rate", "bit_rate"), [(8_000, "16k"), (16_000, "32k"), (24_000, "8k"), (44_100, "64k"), (44_100, "320k")]
)
def test_frames_that_fit_are_joined_as_if_decoded_one_by_one(
    make_tone: MakeTone, decode: Decode, tmp_path: Path, rate: int, bit_rate: str
) -> None:
    # Recordings of whole frames need no rounding, so the result is known to the sample.
    frame_samples = 1152 if rate == 44_100 else 576
    seconds = 45 * frame_samples / rate
    parts = [make_tone(".mp3", "-b:a", bit_rate, pitch=pitch, seconds=seconds, rate=rate) for pitch in (440, 1150, 730)]
    merge(parts, tmp_path / "result")
    heard = decode(tmp_path / "result", rate).sound[0]
    expected = np.concatenate([decode(part, rate).sound[0] for part in parts])
    assert heard.shape == expected.shape
    for joint in (45 * frame_samples, 90 * frame_samples):
        around = slice(joint - 4 * frame_samples, joint + 4 * frame_samples)
        error = ((heard[around] - expected[around]) ** 2).sum() / (expected[around] ** 2).sum()
        assert 10 * np.log10(error) < -28


def test_unlike_recordings_are_encoded_sample_by_sample(make_tone: MakeTone, decode: Decode, tmp_path: Path) -> None:
    parts = [
        make_tone(".mp3", pitch=500, seconds=1.503, rate=16_000),
        make_tone(".mp3", pitch=1700, seconds=0.3, rate=8_000),
        make_tone(".wav", "-c:a", "pcm_mulaw", pitch=900, seconds=2.017, rate=8_000),
        make_tone(".wav", "-c:a", "pcm_s16le", pitch=1300, seconds=1.29, rate=22_050, channels=2),
        make_tone(".wav", "-c:a", "pcm_u8", pitch=700, seconds=1.8, rate=11_025),
        make_tone(".mp3", pitch=1100, seconds=0.7, rate=22_050, channels=2),
    ]
    lengths = [1503, 300, 2017, 1290, 1800, 700]
    result = merge(parts, tmp_path / "result")
    heard = decode(tmp_path / "result", 22_050, 2)
    assert (result.method, heard.complaints) == ("encode", "")
    assert (result.properties.sample_rate, result.properties.channels) == (22_050, 2)
    assert 1000 * heard.seconds == pytest.approx(sum(lengths), abs=0.5)
    for number, (chapter, pitch) in enumerate(zip(result.chapters, [500, 1700, 900, 1300, 700, 1100], strict=True)):
        assert chapter.start_ms == pytest.approx(sum(lengths[:number]), abs=1)
        assert chapter.end_ms == pytest.approx(sum(lengths[: number + 1]), abs=1)
        assert heard.pitch(chapter.start_ms, chapter.end_ms) == pytest.approx(pitch, abs=4)


def test_a_rate_that_mp3_does_not_know_becomes_one_that_it_does(make_tone: MakeTone, tmp_path: Path) -> None:
    parts = [make_tone(".wav", rate=96_000, channels=6), make_tone(".wav", rate=8_000)]
    properties = merge(parts, tmp_path / "result").properties
    assert (properties.codec, properties.sample_rate, properties.channels) == ("mp3", 48_000, 2)


@pytest.mark.parametrize("options", [(), ("-write_xing", "0")], ids=["tag", "no tag"])
def test_one_recording_stays_as_it_is(
    make_tone: MakeTone, decode: Decode, tmp_path: Path, options: tuple[str, ...]
) -> None:
    part = make_tone(".mp3", *options, seconds=0.4)
    result = merge([part], tmp_path / "result")
    assert result.method == "copy"
    assert np.array_equal(decode(tmp_path / "result", 16_000).sound, decode(part, 16_000).sound)


def test_an_mp3_states_its_length_and_its_chapters(make_tone: MakeTone, describe: Describe, tmp_path: Path) -> None:
    parts = [make_tone(".mp3", seconds=seconds) for seconds in (61.5, 3)]
    result = merge(parts, tmp_path / "result", ["Zoë → 101", "101 → 102"])
    first, second = result.chapters
    text = describe(tmp_path / "result")
    assert re.search(r"Duration: 00:01:04\.[45]\d", text)
    assert f"Chapter #0:0: start 0.000000, end {first.end_ms / 1000:.6f}" in text
    assert f"Chapter #0:1: start {second.start_ms / 1000:.6f}, end {second.end_ms / 1000:.6f}" in text
    assert re.findall(r"title +: (.+)", text) == ["Zoë → 101", "101 → 102"]


def test_tags_and_info_frames_of_the_parts_are_left_out(make_tone: MakeTone, tmp_path: Path) -> None:
    tags = ("-metadata", "title=a secret title", "-write_id3v1", "1")
    merge([make_tone(".mp3", *tags) for _ in range(3)], tmp_path / "result")
    content = (tmp_path / "result").read_bytes()
    assert b"a secret title" not in content
    assert (content.count(b"ID3"), content.count(b"Info") + content.count(b"Xing")) == (1, 1)


def test_a_sample_that_was_cut_through_shifts_nothing(make_tone: MakeTone, decode: Decode, tmp_path: Path) -> None:
    cut = tmp_path / "cut.wav"
    cut.write_bytes(make_tone(".wav", seconds=1).read_bytes()[:-1])
    whole = make_tone(".wav", pitch=900, seconds=1)
    merge([cut, whole], tmp_path / "result")
    heard = decode(tmp_path / "result", 16_000)
    assert heard.samples == 31_999
    assert np.array_equal(heard.sound[0, 15_999:], decode(whole, 16_000).sound[0])


@pytest.mark.parametrize("suffix", [".mp3", ".wav"])
def test_a_part_that_is_not_audio_is_named_and_leaves_no_result(
    make_tone: MakeTone, tmp_path: Path, suffix: str
) -> None:
    page = tmp_path / f"page{suffix}"
    page.write_text("<html>Too many requests</html>")
    with pytest.raises(NotAudioError, match=f"page{suffix}: not MP3 or WAV audio but a web page"):
        merge([make_tone(suffix), page], tmp_path / "result")
    assert not (tmp_path / "result").exists()


def test_a_merge_that_fails_half_way_leaves_no_result(make_tone: MakeTone, tmp_path: Path) -> None:
    destination = tmp_path / "result"
    with pytest.raises(UnicodeEncodeError):
        merge([make_tone(".mp3")], destination, ["\udcff"])
    assert not destination.exists()


def test_arguments_that_cannot_be_meant(make_tone: MakeTone, tmp_path: Path) -> None:
    part = make_tone(".mp3")
    before = part.read_bytes()
    with pytest.raises(ValueError, match="nothing to merge"):
        merge([], tmp_path / "result")
    with pytest.raises(ValueError, match="1 titles for 2 parts"):
        merge([part, part], tmp_path / "result", ["one"])
    with pytest.raises(ValueError, match="is a part and the destination"):
        merge([part, part], part)
    assert part.read_bytes() == before


@pytest.mark.parametrize("other_rate", [16_000, 8_000], ids=["alike", "unlike"])
def test_a_frame_that_cannot_be_decoded_becomes_silence_and_is_told(
    make_tone: MakeTone, decode: Decode, tmp_path: Path, other_rate: int
) -> None:
    content = make_tone(".mp3", "-b:a", "32k", seconds=1.5).read_bytes()
    # The side information of the sixth frame from the end, all ones: it asks for more coefficients than there are.
    start = len(content) - 6 * 144 + 4
    damaged = tmp_path / "damaged.mp3"
    damaged.write_bytes(content[:start] + b"\xff" * 9 + content[start + 9 :])
    result = merge([damaged, make_tone(".mp3", pitch=700, rate=other_rate)], tmp_path / "result")
    heard = decode(tmp_path / "result", 16_000)
    assert (heard.complaints, result.method, heard.samples) == ("", "encode", 56_000)
    assert result.defects == (Defect("damaged", "1 frames cannot be decoded"), None)
    # 42 frames before it, of which 1105 samples are the encoder's delay.
    silence_ms = 1000 * (38 * 576 - 1105) / 16_000
    loudness = np.abs(heard.between(silence_ms, silence_ms + 36)).max()
    assert loudness < 0.3 * np.abs(heard.between(100, 1100)).max()
    assert heard.pitch(1600, 3400) == pytest.approx(700, abs=1)


@pytest.mark.parametrize(
    ("suffix", "starts", "growth_limit_kb"),
    [(".mp3", None, 8_000), (".wav", None, 8_000), (".wav", [0, 5_000], 12_000), (".mp3", [0, 5_000], 12_000)],
    ids=["mp3 copied", "wav copied", "wav mixed", "mp3 mixed"],
)
def test_memory_does_not_grow_with_the_length(
    make_tone: MakeTone, tmp_path: Path, suffix: str, starts: list[int] | None, growth_limit_kb: int
) -> None:
    long = tmp_path / f"long{suffix}"
    if suffix == ".mp3":
        long.write_bytes(make_tone(".mp3", "-b:a", "160k", "-write_xing", "0", seconds=20).read_bytes() * 30)
    else:
        with wave.open(str(long), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(bytes(2 * 16_000 * 600))
    script = (
        "import resource, sys; from pathlib import Path; from voxlake.audio.merge import merge\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"short, long, result = map(Path, sys.argv[1:]); starts = {starts}\n"
        "merge([short, short], result, starts_ms=starts and [0, 500]); before = peak()\n"
        "made = merge([long, long], result, starts_ms=starts)\n"
        "assert made.properties.duration_ms > 600_000; print(peak() - before)"
    )
    command = [sys.executable, "-c", script, str(make_tone(suffix)), str(long), str(tmp_path / "result")]
    growth_kb = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert growth_kb < growth_limit_kb


@pytest.mark.parametrize("suffix", [".mp3", ".wav"])
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=200)), max_size=6))
def test_damaged_bytes_are_refused_or_merged_but_never_crash(
    make_tone: MakeTone, decode: Decode, tmp_path: Path, suffix: str, damage: list[tuple[float, bytes]]
) -> None:
    whole = make_tone(suffix, seconds=1.5)
    content = bytearray(whole.read_bytes())
    for place, garbage in damage:
        start = int(place * len(content))
        content[start : start + len(garbage)] = garbage
    damaged = tmp_path / f"damaged{suffix}"
    damaged.write_bytes(content)
    destination = tmp_path / "result"
    destination.unlink(missing_ok=True)
    refusal, result = "", None
    try:
        result = merge([damaged, whole], destination)
    except NotAudioError as error:
        refusal = str(error)
    if result is None:
        assert str(damaged) in refusal
        assert not destination.exists()
    else:
        assert result.properties.duration_ms == result.chapters[-1].end_ms
        heard = decode(destination, result.properties.sample_rate, result.properties.channels)
        # ffmpeg writes nothing for a frame it cannot decode, 36 ms; a damage of 200 bytes touches three at most.
        silent_ms = 36 * 3 * len(damage) if suffix == ".mp3" else 0
        assert -1 <= result.chapters[-1].end_ms - 1000 * heard.seconds <= silent_ms + 1
