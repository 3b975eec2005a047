"""The answer to “is all well?”."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.pages.archive_states import state
from voxlake.web.pages.verdict import verdict


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
