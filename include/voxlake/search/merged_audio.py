"""The merged file of a conversation: its chapters in real time, and where it has, or leaves out, silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from voxlake.archive.speakers import CallLog, began
from voxlake.search.facts import Chapter, Gap, MergedAudio

Row = dict[str, Any]

# The call log knows when legs rang and ended, not to the second when a recording began.
_LEAST_GAP = timedelta(seconds=3)


def merged_audio(
    session: Row | None, recordings: Sequence[Row], calls: Sequence[Row], legs: Sequence[Row], tolerance: timedelta
) -> MergedAudio | None:
    """The merged file of a session; None if it has none.

    Args:
        session: Its row.
        recordings: The rows of its recordings.
        calls: Its call-log records, by start.
        legs: Their legs.
        tolerance: The setting `recording_tolerance`: recordings that are shorter than their leg by less began later.
    """
    if session is None or session["audio_path"] is None:
        return None
    call_log = CallLog(calls, legs)
    by_id = {row["recording_id"]: row for row in recordings}
    chapters = tuple(
        _chapter(each, by_id.get(each["recording_id"]), call_log, tolerance) for each in session["chapters"] or ()
    )
    return MergedAudio(
        **{name: session[name] for name in ("audio_path", "content_type", "size_bytes", "sha256", "duration_ms")},
        peaks_path=session["peaks_path"],
        merged_at=session["merged_at"],
        chapters=chapters,
        gaps=tuple(gap for one, other in pairwise(chapters) if (gap := _gap(one, other))),
        made_by=session.get("made_by"),
    )


def _chapter(chapter: Row, recording: Row | None, call_log: CallLog, tolerance: timedelta) -> Chapter:
    length = chapter["end_ms"] - chapter["start_ms"]
    return Chapter(
        recording_id=chapter["recording_id"],
        start_ms=chapter["start_ms"],
        end_ms=chapter["end_ms"],
        began_at=began(recording, length, call_log, tolerance) if recording else None,
        from_name=chapter["from_name"],
        to_name=chapter["to_name"],
    )


def _gap(one: Chapter, other: Chapter) -> Gap | None:
    """The time between two chapters of which there is no sound; None if there is none to speak of."""
    # Where recordings were set at their real time, the file itself says how far apart they are.
    silence = other.start_ms - one.end_ms
    if silence > 0:
        return Gap(one.end_ms, silence, in_file=True)
    if one.began_at is None or other.began_at is None or silence < 0:
        return None
    left_out = other.began_at - one.began_at - timedelta(milliseconds=one.end_ms - one.start_ms)
    if left_out < _LEAST_GAP:
        return None
    return Gap(one.end_ms, round(left_out / timedelta(milliseconds=1)), in_file=False)
