"""MP3 as a file: frame headers, side information, and a writer that puts the frames of a recording into a whole file.

An MP3 stream is a row of frames, each of which decodes to the same number of samples. Three things make a file of it:
an ID3v2 tag with the chapters, an Info frame that states the length, a table for seeking and how many samples decoders
cut off at either end, and then the frames. A frame's *main data*, the coded audio, may begin up to 511 bytes before the
frame, in the space that earlier frames left over (the bit reservoir); its *side information* says how far back.

The layouts are those of ISO/IEC 11172-3 and 13818-3 (frames), of the LAME tag (http://gabriel.mp3-tech.org/mp3infotag.html)
and of ID3v2.4 with its chapter addendum (https://id3.org/id3v2-chapters-1.0).
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

import av

# Samples between the first sample a decoder puts out and the first one an encoder of zero delay put in. The LAME tag
# counts delay and padding without it, decoders add it.
DECODER_DELAY = 529
# Layer III knows these rates only: MPEG-1, MPEG-2 and MPEG-2.5 by falling rate.
SAMPLE_RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
# What the two bits of a header index: for each version (MPEG-1, MPEG-2, MPEG-2.5) the three rates.
_RATES = {
    0b11: (44_100, 48_000, 32_000),
    0b10: (22_050, 24_000, 16_000),
    0b00: (11_025, 12_000, 8_000),
}
_MPEG_1_KILOBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG_2_KILOBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_INFO_BYTES = 156  # the Info header (120 bytes) and the LAME tag (36)
_TOC_MARKS = 400


@dataclass(frozen=True)
class Chapter:
    """Where one recording starts and ends in the decoded result, in milliseconds."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class FrameHeader:
    """What the four header bytes of a Layer III frame say.

    Attributes:
        sample_rate: Hz.
        channels: 1 or 2.
        samples: decoded samples per channel: 1152, or 576 below 32 kHz.
        bit_rate: bits per second.
        length: bytes of the whole frame.
        side_info: offset of the side information, behind the header and the checksum if there is one.
        main_data: offset of the main data, behind the side information.
    """

    sample_rate: int
    channels: int
    samples: int
    bit_rate: int
    length: int
    side_info: int
    main_data: int


@lru_cache(maxsize=256)
def parse_header(header: bytes) -> FrameHeader | None:
    """Read the four bytes that begin a frame; None for anything that is no Layer III header with a stated bit rate."""
    if len(header) < 4:
        return None
    word = int.from_bytes(header, "big")
    version, layer, unprotected = word >> 19 & 3, word >> 17 & 3, word >> 16 & 1
    bit_rate_index, rate_index, padding = word >> 12 & 15, word >> 10 & 3, word >> 9 & 1
    if word >> 21 != 0x7FF or layer != 0b01 or version == 0b01 or rate_index == 3 or bit_rate_index in {0, 15}:
        return None
    mpeg_1 = version == 0b11
    sample_rate = _RATES[version][rate_index]
    channels = 1 if word >> 6 & 3 == 3 else 2
    samples = 1152 if mpeg_1 else 576
    bit_rate = 1000 * (_MPEG_1_KILOBITS if mpeg_1 else _MPEG_2_KILOBITS)[bit_rate_index]
    side_info = 4 if unprotected else 6
    side_info_bytes = (17, 32) if mpeg_1 else (9, 17)
    return FrameHeader(
        sample_rate=sample_rate,
        channels=channels,
        samples=samples,
        bit_rate=bit_rate,
        length=samples // 8 * bit_rate // sample_rate + padding,
        side_info=side_info,
        main_data=side_info + side_info_bytes[channels - 1],
    )


def frame_header(frame: bytes) -> FrameHeader:
    """Read the header of a frame that is known to be one.

    Raises:
        ValueError: the bytes do not begin with a Layer III header.
    """
    header = parse_header(frame[:4])
    if header is None:
        raise ValueError(f"not a Layer III frame: {frame[:4].hex()}")
    return header


def main_data_begin(frame: bytes) -> int:
    """How many bytes of main data before this frame belong to it."""
    header = frame_header(frame)
    first, second = frame[header.side_info : header.side_info + 2]
    return first << 1 | second >> 7 if header.samples == 1152 else first


def main_data_bytes(frame: bytes) -> int:
    """How many bytes of main data the frame uses, its share of the bit reservoir included."""
    header = frame_header(frame)
    bits = int.from_bytes(frame[header.side_info : header.main_data], "big")
    total = 8 * (header.main_data - header.side_info)
    if header.samples == 1152:
        granules, position, step = 2 * header.channels, 18 if header.channels == 1 else 20, 59
    else:
        granules, position, step = header.channels, 9 if header.channels == 1 else 10, 63
    lengths = (bits >> total - position - step * granule - 12 & 0xFFF for granule in range(granules))
    return (sum(lengths) + 7) // 8


def silent_frame(sample_rate: int, channels: int, room: int = 0) -> bytes:
    """A frame of silence at the lowest bit rate that leaves room for so many bytes of main data.

    Raises:
        ValueError: no bit rate leaves that room.
    """
    version = next(version for version, rates in _RATES.items() if sample_rate in rates)
    rate_index = _RATES[version].index(sample_rate)
    mode = 0b11 if channels == 1 else 0b01
    for bit_rate_index in range(1, 15):
        # Layer III, no checksum, no padding.
        header = bytes([0xFF, 0xE3 | version << 3, bit_rate_index << 4 | rate_index << 2, mode << 6])
        parsed = frame_header(header)
        if parsed.length - parsed.main_data >= room:
            return header.ljust(parsed.length, b"\0")
    raise ValueError(f"no Layer III frame holds {room} bytes of main data at {sample_rate} Hz")


