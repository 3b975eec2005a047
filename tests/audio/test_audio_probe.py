from pathlib import Path

import pytest

from tests.audio.sounds import Decode, MakeTone
from voxlake.audio.probe import AudioProperties, NotAudioError, probe


@pytest.mark.parametrize(
    ("suffix", "options", "rate", "channels", "codec", "bit_rate"),
    [
        (".mp3", ("-b:a", "16k"), 8_000, 1, "mp3", 16_000),
        (".mp3", ("-b:a", "32k"), 16_000, 1, "mp3", 32_000),
        (".mp3", ("-b:a", "48k"), 16_000, 2, "mp3", 48_000),
        (".mp3", ("-b:a", "128k"), 48_000, 2, "mp3", 128_000),
        (".wav", ("-c:a", "pcm_s16le"), 16_000, 1, "pcm_s16le", 256_000),
        (".wav", ("-c:a", "pcm_u8"), 8_000, 2, "pcm_u8", 128_000),
        (".wav", ("-c:a", "pcm_mulaw"), 8_000, 1, "pcm_mulaw", 64_000),
        (".wav", ("-c:a", "pcm_alaw"), 8_000, 1, "pcm_alaw", 64_000),
    ],
)
def test_properties_are_those_of_the_recording(
    make_tone: MakeTone, suffix: str, options: tuple[str, ...], rate: int, channels: int, codec: str, bit_rate: int
) -> None:
    path = make_tone(suffix, *options, seconds=1.237, rate=rate, channels=channels)
    content_type = {".mp3": "audio/mpeg", ".wav": "audio/wav"}[suffix]
    assert probe(path) == AudioProperties(content_type, codec, rate, channels, 1237, bit_rate)


def test_the_bytes_decide_and_not_the_name(make_tone: MakeTone, tmp_path: Path) -> None:
    path = make_tone(".wav").rename(tmp_path / "recording %d:1?.mp3")
    assert probe(path).content_type == "audio/wav"


@pytest.mark.parametrize("options", [("-write_xing", "0"), ("-write_xing", "0", "-id3v2_version", "0")])
def test_a_file_that_states_no_length_is_counted(make_tone: MakeTone, decode: Decode, options: tuple[str, ...]) -> None:
    path = make_tone(".mp3", *options, seconds=3.3)
    assert probe(path).duration_ms == round(1000 * decode(path, 16_000).seconds)


@pytest.mark.parametrize("suffix", [".mp3", ".wav"])
def test_a_file_that_was_cut_off_is_as_long_as_what_is_left(
    make_tone: MakeTone, decode: Decode, tmp_path: Path, suffix: str
) -> None:
    whole = make_tone(suffix, seconds=4).read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(whole[: len(whole) // 2 + 1])
    duration_ms = probe(path).duration_ms
    assert 1800 < duration_ms < 2200
    # ffmpeg also plays what there is of the last frame.
    assert duration_ms == pytest.approx(1000 * decode(path, 16_000).seconds, abs=37)


def test_a_file_that_grew_since_its_header_was_written_is_counted_whole(make_tone: MakeTone, tmp_path: Path) -> None:
    path = tmp_path / "grown.mp3"
    path.write_bytes(make_tone(".mp3", seconds=2).read_bytes() + make_tone(".mp3", "-write_xing", "0").read_bytes())
    assert probe(path).duration_ms == pytest.approx(4_000, abs=150)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file"),
        (b'{"errorCode": "CMN-301", "message": "Request rate exceeded"}', "JSON"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "a web page (HTML)"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
        ("Übertragung fehlgeschlagen. ".encode() * 400, "text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG image"),
        (b"\xff\xd8\xff\xe0" + bytes(5000), "a JPEG image"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "a RIFF header without audio"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00", "an ID3 tag without audio"),
        (bytes(5000), "bytes of an unknown kind, the first of which are 00 00"),
    ],
)
@pytest.mark.parametrize("name", ["recording.mp3", "recording.wav"])
def test_what_is_not_audio_is_named(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(NotAudioError) as raised:
        probe(path)
    assert str(path) in str(raised.value)
    assert f"but {kind}" in str(raised.value)
    assert "download the recording again" in str(raised.value)


@pytest.mark.parametrize("suffix", [".mp2", ".flac", ".ogg", ".ac3"])
def test_other_audio_is_refused(make_tone: MakeTone, suffix: str) -> None:
    with pytest.raises(NotAudioError):
        probe(make_tone(suffix, rate=48_000))


def test_a_playlist_opens_no_other_file(make_tone: MakeTone, tmp_path: Path) -> None:
    playlist = tmp_path / "playlist.mp3"
    playlist.write_text(f"ffconcat version 1.0\nfile '{make_tone('.mp3')}'\n")
    with pytest.raises(NotAudioError, match="but text"):
        probe(playlist)


def test_a_missing_file_is_not_called_bad_audio(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        probe(tmp_path / "missing.mp3")
