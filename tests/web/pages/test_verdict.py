"""The answer to “is all well?”."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from voxlake.search.overview import ArchiveState, DayState
from voxlake.web.pages.verdict import verdict

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


def test_all_is_well() -> None:
    found = verdict(state())
    assert (found.level, found.headline) == ("well", "All is well.")
    assert found.points == ("4 recordings of 1 day held.",)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"failed": 1}, "1 recording could not be downloaded."),
        ({"calls_missing": 2}, "2 calls that the source lists are not in the archive."),
        ({"pending": 1, "at_risk": 1}, "The provider deletes 1 recording within 14 days"),
    ],
)
def test_somebody_has_to_look(wrong: dict[str, int], said: str) -> None:
    found = verdict(state(**wrong))
    assert found.level == "failed"
    assert found.points[0].startswith(said)


@pytest.mark.parametrize(
    ("waits", "said"),
    [
        ({"pending": 1200}, "1,200 recordings are still to be fetched"),
        ({"unmerged": 1}, "1 conversation is still to be merged"),
        ({"reconciled_at": None}, "None of these days has been compared with the source yet"),
        ({"state": "empty", "recordings": 0, "held": 0}, "Is the DAG ringcentral_recordings switched on"),
    ],
)
def test_there_is_nothing_to_do_but_to_wait(waits: dict[str, Any], said: str) -> None:
    found = verdict(state(**waits))
    assert found.level == "pending"
    assert found.points[0].startswith(said)


def test_what_is_lost_is_said_though_nobody_can_do_anything() -> None:
    found = verdict(state(unavailable=2))
    assert found.level == "well"
    assert found.points[-1] == "2 recordings cannot be had from the provider; “Not held” says why."
