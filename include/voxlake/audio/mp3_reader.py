"""Reads the frames of an MP3 file as players find them, and what the file says of itself beside them.

Tags (ID3, APE) and the Info frame are no audio and are left out. Where bytes are damaged or missing, reading goes on at
the next place where frames follow each other, and what lies between is counted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxlake.audio.id3 import id3_size
from voxlake.audio.mp3_frames import DECODER_DELAY, FrameHeader, Frames, parse_header

_BLOCK_BYTES = 1 << 17
# So many frames must follow one another where reading begins: by chance, two do in some minutes of random bytes.
_CHAIN = 3
# Longer than any frame of Layer III.
_LONGEST_FRAME = 2881
_SYNC = re.compile(rb"\xff[\xe2-\xff]")
_ALIKE_IN_A_ROW = 16
# Players cut off what the LAME tag states only behind these names.
_HONOURED = (b"LAME", b"Lavf", b"Lavc")


@dataclass(frozen=True)
class Stated:
    """What the Info frame of a file states.

    Attributes:
        frames: frames of audio; None if it does not say.
        size: bytes from the Info frame to the end of the last frame; None if it does not say.
        exact: whether an encoder wrote it that is known to count right.
        start_skip: decoded samples per channel that are not audio at the start.
        end_skip: the same at the end.
    """

    frames: int | None = None
    size: int | None = None
    exact: bool = False
    start_skip: int = 0
    end_skip: int = 0


class Mp3Reader:
    """The frames of a file, in constant memory.

    Args:
        path: of the file.

    Attributes:
        header: of the first frame; None if the file has no frames of Layer III.
        stated: what its Info frame states.
        strays: bytes that `frames` passed over as part of no frame and of no tag.
        broken_off: whether the file ends within a frame; known when `frames` has ended.

    Raises:
        OSError: the file cannot be opened or read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.header: FrameHeader | None = None
        self.stated = Stated()
        self.strays = 0
        self.broken_off = False
        self._lengths: dict[bytes, int] = {}
        self._first = self._find_first()

    def frames(self) -> Iterator[Frames]:
        """All frames of audio, in stretches of some kilobytes."""
        if self.header is None:
            return
        self.strays, self.broken_off = self._leading_strays, False
        with self._path.open("rb") as file:
            file.seek(self._first)
            rest, at_end = b"", False
            while not at_end:
                block = file.read(_BLOCK_BYTES)
                at_end = len(block) < _BLOCK_BYTES
                data = rest + block
                position = 0
                while position < len(data):
                    starts, position = self._walk(data, position)
                    if starts:
                        yield Frames(data[starts[0] : position], [start - starts[0] for start in starts])
                    passed = self._pass_over(data, position, at_end)
                    if passed is None:
                        break
                    position = passed
                rest = data[position:]

    def _find_first(self) -> int:
        """Where the first frame of audio begins."""
        self._leading_strays = 0
        with self._path.open("rb") as file:
            data, offset = file.read(_BLOCK_BYTES), 0
            tags = 0
            while size := id3_size(data[tags : tags + 10]):
                tags += size
            # Behind the tag's header and not behind the tag: a damaged one may claim the audio as its own.
            position = 10 if tags else 0
            while True:
                at_end = len(data) < _BLOCK_BYTES
                found = _find_chain(data, position, at_end=at_end)
                if found is not None or at_end:
                    break
                keep = _CHAIN * _LONGEST_FRAME
                offset += len(data) - keep
                data, position = data[-keep:] + file.read(_BLOCK_BYTES - keep), 0
        if found is None:
            return 0
        self.header = parse_header(data[found : found + 4])
        if self.header is None:
            raise AssertionError("a chain begins with a header")
        first = offset + found
        # Of a tag that claims the audio as its own it is not known where it ends.
        self._leading_strays = first - tags if first >= tags else max(1, first - 10)
        frame = data[found : found + self.header.length]
        stated = _read_info(frame, self.header)
        if stated is None:
            return offset + found
        self.stated = stated
        return offset + found + self.header.length

    def _walk(self, data: bytes, position: int) -> tuple[list[int], int]:
        """Where the frames begin that follow each other from a position on, and where the last of them ends."""
        starts: list[int] = []
        lengths, end, before, alike = self._lengths, len(data), b"", 0
        while True:
            header = data[position : position + 4]
            length = lengths.get(header) or self._length(header)
            if not length or position + length > end:
                return starts, position
            starts.append(position)
            position += length
            alike = alike + 1 if header == before else 0
            before = header
            if alike == _ALIKE_IN_A_ROW:
                # Frames of a constant bit rate, most likely: all that are alike at once, not one by one.
                count = _count_alike(data, position, header, length)
                starts.extend(range(position, position + count * length, length))
                position, alike = position + count * length, 0

    def _length(self, header: bytes) -> int:
        """The length of the frame of this stream that begins so; 0 if none of its frames does."""
        parsed = parse_header(header)
        if parsed is None or self.header is None or not _alike(parsed, self.header):
            return 0
        self._lengths[header] = parsed.length
        return parsed.length

    def _pass_over(self, data: bytes, position: int, at_end: bool) -> int | None:
        """Where reading may go on behind what is no whole frame; None if that takes more bytes, or there are no more.

        The bytes that `rest` is to begin with are left to be looked at again.
        """
        if position >= len(data):
            return None
        if self._length(data[position : position + 4]) and not at_end:
            return None
        if len(data) - position < 3 * _LONGEST_FRAME and not at_end:
            return None
        tag = _tag_size(data, position, at_end)
        if tag:
            return min(position + tag, len(data))
        if at_end and (len(data) - position < 4 or self._length(data[position : position + 4])):
            # A last frame that was cut; if more frames follow, something within it was lost.
            self.broken_off = True
        found = _find_chain(data, position + 1, at_end=at_end, like=self.header, chain=_CHAIN - 1)
        if found is None:
            found = len(data) if at_end else len(data) - 2 * _LONGEST_FRAME
        elif self.broken_off:
            self.broken_off = False
        self.strays += found - position
        return found


