import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.audio.sounds import FFMPEG, Decode, Describe, MakeTone
from voxlake.audio.merge import merge
from voxlake.audio.probe import Defect, measure
from voxlake.audio.wav_file import read_wav, write_header


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"])
@pytest.mark.parametrize("options", [(), ("-rf64", "always")], ids=["RIFF", "RF64"])
def test_headers_of_ffmpeg_are_read(make_tone: MakeTone, codec: str, options: tuple[str, ...]) -> None:
    wav = read_wav(make_tone(".wav", "-c:a", codec, *options, rate=8_000, channels=2, seconds=1.5))
    assert wav is not None
    assert (wav.codec, wav.sample_rate, wav.channels, wav.samples) == (codec, 8_000, 2, 12_000)
    assert wav.size == wav.stated


def test_what_was_streamed_states_no_length(tmp_path: Path) -> None:
    piped = subprocess.run(
        [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "sine=440:r=8000:d=2", "-f", "wav", "-"],
        capture_output=True,
        check=True,
    ).stdout
    path = tmp_path / "piped.wav"
    path.write_bytes(piped)
    measured = measure(path)
    assert (measured.properties.duration_ms, measured.defect) == (2_000, None)


def test_a_wav_that_breaks_off_says_so(make_tone: MakeTone, tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(make_tone(".wav", rate=8_000, seconds=10).read_bytes()[: 4 * 16_000])
    assert measure(path).defect == Defect("truncated", "plays 4.0 s of the 10.0 s that its header states")


@pytest.mark.parametrize("gibibytes", [1.9, 2.1, 5])
def test_files_of_gibibytes_have_sizes_that_hold_them(
    make_tone: MakeTone, describe: Describe, tmp_path: Path, gibibytes: float
) -> None:
    like = read_wav(make_tone(".wav", rate=48_000, channels=2))
    assert like is not None
    size = int(gibibytes * 2**30) // 4 * 4
    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        write_header(file, like, size, b"")
        start = file.tell()
        # All but its header is a hole, which takes no room on the disk.
        file.truncate(start + size)
    with path.open("rb") as file:
        assert file.read(4) == (b"RIFF" if gibibytes < 2 else b"RF64")
    wav = read_wav(path)
    assert wav is not None
    assert (wav.start, wav.size, wav.stated) == (start, size, size)
    hours, seconds = divmod(size / 4 / 48_000, 3_600)
    assert f"Duration: {int(hours):02}:{int(seconds // 60):02}:{seconds % 60:05.2f}" in describe(path)


def test_chapters_stand_in_a_wav_too(make_tone: MakeTone, describe: Describe, tmp_path: Path) -> None:
    parts = [make_tone(".wav", "-c:a", "pcm_mulaw", rate=8_000, seconds=seconds) for seconds in (1.5, 2.25)]
    merge(parts, tmp_path / "result.wav", ["Zoë → 101", "101 → 102"])
    text = describe(tmp_path / "result.wav")
    assert "Chapter #0:0: start 0.000000, end 1.500000" in text
    assert "Chapter #0:1: start 1.500000, end 3.750000" in text
    assert "Zoë → 101" in text


@pytest.mark.parametrize(
    "damage",
    [
        {20: b"\x09\x00"},  # a format that is not known
        {22: b"\x00\x00"},  # no channels
        {24: b"\x00\x00\x00\x00"},  # no sample rate
        {32: b"\x03\x00"},  # samples of three bytes in a format of two
        {16: b"\xff\xff\xff\x7f"},  # a format chunk without an end
        {0: b"RF64"},  # sizes in a chunk that is not there
    ],
    ids=["format", "channels", "rate", "sample", "chunk", "RF64"],
)
def test_headers_that_cannot_be_meant_make_no_copy(
    make_tone: MakeTone, tmp_path: Path, damage: dict[int, bytes]
) -> None:
    content = bytearray(make_tone(".wav", rate=8_000).read_bytes())
    for place, garbage in damage.items():
        content[place : place + len(garbage)] = garbage
    path = tmp_path / "damaged.wav"
    path.write_bytes(content)
    wav = read_wav(path)
    assert wav is None or wav.samples == 16_000


def test_a_size_that_does_not_fit_whole_samples_is_cut(make_tone: MakeTone, decode: Decode, tmp_path: Path) -> None:
    content = bytearray(make_tone(".wav", rate=8_000, seconds=1).read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", 15_999)
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    merge([path], tmp_path / "result")
    assert np.array_equal(decode(tmp_path / "result", 8_000).sound, decode(path, 8_000).sound[:, :7_999])
