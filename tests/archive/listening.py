"""What another program, the ffmpeg binary, hears in merged files."""

from __future__ import annotations

import subprocess

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

from tests.archive.archived_day import Row

SAMPLE_RATE = 16_000


def decode(data: bytes) -> npt.NDArray[np.float32]:
    """The samples of mono audio; fails where the decoder has anything to complain of."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "-", "-ar", str(SAMPLE_RATE), "-f", "f32le", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    assert done.stderr == b"", done.stderr.decode()
    return np.frombuffer(done.stdout, np.float32)


def tones_within(samples: npt.NDArray[np.float32], chapter: Row) -> tuple[float, float]:
    """The pitch of the first and of the last second between the marks of a chapter, in Hz."""
    start, end = (round(chapter[mark] * SAMPLE_RATE / 1000) for mark in ("start_ms", "end_ms"))
    # A tenth of a second at either end is left to the fading of one recording into the next.
    margin = SAMPLE_RATE // 10
    return _pitch(samples[start + margin :][:SAMPLE_RATE]), _pitch(samples[: end - margin][-SAMPLE_RATE:])


def _pitch(second: npt.NDArray[np.float32]) -> float:
    assert len(second) == SAMPLE_RATE
    return float(np.argmax(np.abs(np.fft.rfft(second * np.hanning(SAMPLE_RATE)))))
