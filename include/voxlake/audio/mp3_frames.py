"""The frames of an MP3: headers, side information, silence, and frames that carry the bit reservoir of the next one.

An MP3 stream is a row of frames, each of which decodes to the same number of samples. A frame's *main data*, the coded
audio, may begin up to 511 bytes before the frame, in the space that earlier frames left over (the bit reservoir); its
*side information* says how far back. The layouts are those of ISO/IEC 11172-3 and 13818-3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

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
# In bits per second, by sample rate. MPEG-2.5 has no more than 64 kbit/s with LAME.
BIT_RATES = {
    rate: tuple(
        1000 * kilobits
        for kilobits in (_MPEG_1_KILOBITS if rate >= 32_000 else _MPEG_2_KILOBITS)[1:]
        if rate >= 16_000 or kilobits <= 64
    )
    for rate in SAMPLE_RATES
}


class Frames(NamedTuple):
    """Whole frames, one behind the other.

    Attributes:
        data: their bytes.
        starts: where in the data each begins.
    """

    data: bytes
    starts: Sequence[int]

    def cut(self, first: int, last: int) -> "Frames":
        """The frames from number `first` up to number `last`."""
        first, last = max(0, first), min(len(self.starts), last)
        if first >= last:
            return Frames(b"", ())
        start = self.starts[first]
        end = self.starts[last] if last < len(self.starts) else len(self.data)
        return Frames(self.data[start:end], [place - start for place in self.starts[first:last]])

    def split(self) -> list[bytes]:
        """Each frame by itself."""
        ends = [*self.starts[1:], len(self.data)]
        return [self.data[start:end] for start, end in zip(self.starts, ends, strict=True)]


def together(frames: Sequence[bytes]) -> Frames:
    """Frames that stood by themselves."""
    lengths = accumulate((len(frame) for frame in frames[:-1]), initial=0)
    return Frames(b"".join(frames), list(lengths) if frames else [])


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