def _count_alike(data: bytes, position: int, header: bytes, length: int) -> int:
    """How many whole frames of a length follow one another from a position on, all with the same header."""
    most = (len(data) - position) // length
    frames = np.frombuffer(data, np.uint8, most * length, position).reshape(most, length)
    others = np.flatnonzero((frames[:, :4] != np.frombuffer(header, np.uint8)).any(axis=1))
    return int(others[0]) if len(others) else most


def _find_chain(
    data: bytes, position: int, *, at_end: bool, like: FrameHeader | None = None, chain: int = _CHAIN
) -> int | None:
    """Where, from a position on, so many frames follow one another; fewer if the data end with the last of them."""
    for match in _SYNC.finditer(data, position):
        start = match.start()
        first = parse_header(data[start : start + 4])
        if first is None or (like is not None and not _alike(first, like)):
            continue
        place, left = start, chain
        header: FrameHeader | None = first
        while left and header is not None and _alike(header, first):
            place, left = place + header.length, left - 1
            header = parse_header(data[place : place + 4])
        # The last frame of the data may be cut, or a tag may follow it.
        if left == 0 or (at_end and left < chain and (place >= len(data) or _tag_size(data, place, at_end))):
            return start
    return None


def _alike(header: FrameHeader, other: FrameHeader) -> bool:
    return (header.sample_rate, header.channels) == (other.sample_rate, other.channels)


def _tag_size(data: bytes, position: int, at_end: bool) -> int:
    """The size of the tag that begins here; 0 if none does."""
    head = data[position : position + 32]
    if head.startswith(b"TAG") and at_end and len(data) - position == 128:
        return 128
    if head.startswith(b"APETAGEX") and len(head) == 32:
        # A tag at the end of a file has a header of 32 bytes too, or only this footer.
        size = int.from_bytes(head[12:16], "little")
        return 32 + size if int.from_bytes(head[20:24], "little") >> 29 & 1 else 32
    return id3_size(head)


def _read_info(frame: bytes, header: FrameHeader) -> Stated | None:
    """What an Info frame states; None for a frame of audio."""
    if frame[36:40] == b"VBRI":
        return Stated(int.from_bytes(frame[50:54], "big"), int.from_bytes(frame[46:50], "big"))
    # Behind the side information; some encoders forget that a checksum moves it.
    for place in (header.main_data, header.main_data - header.side_info + 4):
        if frame[place : place + 4] in (b"Xing", b"Info"):
            return _read_xing(frame[place:])
    return None


def _read_xing(info: bytes) -> Stated:
    flags, place = int.from_bytes(info[4:8], "big"), 8
    counts: list[int | None] = []
    for bit in (1, 2):
        counts.append(int.from_bytes(info[place : place + 4], "big") if flags & bit else None)
        place += 4 if flags & bit else 0
    # The seek table and the quality.
    place += (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
    exact = info[place : place + 4] in _HONOURED
    skips = int.from_bytes(info[place + 21 : place + 24], "big")
    return Stated(
        frames=counts[0],
        size=counts[1],
        exact=exact,
        start_skip=(skips >> 12) + DECODER_DELAY if exact else 0,
        end_skip=max(0, (skips & 0xFFF) - DECODER_DELAY) if exact else 0,
    )
