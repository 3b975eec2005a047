from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from voxlake.airflow.window import Window, resolve_window

HOUR = {
    "data_interval_start": datetime(2026, 11, 20, 12, tzinfo=UTC),
    "data_interval_end": datetime(2026, 11, 20, 13, tzinfo=UTC),
}


OVERLAP = timedelta(hours=4)
INTERVAL = Window(HOUR["data_interval_start"], HOUR["data_interval_end"])


def context(
    start: str | None = None, end: str | None = None, run_type: str = "scheduled", **values: Any
) -> dict[str, Any]:
    return {"params": {"start": start, "end": end}, "dag_run": SimpleNamespace(run_type=run_type), **values}


def test_a_run_of_the_schedule_reads_what_came_late_before_its_interval() -> None:
    assert resolve_window(context(**HOUR), OVERLAP) == Window(INTERVAL.start - OVERLAP, INTERVAL.end)


@pytest.mark.parametrize("run_type", ["manual", "backfill"])
def test_any_other_run_reads_its_interval_alone(run_type: str) -> None:
    assert resolve_window(context(run_type=run_type, **HOUR), OVERLAP) == INTERVAL


def test_params_go_before_the_interval() -> None:
    run = context("2026-11-01T00:00:00Z", "2026-11-02T00:00:00+03:00", **HOUR)
    window = resolve_window(run, OVERLAP)
    east = timezone(timedelta(hours=3))
    assert window == Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=east))


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (context(), "neither a data interval nor params.*both params `start` and `end`"),
        (context(**HOUR | {"data_interval_end": HOUR["data_interval_start"]}), "neither a data interval nor params"),
        (context(start="2026-11-01T00:00:00Z"), "param `end` is missing"),
        (context(end="2026-11-01T00:00:00Z"), "param `start` is missing"),
        (context("2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z"), "param `start` .* is not before param `end`"),
        (context("2026-11-01T00:00:00", "2026-11-02T00:00:00Z"), "param `start` is '2026-11-01T00:00:00': expected"),
        (context("2026-11-01T00:00:00Z", "tomorrow"), "param `end` is 'tomorrow': expected a date and time"),
    ],
)
def test_what_makes_no_window_says_what_to_enter(run: dict[str, Any], reason: str) -> None:
    with pytest.raises(AirflowFailException, match=reason):
        resolve_window(run, OVERLAP)
