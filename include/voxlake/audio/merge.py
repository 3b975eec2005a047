"""Merge: several recordings, one behind the other or each in its time, into one file with a chapter for each.

Recordings of one codec, sample rate and channel count are copied and keep their quality; all others are decoded,
resampled and encoded once more. Nothing is ever held in memory whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from voxlake.audio.decode import judge, judged_by
from voxlake.audio.encode import CONTENT_TYPES, EncodedFormat, Encoding, encode, encoding_for
from voxlake.audio.id3 import Chapter
from voxlake.audio.mp3_decoder import Damage
from voxlake.audio.mp3_join import join
from voxlake.audio.peaks import PeakMeter, Peaks
from voxlake.audio.probe import AudioProperties, Defect, Measured, measure, measure_encoded
from voxlake.audio.render import render
from voxlake.audio.timeline import Placed, chapters_of, overlap, place
from voxlake.audio.wav_file import Samples
from voxlake.audio.wav_join import Hear, join_wav

__all__ = ["Chapter", "MergePlan", "MergeResult", "Target", "merge", "plan_merge"]

# Below that, the frames that are coded anew at either end of an MP3 would meet.
_SHORTEST_COPIED_MS = 1000

_ENCODED: dict[str, EncodedFormat] = {"auto": "mp3", "mp3": "mp3", "flac": "flac", "opus": "opus"}

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Target:
    """What a merged file is to be.

    Attributes:
        format: of the file; ``auto`` leaves MP3 to be MP3 and WAV to be WAV where the recordings are alike, and makes
            MP3 of the rest. Recordings that are alike and of the format already are copied.
        bit_rate: of what is encoded, in bits per second; None for one that does speech justice.
    """

    format: Literal["auto", "mp3", "flac", "opus"] = "auto"
    bit_rate: int | None = None


@dataclass(frozen=True)
class MergePlan:
    """How recordings will be merged.

    Attributes:
        method: ``copy`` keeps the coded audio, ``encode`` decodes it and encodes it anew.
        content_type: of the result.
    """

    method: Literal["copy", "encode"]
    content_type: str


@dataclass(frozen=True)
class MergeResult:
    """What came of a merge.

    Attributes:
        properties: of the result, probed.
        chapters: one a part, in order: where each recording starts and ends in the decoded result.
        method: ``copy`` or ``encode``.
        defects: one a part: what is wrong with it, None if nothing is.
        peaks: the waveform of the result.
    """

    properties: AudioProperties
    chapters: tuple[Chapter, ...]
    method: Literal["copy", "encode"]
    defects: tuple[Defect | None, ...]
    peaks: Peaks


def plan_merge(parts: Sequence[AudioProperties], target: Target | None = None) -> MergePlan:
    """Decide how recordings of these properties are merged.

    MP3 files are copied if they share sample rate and channel count and last a second or more each; WAV files if they
    share their PCM codec (G.711 is one), sample rate and channel count. Anything else is encoded.

    Raises:
        ValueError: there are no parts.
    """
    if not parts:
        raise ValueError("nothing to merge: a merge needs one recording or more")
    wanted, first = (target or Target()).format, parts[0]
    alike = len({(part.content_type, part.codec, part.sample_rate, part.channels) for part in parts}) == 1
    if alike and wanted == "auto" and first.content_type == "audio/wav" and first.codec.startswith("pcm_"):
        return MergePlan("copy", "audio/wav")
    long_enough = len(parts) == 1 or min(part.duration_ms for part in parts) >= _SHORTEST_COPIED_MS
    if alike and wanted in ("auto", "mp3") and first.content_type == "audio/mpeg" and long_enough:
        return MergePlan("copy", "audio/mpeg")
    return MergePlan("encode", CONTENT_TYPES[_ENCODED[wanted]])


def merge(
    parts: Sequence[Path],
    destination: Path,
    titles: Sequence[str] = (),
    *,
    starts_ms: Sequence[int] | None = None,
    target: Target | None = None,
    progress: Progress | None = None,
) -> MergeResult:
    """Merge recordings into one file.

    Its chapters are ID3 CHAP frames (MP3, and WAV in a chunk ``id3 ``) or comments (FLAC, Opus). However many
    recordings there are, each starts within half an MP3 frame (copied MP3) or half a sample (all others) of where it
    belongs. What of a recording cannot be decoded is silence in an encoded file; as copied frames would keep the
    damage, one damaged MP3 has all of them encoded.

    Args:
        parts: MP3 and WAV files, in the order in which they start.
        destination: where the result goes; overwritten, and removed if the merge fails once it has begun to write.
        titles: of the chapters: one a part, or none at all.
        starts_ms: when each part starts, in milliseconds from any moment: gaps become silence, and what overlaps is
            mixed. None to set one behind the other.
        target: what the file is to be.
        progress: gets the share that is done, from 0 to 1, as the work goes on.

    Raises:
        NotAudioError: a part is not audio; the message names it and says what it is instead.
        ValueError: there are no parts, a part is the destination, titles or starts and parts differ in number, or the
            starts are not in order.
        OSError: a part cannot be opened, or the destination not be written.
    """
    if titles and len(titles) != len(parts):
        raise ValueError(f"{len(titles)} titles for {len(parts)} parts: give one a part, or none")
    if destination.exists() and any(part.exists() and part.samefile(destination) for part in parts):
        raise ValueError(f"{destination} is a part and the destination of the same merge")
    measured, target = [measure(part) for part in parts], target or Target()
    plan = plan_merge([part.properties for part in measured], target)
    work = _Merge(measured, destination, titles or [""] * len(parts), starts_ms, progress or (lambda _: None))
    try:
        result = work.copy(plan.content_type) if plan.method == "copy" else None
        return result if result is not None else work.encode(target)
    except BaseException:
        destination.unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class _Merge:
    """What one merge needs at hand."""

    parts: Sequence[Measured]
    destination: Path
    titles: Sequence[str]
    starts_ms: Sequence[int] | None
    progress: Progress

    def copy(self, content_type: str) -> MergeResult | None:
        """Copies the recordings; None where these have to be encoded after all."""
        properties = self.parts[0].properties
        placed = place(self.parts, self.starts_ms, properties.sample_rate)
        if overlap(placed):
            return None
        meter = _meter(placed, properties.sample_rate, properties.channels)
        hear = self._heard(meter, placed)
        if content_type == "audio/wav":
            with self.destination.open("wb") as file:
                chapters = join_wav(placed, file, self.titles, hear)
            return self._result(measure(self.destination).properties, chapters, "copy", self.parts, meter)
        judged = [_judge(one, hear) for one in placed]
        if any(part.undecodable or (part.defect and part.defect.kind == "damaged") for part in judged):
            return None
        with self.destination.open("wb") as file:
            chapters = join(placed, file, self.titles)
        return self._result(measure(self.destination).properties, chapters, "copy", judged, meter)

    def encode(self, target: Target) -> MergeResult:
        """Encodes the recordings."""
        encoding = encoding_for([part.properties for part in self.parts], _ENCODED[target.format], target.bit_rate)
        placed = place(self.parts, self.starts_ms, encoding.sample_rate)
        meter = _meter(placed, encoding.sample_rate, encoding.channels)
        hear = self._heard(meter, placed)
        damage = [Damage() for _ in placed]
        chapters = chapters_of(placed, encoding.sample_rate)
        sound = _overheard(render(placed, encoding.sample_rate, encoding.channels, damage), hear)
        encode(sound, self.destination, encoding, chapters, self.titles)
        judged = [judged_by(part, count) for part, count in zip(self.parts, damage, strict=True)]
        return self._result(self._probe(encoding, chapters), chapters, "encode", judged, meter)

    def _probe(self, encoding: Encoding, chapters: Sequence[Chapter]) -> AudioProperties:
        if encoding.format == "mp3":
            return measure(self.destination).properties
        made = measure_encoded(self.destination, CONTENT_TYPES[encoding.format])
        # FFmpeg counts what a player of Opus skips.
        return replace(made, duration_ms=max(chapter.end_ms for chapter in chapters))

    def _heard(self, meter: PeakMeter, placed: Sequence[Placed]) -> Hear:
        total = max(one.end for one in placed)

        def hear(start: int, sound: npt.NDArray[Any], full_scale: int) -> None:
            meter.hear(start, sound, full_scale)
            self.progress((start + sound.shape[1]) / total)

        return hear

    def _result(
        self,
        properties: AudioProperties,
        chapters: Sequence[Chapter],
        method: Literal["copy", "encode"],
        judged: Sequence[Measured],
        meter: PeakMeter,
    ) -> MergeResult:
        self.progress(1.0)
        return MergeResult(properties, tuple(chapters), method, tuple(part.defect for part in judged), meter.peaks())


def _meter(placed: Sequence[Placed], sample_rate: int, channels: int) -> PeakMeter:
    return PeakMeter(channels, sample_rate, max(one.end for one in placed))


def _judge(placed: Placed, hear: Hear) -> Measured:
    position = placed.start

    def hear_next(sound: Samples) -> None:
        nonlocal position
        hear(position, sound, 1)
        position += sound.shape[1]

    return judge(placed.part, hear_next)


def _overheard(sound: Iterator[Samples], hear: Hear) -> Iterator[Samples]:
    position = 0
    for block in sound:
        hear(position, block, 1)
        yield block
        position += block.shape[1]
