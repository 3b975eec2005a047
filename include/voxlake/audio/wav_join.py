"""Joins WAV files of one codec, sample rate and channel count by copying their samples."""

import struct
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy.typing as npt

from voxlake.audio.id3 import Chapter, id3_tag
from voxlake.audio.timeline import Placed, chapters_of
from voxlake.audio.wav_file import WavFile, write_header

Hear = Callable[[int, npt.NDArray[Any], int], None]


def join_wav(placed: Sequence[Placed], file: BinaryIO, titles: Sequence[str], hear: Hear) -> list[Chapter]:
    """Write recordings in their places into one WAV, in constant memory; its chapters into a chunk ``id3 ``.

    Args:
        placed: WAV files that are alike, in their order, none over another.
        file: an empty file, open for writing.
        titles: of the chapters, one a recording.
        hear: gets the samples as they are copied: the place of the first, numbers, and which of these is full scale.

    Returns:
        Where each recording starts and ends in the result.
    """
    wavs = [_wav_of(one) for one in placed]
    like = wavs[0]
    chapters = chapters_of(placed, like.sample_rate)
    tag = id3_tag(titles, chapters)
    size = placed[-1].end * like.sample_bytes
    # Before the samples: a browser would ask for the end of the file first to look for it there.
    write_header(file, like, size, b"id3 " + struct.pack("<I", len(tag)) + tag + b"\0" * (len(tag) % 2))
    written = 0
    for one, wav in zip(placed, wavs, strict=True):
        for block in like.silence(one.start - written):
            file.write(block)
        written = one.start
        for block in wav.blocks():
            file.write(block)
            numbers, full_scale = wav.to_numbers(block)
            hear(written, numbers, full_scale)
            written += numbers.shape[1]
    file.write(b"\0" * (size % 2))
    return chapters


def _wav_of(placed: Placed) -> WavFile:
    if placed.part.wav is None:
        raise ValueError(f"{placed.part.path}: not a WAV file whose samples can be copied")
    return placed.part.wav
