import pytest

from voxlake.audio.mp3_frames import (
    SAMPLE_RATES,
    FrameHeader,
    frame_header,
    main_data_begin,
    main_data_bytes,
    parse_header,
    silent_frame,
    with_reservoir,
)
from voxlake.audio.mp3_join import speech_bit_rate


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("ffe328c4", FrameHeader(8_000, 1, 576, 16_000, 144, 4, 13)),
        ("fff348c4", FrameHeader(16_000, 1, 576, 32_000, 144, 4, 13)),
        ("fffb52c4", FrameHeader(44_100, 1, 1152, 64_000, 209, 4, 21)),
        ("fffa9064", FrameHeader(44_100, 2, 1152, 128_000, 417, 6, 38)),
    ],
)
def test_header_is_read(header: str, expected: FrameHeader) -> None:
    assert parse_header(bytes.fromhex(header)) == expected


@pytest.mark.parametrize(
    "header",
    ["", "fffb52", "7ffb52c4", "fffd52c4", "ffeb52c4", "fffb5ec4", "fffb02c4", "fffbf2c4", "3c68746d"],
    ids=["empty", "short", "sync", "layer II", "version", "rate", "free format", "bit rate", "text"],
)
def test_what_is_no_frame_is_not_read(header: str) -> None:
    assert parse_header(bytes.fromhex(header)) is None


def test_bytes_that_must_be_a_frame_are_an_error_if_they_are_not() -> None:
    with pytest.raises(ValueError, match="not a Layer III frame: 3c68746d"):
        frame_header(b"<html>")


@pytest.mark.parametrize("sample_rate", SAMPLE_RATES)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_fully_used_frame_has_room_for_the_largest_reservoir(sample_rate: int, channels: int) -> None:
    silence = silent_frame(sample_rate, channels)
    header = frame_header(silence)
    largest_reservoir = 511 if header.samples == 1152 else 255
    main_data = header.samples // 8 * speech_bit_rate(sample_rate, channels) // sample_rate + 1 - header.main_data
    wide = silent_frame(sample_rate, channels, main_data + largest_reservoir)
    assert frame_header(wide).length - header.main_data >= main_data + largest_reservoir


def test_a_frame_that_cannot_hold_that_much_is_an_error() -> None:
    with pytest.raises(ValueError, match="no Layer III frame holds 5000 bytes of main data at 8000 Hz"):
        silent_frame(8_000, 1, 5_000)


def test_a_reservoir_follows_the_frames_own_main_data() -> None:
    # MPEG-2 mono: main_data_begin (8 bits), a private bit, then part2_3_length (12 bits): 33 bits are five bytes.
    side_info = (33 << 72 - 9 - 12).to_bytes(9, "big")
    frame = (bytes.fromhex("fff348c4") + side_info + b"12345").ljust(144, b"\0")
    assert (main_data_begin(frame), main_data_bytes(frame)) == (0, 5)
    wide = with_reservoir(frame, b"r" * 255)
    assert wide[3:18] == frame[3:18]
    assert wide.endswith(b"\0" + b"r" * 255)
    assert len(wide) == frame_header(wide).length
