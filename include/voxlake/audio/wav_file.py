"""WAV files of PCM and G.711: their headers read and written, their samples as floats.

RIFF counts its bytes in 32 bits, and not every reader trusts the last of these; longer files are RF64
(https://tech.ebu.ch/docs/tech/tech3306v1_0.pdf), which FFmpeg, SoX and browsers read.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

_BLOCK_BYTES = 1 << 17
_LONGEST_RIFF = 1 << 31
_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_ALAW, _MULAW, _EXTENSIBLE = 6, 7, 0xFFFE
# FFmpeg's names by format tag and bits a sample.
_CODECS = {
    (1, 8): "pcm_u8",
    (1, 16): "pcm_s16le",
    (1, 24): "pcm_s24le",
    (1, 32): "pcm_s32le",
    (3, 32): "pcm_f32le",
    (3, 64): "pcm_f64le",
    (_ALAW, 8): "pcm_alaw",
    (_MULAW, 8): "pcm_mulaw",
}
# What a byte of silence is; of all other codecs it is zero.
_SILENCE = {"pcm_u8": b"\x80", "pcm_alaw": b"\xd5", "pcm_mulaw": b"\xff"}


@dataclass(frozen=True)
class WavFile:
    """A WAV file whose samples can be copied.

    Attributes:
        path: of the file.
        codec: FFmpeg's name of it: ``pcm_s16le``, ``pcm_mulaw``, …
        sample_rate: Hz.
        channels: how many.
        sample_bytes: of one sample of all channels.
        format: the body of the ``fmt`` chunk.
        start: where the samples begin.
        size: bytes of whole samples that are there.
        stated: bytes of samples that the header states; None where it was written before they were known.
    """

    path: Path
    codec: str
    sample_rate: int
    channels: int
    sample_bytes: int
    format: bytes
    start: int
    size: int
    stated: int | None

    @property
    def samples(self) -> int:
        """Samples per channel."""
        return self.size // self.sample_bytes

    def blocks(self) -> Iterator[bytes]:
        """The samples as they are coded, in stretches of some kilobytes."""
        left = self.size
        step = _BLOCK_BYTES // self.sample_bytes * self.sample_bytes
        with self.path.open("rb") as file:
            file.seek(self.start)
            while left:
                block = file.read(min(step, left))
                if not block:
                    raise OSError(f"{self.path}: became shorter while it was read")
                left -= len(block)
                yield block

    def silence(self, samples: int) -> Iterator[bytes]:
        """So many samples of silence, in stretches of some kilobytes."""
        step = _BLOCK_BYTES // self.sample_bytes
        while samples:
            count = min(step, samples)
            yield _SILENCE.get(self.codec, b"\0") * (count * self.sample_bytes)
            samples -= count

    def to_floats(self, block: bytes) -> Samples:
        """Coded samples as floats between -1 and 1, of shape (channels, samples)."""
        return to_floats(block, self.codec).reshape(-1, self.channels).T

    def to_numbers(self, block: bytes) -> tuple[npt.NDArray[Any], int]:
        """Coded samples as numbers, of shape (channels, samples), and which of these is full scale."""
        numbers, full_scale = _to_numbers(block, self.codec)
        return numbers.reshape(-1, self.channels).T, full_scale


def read_wav(path: Path) -> WavFile | None:
    """Read the header of a file; None for what is no WAV, or of a codec whose samples cannot be copied.

    Raises:
        OSError: the file cannot be opened or read.
    """
    with path.open("rb") as file:
        riff = file.read(12)
        if riff[:4] not in (b"RIFF", b"RF64") or riff[8:] != b"WAVE":
            return None
        file_size = os.fstat(file.fileno()).st_size
        body, sizes = b"", b""
        while len(chunk := file.read(8)) == 8:
            name, size = chunk[:4], int.from_bytes(chunk[4:], "little")
            if name == b"data":
                if riff[:4] == b"RF64" and size == 0xFFFFFFFF and len(sizes) >= 16:
                    size, stated = int.from_bytes(sizes[8:16], "little"), True
                else:
                    stated = size not in _UNKNOWN_SIZES
                return _described(path, body, file.tell(), file_size - file.tell(), size if stated else None)
            if name in (b"fmt ", b"ds64"):
                content = file.read(min(size, 4096))
                body, sizes = (content, sizes) if name == b"fmt " else (body, content)
                file.seek(size - len(content), os.SEEK_CUR)
            else:
                file.seek(size, os.SEEK_CUR)
            file.seek(size % 2, os.SEEK_CUR)
    return None


def _described(path: Path, body: bytes, start: int, there: int, stated: int | None) -> WavFile | None:
    if len(body) < 16:
        return None
    tag, channels, sample_rate, _, sample_bytes, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = int.from_bytes(body[24:26], "little")
    codec = _CODECS.get((tag, bits))
    if codec is None or not channels or not sample_rate or sample_bytes != channels * bits // 8:
        return None
    size = there if stated is None else min(there, stated)
    return WavFile(
        path, codec, sample_rate, channels, sample_bytes, body, start, size // sample_bytes * sample_bytes, stated
    )


def write_header(file: BinaryIO, like: WavFile, size: int, chunk: bytes) -> None:
    """Write all that stands before the samples.

    Args:
        file: an empty file.
        like: a file of the same codec, sample rate and channels.
        size: bytes of samples that will follow.
        chunk: one more chunk to stand before them, with its header.
    """
    chunks = b"fmt " + struct.pack("<I", len(like.format)) + like.format + b"\0" * (len(like.format) % 2)
    if not like.codec.startswith("pcm_s16") and like.codec != "pcm_u8":
        chunks += b"fact" + struct.pack("<II", 4, min(size // like.sample_bytes, 0xFFFFFFFF))
    chunks += chunk
    total = 4 + len(chunks) + 8 + size + size % 2
    if total < _LONGEST_RIFF:
        head = b"RIFF" + struct.pack("<I", total) + b"WAVE" + chunks + b"data" + struct.pack("<I", size)
    else:
        sizes = struct.pack("<QQQI", total + 36, size, size // like.sample_bytes, 0)
        head = b"RF64\xff\xff\xff\xffWAVE" + b"ds64" + struct.pack("<I", len(sizes)) + sizes + chunks
        head += b"data\xff\xff\xff\xff"
    file.write(head)


def to_floats(coded: bytes, codec: str) -> Samples:
    """Coded samples as floats between -1 and 1, in their order."""
    numbers, full_scale = _to_numbers(coded, codec)
    return (numbers * np.float32(1 / full_scale)).astype(np.float32)


def _to_numbers(coded: bytes, codec: str) -> tuple[npt.NDArray[Any], int]:
    """Coded samples as numbers, and which of these is full scale."""
    if codec in _G_711:
        # Half of what indexing by an array takes.
        return np.take(_G_711[codec], np.frombuffer(coded, np.uint8)), 1 << 15
    if codec == "pcm_u8":
        return (np.frombuffer(coded, np.uint8) ^ 0x80).view(np.int8), 1 << 7
    if codec == "pcm_s24le":
        bytes_of = np.zeros((len(coded) // 3, 4), np.uint8)
        bytes_of[:, 1:] = np.frombuffer(coded, np.uint8).reshape(-1, 3)
        return bytes_of.view("<i4")[:, 0], 1 << 31
    kind = np.dtype({"pcm_s16le": "<i2", "pcm_s32le": "<i4", "pcm_f32le": "<f4", "pcm_f64le": "<f8"}[codec])
    return np.frombuffer(coded, kind), 1 if kind.kind == "f" else 1 << 8 * kind.itemsize - 1


def _mulaw_table() -> npt.NDArray[np.int16]:
    # https://www.itu.int/rec/T-REC-G.711: sign, three bits of exponent, four of mantissa, all inverted.
    code = ~np.arange(256, dtype=np.uint8)
    magnitude = (((code & 0x0F).astype(np.int32) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> npt.NDArray[np.int16]:
    # The same, with every other bit inverted, and no offset below the first segment.
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    mantissa, exponent = (code & 0x0F).astype(np.int32) << 4, (code >> 4 & 7).astype(np.int32)
    magnitude = np.where(exponent == 0, mantissa + 8, mantissa + 0x108 << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_G_711 = {"pcm_mulaw": _mulaw_table(), "pcm_alaw": _alaw_table()}
