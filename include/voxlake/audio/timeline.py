"""Where each recording goes in a merged file: one behind the other, or at the time when it happened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from voxlake.audio.id3 import Chapter
from voxlake.audio.probe import Measured

# Call logs state times that are off by more than that; so short an overlap is none.
_SLACK = Fraction(50, 1000)


@dataclass(frozen=True)
class Placed:
    """A recording in its place, in samples of the merged file.

    Attributes:
        part: the recording.
        start: where it starts.
        samples: how many it has there.
    """

    part: Measured
    start: int
    samples: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + self.samples


def place(parts: Sequence[Measured], starts_ms: Sequence[int] | None, sample_rate: int) -> list[Placed]:
    """Place recordings, each at its exact time, whatever the others' rounding.

    Args:
        parts: in the order in which they start.
        starts_ms: when each starts, in milliseconds; None to set one behind the other.
        sample_rate: of the merged file, Hz.

    Raises:
        ValueError: the starts are not in order, or not as many as the parts.
    """
    if starts_ms is not None and (len(starts_ms) != len(parts) or list(starts_ms) != sorted(starts_ms)):
        raise ValueError(
            f"starts {list(starts_ms)} for {len(parts)} recordings: give one a recording, none before the one before it"
        )
    return [
        Placed(part, round(start * sample_rate), round((start + length) * sample_rate) - round(start * sample_rate))
        for part, start, length in _times(parts, starts_ms)
    ]


def _times(parts: Sequence[Measured], starts_ms: Sequence[int] | None) -> Iterator[tuple[Measured, Fraction, Fraction]]:
    end = Fraction(0)
    for number, part in enumerate(parts):
        length = Fraction(part.audible, part.properties.sample_rate)
        start = end
        if starts_ms is not None:
            start = Fraction(starts_ms[number] - starts_ms[0], 1000)
            if end - _SLACK <= start < end:
                start = end
        yield part, start, length
        end = max(end, start + length)


def overlap(placed: Sequence[Placed]) -> bool:
    """Whether any two recordings are heard at one time."""
    ends = accumulate((one.end for one in placed), max)
    return any(later.start < end for end, later in zip(ends, placed[1:], strict=False))


def chapters_of(placed: Sequence[Placed], sample_rate: int) -> list[Chapter]:
    """Where each recording is heard, to the millisecond."""
    return [Chapter(round(1000 * one.start / sample_rate), round(1000 * one.end / sample_rate)) for one in placed]
