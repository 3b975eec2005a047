"""``python -m voxlake merge``: recordings into one file, as the archive does it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxlake.audio.merge import MergeResult

# By the suffix of the output: its target format, and the MIME type that the result must have.
_FORMATS = {
    ".mp3": ("mp3", "audio/mpeg"),
    ".wav": ("auto", "audio/wav"),
    ".flac": ("flac", "audio/flac"),
    ".opus": ("opus", "audio/ogg"),
}
_DESCRIPTION = """\
Merges recordings into one file, one behind the other, with a chapter for each.

Recordings of one codec, sample rate and channel count are copied without loss (MP3 into MP3, WAV into WAV); all others
are decoded, resampled and encoded once. The suffix of OUT says the format: .mp3, .wav (only of WAVs that are alike),
.flac or .opus.
"""
_EPILOG = """\
exit status: 0 if every recording is whole in the file; 1 if one of them is damaged or breaks off, and is in the file as
far as it plays; 2 if no file was made.
"""


def add_parser(commands: Any) -> None:
    """Adds the command to the others."""
    parser = commands.add_parser(
        "merge",
        help="merge recordings into one file",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="+", type=Path, metavar="FILE", help="MP3 and WAV files, in the order to play")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="the file to write")
    parser.add_argument(
        "--starts",
        type=_seconds,
        metavar="S,S,…",
        help="when each file starts, in seconds: silence in the gaps, and what overlaps is mixed; --starts 0,61.5,90",
    )
    parser.add_argument(
        "--bit-rate", type=int, metavar="BITS", help="of what is encoded, bits per second; without it what suits speech"
    )
    parser.add_argument("--peaks", type=Path, metavar="JSON", help="write the waveform too, for wavesurfer.js")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Merges; returns the exit status."""
    # FFmpeg's libraries and NumPy take a fifth of a second, which --help need not wait for.
    from voxlake.audio.merge import Target, merge
    from voxlake.audio.probe import NotAudioError

    if options.output.suffix.lower() not in _FORMATS:
        return _refuse(f"{options.output}: name the output .mp3, .wav, .flac or .opus")
    target, content_type = _FORMATS[options.output.suffix.lower()]
    try:
        result = merge(
            options.parts,
            options.output,
            [part.stem for part in options.parts],
            starts_ms=options.starts,
            target=Target(target, options.bit_rate),  # type: ignore[arg-type] # one of its literals
            progress=_progress() if sys.stderr.isatty() else None,
        )
    except (NotAudioError, ValueError, OSError) as error:
        return _refuse(str(error))
    if result.properties.content_type != content_type:
        options.output.unlink()
        return _refuse(f"{options.output}: these recordings are not WAVs that are alike; name the output .mp3 or .flac")
    if options.peaks is not None:
        options.peaks.write_bytes(result.peaks.to_json())
    _tell(options, result)
    return 1 if any(result.defects) else 0


def _tell(options: argparse.Namespace, result: MergeResult) -> None:
    properties = result.properties
    print(
        f"{options.output}: {_clock(properties.duration_ms)}, {properties.codec} {properties.sample_rate} Hz, "
        f"{properties.channels} channel{'s' * (properties.channels > 1)}, "
        f"{'copied' if result.method == 'copy' else 'encoded'}"
    )
    for part, chapter in zip(options.parts, result.chapters, strict=True):
        print(f"  {_clock(chapter.start_ms)} to {_clock(chapter.end_ms)}  {part}")
    for part, defect in zip(options.parts, result.defects, strict=True):
        if defect is not None:
            print(f"{part}: {defect.kind}: {defect.detail}", file=sys.stderr)


def _progress() -> Callable[[float], None]:
    """Draws the share that is done on a terminal."""
    shown = -1

    def show(done: float) -> None:
        nonlocal shown
        percent = int(100 * done)
        if percent != shown:
            shown = percent
            print(f"\rmerging {percent:3} %", end="\n" if percent == 100 else "", file=sys.stderr, flush=True)

    return show


def _seconds(text: str) -> list[int]:
    try:
        return [round(1000 * float(part)) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds such as 0,61.5,90") from None


def _clock(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"


def _refuse(message: str) -> int:
    print(f"python -m voxlake merge: {message}", file=sys.stderr)
    return 2
