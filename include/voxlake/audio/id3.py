"""ID3v2.4 tags with chapters (CHAP and CTOC: https://id3.org/id3v2-chapters-1.0), for MP3 and, in a chunk, for WAV."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """Where one recording starts and ends in the decoded result, in milliseconds."""

    start_ms: int
    end_ms: int


def id3_tag(titles: Sequence[str], chapters: Sequence[Chapter]) -> bytes:
    """A tag with the chapters; its size depends on the titles only.

    Args:
        titles: One a chapter; an empty one leaves its chapter without a title.
        chapters: In their order.

    Raises:
        UnicodeEncodeError: A title is no text that UTF-8 can express.
    """
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


def id3_size(head: bytes) -> int:
    """How many bytes the ID3v2 tag has that begins here; 0 if none does."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + footer + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def _id3_frame(name: bytes, body: bytes) -> bytes:
    return name + _synchsafe(len(body)) + b"\0\0" + body


def _synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
