"""An archive of one day of which all is well, but for what a test says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from voxlake.search.overview import ArchiveState, DayState

_COUNTED = ("calls", "calls_missing", "recordings", "held", "pending", "failed", "unavailable")
_WELL = dict.fromkeys((*_COUNTED, "complete", "partial", "unmerged"), 0) | {
    "calls": 9,
    "recordings": 4,
    "held": 4,
    "complete": 3,
    "reconciled_at": datetime(2026, 11, 21, tzinfo=UTC),
    "state": "well",
}


def state(pending: int = 0, at_risk: int = 0, **day: Any) -> ArchiveState:
    days = (DayState(day=date(2026, 11, 20), **_WELL | day),)
    return ArchiveState(days, pending=(), pending_total=pending, at_risk=at_risk, failures=(), grants=())
