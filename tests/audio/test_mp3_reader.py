from pathlib import Path

import pytest

from tests.audio.formats import FORMATS
from tests.audio.sounds import Decode, MakeTone
from voxlake.audio import mp3_reader
from voxlake.audio.mp3_frames import frame_header
from voxlake.audio.mp3_reader import Mp3Reader
from voxlake.audio.probe import Defect, measure

MP3S = [name for name, form in FORMATS.items() if form.suffix == ".mp3"]


def read(path: Path) -> tuple[list[bytes], Mp3Reader]:
    reader = Mp3Reader(path)
    return [frame for frames in reader.frames() for frame in frames.split()], reader


def written(folder: Path, *parts: bytes) -> Path:
    path = folder / "file.mp3"
    path.write_bytes(b"".join(parts))
    return path


@pytest.fixture
def tagless(make_tone: MakeTone) -> bytes:
    """Sixteen kilohertz and 144 bytes a frame, without an ID3 tag and an Info frame."""
    return make_tone(".mp3", "-b:a", "32k", "-write_xing", "0", "-id3v2_version", "0", seconds=2.5).read_bytes()


@pytest.mark.parametrize("kind", MP3S)
def test_it_finds_what_ffmpeg_plays(make_tone: MakeTone, decode: Decode, kind: str) -> None:
    form = FORMATS[kind]
    path = make_tone(form.suffix, *form.options, seconds=3.217, rate=form.rate, channels=form.channels)
    frames, reader = read(path)
    measured = measure(path)
    assert (reader.strays, reader.broken_off, measured.defect) == (0, False, None)
    assert measured.audible == decode(path, form.rate, form.channels).samples
    assert measured.samples == len(frames) * frame_header(frames[0]).samples
    assert all(len(frame) == frame_header(frame).length for frame in frames)


@pytest.mark.parametrize("block", [9_000, 9_001, 12_345])
def test_it_finds_the_same_in_blocks_of_any_size(
    make_tone: MakeTone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, block: int
) -> None:
    whole = make_tone(".mp3", "-q:a", "4", seconds=6, rate=44_100).read_bytes()
    third = len(whole) // 3
    path = written(tmp_path, whole[:third], b"no frame" * 900, whole[third : 2 * third], whole[2 * third + 100 :])
    expected, reader = read(path)
    assert reader.strays > 7_000
    monkeypatch.setattr(mp3_reader, "_BLOCK_BYTES", block)
    frames, again = read(path)
    assert frames == expected
    assert again.strays == reader.strays


def test_tags_before_between_and_behind_are_no_damage(make_tone: MakeTone, tagless: bytes, tmp_path: Path) -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128)
    version, size, items, has_header = (number.to_bytes(4, "little") for number in (2000, 40, 0, 1 << 29))
    ape = b"APETAGEX" + version + size + items + has_header + bytes(8) + bytes(40)
    id3v1 = b"TAG" + bytes(125)
    frames, reader = read(written(tmp_path, tag, tag, tagless, tag, tagless, ape, id3v1))
    assert len(frames) == 2 * len(tagless) // 144
    assert (reader.strays, reader.broken_off) == (0, False)


def test_a_tag_that_claims_the_audio_as_its_own_is_damage(tagless: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, b"ID3\x04\x00\x00\x00\x00\x7f\x7f" + bytes(100), tagless)
    frames, _ = read(path)
    assert len(frames) == len(tagless) // 144
    defect = measure(path).defect
    assert defect is not None
    assert defect.kind == "damaged"


@pytest.mark.parametrize("cut", [1, 70, 143])
def test_a_file_that_ends_within_a_frame_is_truncated(tagless: bytes, tmp_path: Path, cut: int) -> None:
    path = written(tmp_path, tagless[:-cut])
    assert measure(path).defect == Defect("truncated", "breaks off within a frame after 2.6 s")


def test_a_file_that_lost_its_end_is_shorter_than_it_states(make_tone: MakeTone, tmp_path: Path) -> None:
    content = make_tone(".mp3", "-b:a", "32k", seconds=10).read_bytes()
    path = written(tmp_path, content[: -144 * 100])
    assert measure(path).defect == Defect("truncated", "plays 6.5 s of the 10.1 s that its header states")


@pytest.mark.parametrize("lost", [slice(3_000, 3_001), slice(3_000, 5_000)], ids=["a byte", "frames"])
def test_bytes_that_were_lost_within_are_damage(tagless: bytes, tmp_path: Path, lost: slice) -> None:
    frames, reader = read(written(tmp_path, tagless[: lost.start], tagless[lost.stop :]))
    kept = (len(tagless) - (lost.stop - lost.start)) // 144
    # The frame around the place, and the one that its length reaches into.
    assert kept - 2 <= len(frames) <= kept
    assert reader.strays > 0


def test_a_length_stated_by_fraunhofer_is_known(tagless: bytes, tmp_path: Path) -> None:
    count = len(tagless) // 144
    vbri = bytearray(tagless[:144])
    vbri[4:] = bytes(140)
    vbri[36:54] = b"VBRI" + bytes(6) + (len(tagless) + 144).to_bytes(4, "big") + (count + 90).to_bytes(4, "big")
    frames, reader = read(written(tmp_path, bytes(vbri), tagless))
    assert (len(frames), reader.stated.frames) == (count, count + 90)
    defect = measure(tmp_path / "file.mp3").defect
    assert defect is not None
    assert defect.kind == "truncated"
