"""Puts the frames of an MP3 into a whole file: an ID3 tag with the chapters, an Info frame, and then the frames.

The Info frame states the length, a table for seeking, and how many samples decoders cut off at either end. Its layout
is that of the LAME tag (http://gabriel.mp3-tech.org/mp3infotag.html).
"""

import os
import struct
from collections.abc import Sequence
from typing import BinaryIO

import av
import numpy as np

from voxlake.audio.id3 import Chapter, id3_tag
from voxlake.audio.mp3_frames import DECODER_DELAY, Frames, frame_header, silent_frame

_INFO_BYTES = 156  # the Info header (120 bytes) and the LAME tag (36)
_MOST_MARKS = 4096
_TOC_STEPS = 256


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
        self._tag_bytes = len(id3_tag(titles, [Chapter(0, 0)] * len(titles)))
        self._size = len(self._info)
        # The offset of every stride-th frame; the stride doubles, so that memory does not grow with the recording.
        self._marks: list[int] = []
        self._stride = 1
        self.frames = 0
        file.write(bytes(self._tag_bytes + len(self._info)))

    def write(self, frames: Frames) -> None:
        """Append whole frames."""
        if not frames.starts:
            return
        first = -self.frames % self._stride
        self._marks += [self._size + start for start in frames.starts[first :: self._stride]]
        while len(self._marks) > _MOST_MARKS:
            self._marks = self._marks[::2]
            self._stride *= 2
        self._file.write(frames.data)
        self._size += len(frames.data)
        self.frames += len(frames.starts)

    def finish(self, chapters: Sequence[Chapter], start_skip: int, end_skip: int) -> None:
        """Fill in the ID3 tag and the Info frame; the file is whole afterwards.

        Args:
            chapters: one a title.
            start_skip: decoded samples that are not audio at the start, 529 to 4624.
            end_skip: the same at the end, up to 3566.
        """
        self._file.seek(0)
        self._file.write(id3_tag(self._titles, chapters))
        self._file.write(self._info_frame(start_skip - DECODER_DELAY, end_skip + DECODER_DELAY))
        self._file.seek(0, os.SEEK_END)

    def _info_frame(self, delay: int, padding: int) -> bytes:
        frames = np.arange(len(self._marks)) * self._stride
        shares = np.interp(np.arange(100) / 100 * self.frames, frames, self._marks) / self._size
        toc = np.rint(_TOC_STEPS * shares).clip(0, _TOC_STEPS - 1).astype(np.uint8).tobytes()
        # Players seek in a file of constant bit rate (Info) by its length alone, in others (Xing) by the table. The few
        # frames that are coded anew at joints put them out by less than the table's steps, which are 14 s of an hour.
        by_length = np.abs(frames / self.frames - np.asarray(self._marks) / self._size).max(initial=0)
        kind = b"Info" if by_length <= 1 / _TOC_STEPS else b"Xing"
        main_data = frame_header(self._info).main_data
        size = min(self._size, 0xFFFFFFFF)
        # Flags 15: frames, bytes, seek table and quality are all there, so the LAME tag stands where readers expect it.
        body = self._info[:main_data] + kind + struct.pack(">III", 15, self.frames, size) + toc + bytes(4)
        lavc_major, lavc_minor, _ = av.library_versions["libavcodec"]
        # Decoders honour delay and padding only behind a name that they know: "LAME", "Lavf" or "Lavc".
        body += f"Lavc{lavc_major}.{lavc_minor}".encode()[:9].ljust(9, b"\0") + bytes(12)
        body += (delay << 12 | padding).to_bytes(3, "big") + bytes(4) + struct.pack(">IH", size, 0)
        body += struct.pack(">H", _crc_16(body))
        return body.ljust(len(self._info), b"\0")


def _crc_16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc
