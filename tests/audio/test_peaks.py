import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.audio.sounds import Decode, MakeTone
from voxlake.audio.merge import merge
from voxlake.audio.peaks import PeakMeter


@pytest.mark.parametrize("samples", [1, 100, 2_048, 2_049, 100_003])
@pytest.mark.parametrize("channels", [1, 2])
def test_each_column_has_the_highest_and_the_lowest_of_its_samples(samples: int, channels: int) -> None:
    sound = np.random.default_rng(samples).uniform(-1, 1, (channels, samples)).astype(np.float32)
    meter = PeakMeter(channels, 8_000, samples)
    cuts = [0, *sorted(np.random.default_rng(7).integers(0, samples + 1, 9).tolist()), samples]
    blocks = [(start, sound[:, start:end]) for start, end in pairwise(cuts)]
    for start, block in reversed(blocks):
        meter.hear(start, block)

    peaks = meter.peaks()

    step = -(-samples // 2_048)
    for channel, values in zip(sound, peaks.channels, strict=True):
        columns = [channel[start : start + step] for start in range(0, samples, step)]
        assert values[0::2] == pytest.approx([max(0, column.max()) for column in columns])
        assert values[1::2] == pytest.approx([min(0, column.min()) for column in columns])
    assert peaks.duration_ms == round(samples / 8)


def test_a_file_of_any_length_has_peaks_of_one_size() -> None:
    # An hour and a day at 44.1 kHz, both loud all the time.
    sizes = []
    for hours in (1, 24):
        meter = PeakMeter(2, 44_100, hours * 3_600 * 44_100)
        loud = np.full((2, 1 << 20), -0.99, np.float32)
        for start in range(0, hours * 3_600 * 44_100 - loud.shape[1], 5 << 20):
            meter.hear(start, loud)
        sizes.append(len(meter.peaks().to_json()))
    assert max(sizes) < 60_000


def test_the_waveform_is_that_of_the_merged_file(make_tone: MakeTone, decode: Decode, tmp_path: Path) -> None:
    parts = [make_tone(".mp3", pitch=300, seconds=seconds, loudness=loud) for seconds, loud in ((3, 0.2), (2, 0.6))]
    result = merge(parts, tmp_path / "result")
    waveform = json.loads(result.peaks.to_json())
    heard = decode(tmp_path / "result", 16_000).sound[0]
    assert waveform["duration"] == 5.0
    (values,) = waveform["peaks"]
    step = len(heard) / (len(values) // 2)
    columns = [heard[round(number * step) : round((number + 1) * step)] for number in range(len(values) // 2)]
    # A column more or less where a frame was moved.
    high = [column.max() for column in columns]
    assert np.abs(np.array(values[0::2]) - high)[5:-5].mean() < 0.02
    assert max(values) == pytest.approx(0.6, abs=0.05)
    assert min(values[: len(values) // 2]) == pytest.approx(-0.2, abs=0.05)
