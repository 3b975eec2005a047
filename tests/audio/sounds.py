"""What the ffmpeg binary, a program that shares no code with Voxlake, hears in a file.

The fixtures `make_tone`, `decode` and `describe` are of these types.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@dataclass(frozen=True)
class Decoded:
    """What ffmpeg makes of a file: samples by channel, their rate, and what it has to complain about."""

    sound: npt.NDArray[np.float32]
    sample_rate: int
    complaints: str

    @property
    def samples(self) -> int:
        return self.sound.shape[1]

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate

    def between(self, start_ms: float, end_ms: float) -> npt.NDArray[np.float32]:
        return self.sound[0, round(start_ms * self.sample_rate / 1000) : round(end_ms * self.sample_rate / 1000)]

    def pitch(self, start_ms: float, end_ms: float) -> float:
        """The dominant frequency within a stretch, in Hz."""
        stretch = self.between(start_ms, end_ms)
        spectrum = np.abs(np.fft.rfft(stretch * np.hanning(len(stretch))))
        return float(np.argmax(spectrum)) * self.sample_rate / len(stretch)


MakeTone = Callable[..., Path]
Decode = Callable[..., Decoded]
Describe = Callable[[Path], str]
