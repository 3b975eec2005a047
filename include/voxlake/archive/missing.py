"""What a merged file lacks of its session, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from voxlake.audio.probe import Defect

Row = dict[str, Any]


def not_held(recording: Row) -> Row:
    """Of a recording that the lake does not hold."""
    return _missing(recording, recording["unavailable_reason"] or recording["status"], recording["error"])


def unplayable(recording: Row, why: str) -> Row:
    """Of a recording whose file in the lake is no audio."""
    return _missing(recording, "unplayable", why)


def defect_of_held(recording: Row, sha256: str) -> Defect | None:
    """Whether a file in the lake has other bytes than were downloaded."""
    if recording["sha256"] in (None, sha256):
        return None
    return Defect("damaged", f"is not what was downloaded: its SHA-256 is {sha256}, not {recording['sha256']}")


def in_part(recording: Row, duration_ms: int, defect: Defect | None, tolerance: timedelta) -> Row | None:
    """Of a recording that is in the file as far as it plays; None if it is whole.

    Args:
        recording: Its row.
        duration_ms: How long it plays.
        defect: What is wrong with its audio.
        tolerance: How much shorter than its leg an automatic recording may be; one on demand may begin at any time.
    """
    if defect is not None:
        return _missing(recording, defect.kind, defect.detail)
    claimed = recording["claimed_ms"]
    if (
        recording["type"] != "Automatic"
        or claimed is None
        or timedelta(milliseconds=claimed - duration_ms) <= tolerance
    ):
        return None
    return _missing(recording, "short", f"plays {duration_ms / 1000:.1f} s of a leg that lasted {claimed / 1000:.1f} s")


def _missing(recording: Row, reason: str, detail: str | None) -> Row:
    return {"recording_id": recording["recording_id"], "reason": reason, "detail": detail}
