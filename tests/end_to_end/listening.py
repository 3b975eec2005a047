"""What another program hears in an audio file: FFmpeg's own decoder, not the libraries that made the file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg

_RATE = 48_000


def decoded_ms(file: Path) -> float:
    """The length of the decoded audio in milliseconds; fails where the decoder has anything to complain of."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(file), "-ac", "1", "-ar", str(_RATE)]
    done = subprocess.run([*command, "-f", "s16le", "-"], capture_output=True, check=True)
    assert done.stderr == b"", done.stderr.decode()
    return len(done.stdout) / 2 / _RATE * 1000
