"""The sound of recordings in their places as one stream of samples, at one sample rate and channel count."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.filter import Graph
from av.filter.context import FilterContext

from voxlake.audio.decode import decoded
from voxlake.audio.mp3_decoder import Damage
from voxlake.audio.timeline import Placed, overlap
from voxlake.audio.wav_file import Samples

_AT_A_TIME = 1 << 15
# A little below full scale, as coding moves peaks.
_LIMITER = "limit=0.97:level=0:latency=1:attack=5:release=50"


def render(placed: Sequence[Placed], sample_rate: int, channels: int, damage: Sequence[Damage]) -> Iterator[Samples]:
    """The samples from the first moment to the last, as floats of shape (channels, samples), in constant memory.

    Where recordings lie over each other they are added, and turned down where their sum would clip; nothing else is
    made louder or quieter. Between them there is silence.

    Args:
        placed: the recordings, placed at this sample rate.
        sample_rate: Hz.
        channels: 1 or 2; one channel is heard on both of two.
        damage: counts what cannot be decoded of each recording.

    Raises:
        NotAudioError: FFmpeg cannot read on in a recording.
        OSError: a recording cannot be read.
    """
    tracks = (
        _Track(one, _converted(one, sample_rate, channels, count)) for one, count in zip(placed, damage, strict=True)
    )
    sound = _mix(tracks, channels, max(one.end for one in placed))
    yield from _limited(sound, sample_rate, channels) if overlap(placed) else sound


class _Track:
    """A recording that is read as time goes by.

    Args:
        placed: its place.
        blocks: its samples; more of them, or fewer, than belong there are cut off, or made up for by silence.
    """

    def __init__(self, placed: Placed, blocks: Iterator[Samples]) -> None:
        self.start, self.end = placed.start, placed.end
        self._blocks = blocks
        self._rest: Samples | None = None

    def add_to(self, block: Samples, position: int) -> None:
        """Add what is heard of it to a block that starts at a position; blocks must follow one another."""
        place, end = max(self.start - position, 0), min(self.end - position, block.shape[1])
        while place < end:
            rest = self._rest if self._rest is not None else next(self._blocks, None)
            if rest is None:
                break
            count = min(rest.shape[1], end - place)
            block[:, place : place + count] += rest[:, :count]
            self._rest = rest[:, count:] if count < rest.shape[1] else None
            place += count


def _mix(tracks: Iterator[_Track], channels: int, samples: int) -> Iterator[Samples]:
    heard: list[_Track] = []
    coming = next(tracks, None)
    for position in range(0, samples, _AT_A_TIME):
        block = np.zeros((channels, min(_AT_A_TIME, samples - position)), np.float32)
        while coming is not None and coming.start < position + block.shape[1]:
            heard.append(coming)
            coming = next(tracks, None)
        for track in heard:
            track.add_to(block, position)
        # With each go its decoder and what it has decoded.
        heard = [track for track in heard if track.end > position + block.shape[1]]
        yield block


def _converted(placed: Placed, sample_rate: int, channels: int, damage: Damage) -> Iterator[Samples]:
    have = placed.part.properties
    blocks = decoded(placed.part, damage)
    mono_to_stereo = have.channels == 1 and channels == 2
    if have.sample_rate != sample_rate or (have.channels != channels and not mono_to_stereo):
        blocks = _resampled(blocks, have.sample_rate, sample_rate, min(have.channels, channels))
    for block in blocks:
        # FFmpeg would turn it down by 3 dB.
        yield np.repeat(block, 2, axis=0) if mono_to_stereo else block


def _resampled(blocks: Iterator[Samples], have_rate: int, sample_rate: int, channels: int) -> Iterator[Samples]:
    resampler = AudioResampler("fltp", ("mono", "stereo")[channels - 1], sample_rate)
    for block in blocks:
        for frame in resampler.resample(_frame(block, have_rate)):
            yield frame.to_ndarray().astype(np.float32, copy=False)
    for frame in resampler.resample(None):
        yield frame.to_ndarray().astype(np.float32, copy=False)


def _limited(blocks: Iterator[Samples], sample_rate: int, channels: int) -> Iterator[Samples]:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=sample_rate,
        format="fltp",
        layout=("mono", "stereo")[channels - 1],
        time_base=Fraction(1, sample_rate),
    )
    sink = graph.add("abuffersink")
    graph.link_nodes(source, graph.add("alimiter", _LIMITER), graph.add("aformat", "sample_fmts=fltp"), sink)
    graph.configure()
    position = 0
    for block in blocks:
        frame = _frame(block, sample_rate)
        frame.pts, frame.time_base = position, Fraction(1, sample_rate)
        position += block.shape[1]
        source.push(frame)
        yield from _pulled(sink)
    source.push(None)
    yield from _pulled(sink)


def _pulled(sink: FilterContext) -> Iterator[Samples]:
    while True:
        try:
            frame = sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        if isinstance(frame, av.AudioFrame):
            yield frame.to_ndarray().astype(np.float32, copy=False)


def _frame(block: Samples, sample_rate: int) -> av.AudioFrame:
    # FFmpeg's own layout for so many channels.
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", av.AudioLayout(f"{len(block)}c").name)
    frame.sample_rate, frame.pts = sample_rate, None
    return frame
