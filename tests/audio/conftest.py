"""Makes recordings with, and decodes results with, a program that shares no code with Voxlake: the ffmpeg binary."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import pytest

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


@pytest.fixture(scope="session")
def make_tone(tmp_path_factory: pytest.TempPathFactory) -> MakeTone:
    """Writes a tone into a file whose suffix names the format; further arguments are ffmpeg's for the output."""

    def make(
        suffix: str,
        *options: str,
        pitch: float = 440,
        seconds: float = 2.0,
        rate: int = 16_000,
        channels: int = 1,
        loudness: float = 0.25,
    ) -> Path:
        path = tmp_path_factory.mktemp("tone") / f"{pitch}{suffix}"
        # The sine of ffmpeg has an eighth of full scale.
        source = f"sine={pitch}:r={rate}:d={seconds}:samples_per_frame=80,volume={8 * loudness}"
        command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-ac", str(channels), *options, str(path)]
        subprocess.run(command, check=True)
        return path

    return make


@pytest.fixture(scope="session")
def decode() -> Decode:
    def run(path: Path, rate: int, channels: int = 1) -> Decoded:
        command = [FFMPEG, "-v", "error", "-i", str(path), "-f", "f32le", "-"]
        done = subprocess.run(command, capture_output=True, check=True)
        sound = np.frombuffer(done.stdout, np.float32).reshape(-1, channels).T
        return Decoded(sound, rate, done.stderr.decode())

    return run


@pytest.fixture(scope="session")
def describe() -> Describe:
    """What ffmpeg prints of a file's headers: duration, chapters, titles. It reads no further than the first frames."""

    def run(path: Path) -> str:
        return subprocess.run(
            [FFMPEG, "-hide_banner", "-i", str(path)], capture_output=True, check=False
        ).stderr.decode()

    return run