def with_reservoir(frame: bytes, reservoir: bytes) -> bytes:
    """The same frame, wide enough to end with bytes that belong to the frame that will follow it.

    Args:
        frame: a frame that keeps all of its main data within itself.
        reservoir: main data of the following frame, as many bytes as its side information points back.
    """
    header = frame_header(frame)
    own = frame[header.side_info : header.main_data + main_data_bytes(frame)]
    room = len(own) + len(reservoir) - (header.main_data - header.side_info)
    wide = silent_frame(header.sample_rate, header.channels, room)
    # The fourth byte says how this frame's two channels are coded together.
    return (wide[:3] + frame[3:4] + own).ljust(len(wide) - len(reservoir), b"\0") + reservoir


class Mp3Writer:
    """Writes frames into a file and completes it: chapters, length, seek table, and what decoders cut off.

    Args:
        file: an empty binary file, open for writing and seekable.
        sample_rate: of the frames, Hz.
        channels: of the frames.
        titles: one a chapter.
    """

    def __init__(self, file: BinaryIO, sample_rate: int, channels: int, titles: Sequence[str]) -> None:
        self._file = file
        self._titles = titles
        self._info = silent_frame(sample_rate, channels, _INFO_BYTES)
        self._tag_bytes = len(_id3_tag(titles, [Chapter(0, 0)] * len(titles)))
        self._bit_rates: set[int] = set()
        self._size = len(self._info)
        # The offset of every stride-th frame; the stride doubles, so that memory does not grow with the recording.
        self._marks: list[int] = []
        self._stride = 1
        self.frames = 0
        file.write(bytes(self._tag_bytes + len(self._info)))

    def write(self, frame: bytes) -> None:
        """Append one whole frame."""
        if self.frames % self._stride == 0:
            if len(self._marks) == _TOC_MARKS:
                self._marks = self._marks[::2]
                self._stride *= 2
            if self.frames % self._stride == 0:
                self._marks.append(self._size)
        self._bit_rates.add(frame_header(frame).bit_rate)
        self._file.write(frame)
        self._size += len(frame)
        self.frames += 1

    def finish(self, chapters: Sequence[Chapter], start_skip: int, end_skip: int) -> None:
        """Fill in the ID3 tag and the Info frame; the file is whole afterwards.

        Args:
            chapters: one a title.
            start_skip: decoded samples that are not audio at the start, 529 to 4624.
            end_skip: the same at the end, up to 3566.
        """
        self._file.seek(0)
        self._file.write(_id3_tag(self._titles, chapters))
        self._file.write(self._info_frame(start_skip - DECODER_DELAY, end_skip + DECODER_DELAY))
        self._file.seek(0, os.SEEK_END)

    def _info_frame(self, delay: int, padding: int) -> bytes:
        places = [min(len(self._marks) - 1, self.frames * percent // 100 // self._stride) for percent in range(100)]
        toc = bytes(min(255, 256 * self._marks[place] // self._size) for place in places)
        kind = b"Info" if len(self._bit_rates) == 1 else b"Xing"
        main_data = frame_header(self._info).main_data
        # Flags 15: frames, bytes, seek table and quality are all there, so the LAME tag stands where readers expect it.
        body = self._info[:main_data] + kind + struct.pack(">III", 15, self.frames, self._size) + toc + bytes(4)
        lavc_major, lavc_minor, _ = av.library_versions["libavcodec"]
        # Decoders honour delay and padding only behind a name that they know: "LAME", "Lavf" or "Lavc".
        body += f"Lavc{lavc_major}.{lavc_minor}".encode()[:9].ljust(9, b"\0") + bytes(12)
        body += (delay << 12 | padding).to_bytes(3, "big") + bytes(4) + struct.pack(">IH", self._size, 0)
        body += struct.pack(">H", _crc_16(body))
        return body.ljust(len(self._info), b"\0")


def _crc_16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def _id3_tag(titles: Sequence[str], chapters: Sequence[Chapter]) -> bytes:
    names = [f"chp{number}".encode() + b"\0" for number in range(len(chapters))]
    frames = b""
    # The table of contents counts its entries in one byte; readers find chapters without it too.
    if 0 < len(names) < 256:
        frames += _id3_frame(b"CTOC", b"toc\0" + bytes([0b11, len(names)]) + b"".join(names))
    for name, title, chapter in zip(names, titles, chapters, strict=True):
        times = struct.pack(">IIII", chapter.start_ms, chapter.end_ms, 0xFFFFFFFF, 0xFFFFFFFF)
        title_frame = _id3_frame(b"TIT2", b"\x03" + title.encode()) if title else b""
        frames += _id3_frame(b"CHAP", name + times + title_frame)
    return b"ID3\x04\x00\x00" + _synchsafe(len(frames)) + frames


def _id3_frame(name: bytes, body: bytes) -> bytes:
    return name + _synchsafe(len(body)) + b"\0\0" + body


def _synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
