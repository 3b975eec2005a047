"""Waveform peaks: what a player draws of a file without reading it."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# Of a conversation of any length; a screen has some thousand columns.
_MOST_COLUMNS = 2048


@dataclass(frozen=True)
class Peaks:
    """The loudest moments of a file, channel by channel.

    Attributes:
        duration_ms: of the file.
        channels: for each channel its highest and its lowest sample in turns, one pair a column, between -1 and 1.
    """

    duration_ms: int
    channels: tuple[tuple[float, ...], ...]

    def to_json(self) -> bytes:
        """As the options `duration` (seconds) and `peaks` of wavesurfer.js: https://wavesurfer.xyz/docs/types/wavesurfer.WaveSurferOptions."""
        # Two decimals are a hundred lines of a screen above the middle and as many below.
        peaks = [[round(value, 2) + 0.0 for value in channel] for channel in self.channels]
        return json.dumps({"duration": self.duration_ms / 1000, "peaks": peaks}, separators=(",", ":")).encode()


class PeakMeter:
    """Finds the peaks of a file whose length is known, of samples that come in any order; memory does not depend on it.

    Args:
        channels: of the file.
        sample_rate: Hz.
        samples: of the file, per channel.
    """

    def __init__(self, channels: int, sample_rate: int, samples: int) -> None:
        self._sample_rate, self._samples = sample_rate, samples
        self._samples_a_column = max(1, -(-samples // _MOST_COLUMNS))
        columns = -(-samples // self._samples_a_column)
        self._high = np.zeros((channels, columns), np.float32)
        self._low = np.zeros((channels, columns), np.float32)

    def hear(self, start: int, sound: npt.NDArray[Any], full_scale: int = 1) -> None:
        """Take in samples.

        Args:
            start: where the first of them stands; none may lie outside of the file.
            sound: of shape (channels, samples).
            full_scale: the number that is full scale.
        """
        if not sound.shape[1]:
            return
        first, last = start // self._samples_a_column, (start + sound.shape[1] - 1) // self._samples_a_column
        edges = np.maximum(np.arange(first, last + 1) * self._samples_a_column - start, 0)
        high, low = self._high[:, first : last + 1], self._low[:, first : last + 1]
        np.maximum(high, np.maximum.reduceat(sound, edges, axis=1) / np.float32(full_scale), out=high)
        np.minimum(low, np.minimum.reduceat(sound, edges, axis=1) / np.float32(full_scale), out=low)

    def peaks(self) -> Peaks:
        """The peaks of all that was heard; silence where nothing was."""
        pairs = np.stack([self._high, self._low], axis=2).reshape(len(self._high), -1).clip(-1, 1)
        return Peaks(
            round(1000 * self._samples / self._sample_rate),
            tuple(tuple(float(value) for value in channel) for channel in pairs),
        )
