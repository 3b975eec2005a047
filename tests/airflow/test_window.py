from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from voxlake.airflow.window import Window, is_backfill, is_scheduled, resolve_days, resolve_window

HOUR = {
    "data_interval_start": datetime(2026, 11, 20, 12, tzinfo=UTC),
    "data_interval_end": datetime(2026, 11, 20, 13, tzinfo=UTC),
}


INTERVAL = Window(HOUR["data_interval_start"], HOUR["data_interval_end"])


def context(
    start: str | None = None, end: str | None = None, run_type: str = "scheduled", **values: Any
) -> dict[str, Any]:
    return {"params": {"start": start, "end": end}, "dag_run": SimpleNamespace(run_type=run_type), **values}


@pytest.mark.parametrize("run_type", ["scheduled", "manual", "backfill"])
def test_a_run_reads_its_interval(run_type: str) -> None:
    assert resolve_window(context(run_type=run_type, **HOUR)) == INTERVAL


def test_only_the_schedule_makes_scheduled_runs() -> None:
    kinds = {kind: context(run_type=kind, **HOUR) for kind in ("scheduled", "manual", "backfill", "asset_triggered")}
    assert [kind for kind, run in kinds.items() if is_scheduled(run)] == ["scheduled"]
    assert [kind for kind, run in kinds.items() if is_backfill(run)] == ["backfill"]


DAY = {
    "data_interval_start": datetime(2026, 11, 20, tzinfo=UTC),
    "data_interval_end": datetime(2026, 11, 21, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("run", "first", "last"),
    [
        (context(**DAY), 18, 20),
        (context(run_type="backfill", **DAY), 20, 20),
        (context("2026-11-12T13:00:00Z", "2026-11-14T00:00:00Z", "manual"), 12, 13),
        (context("2026-11-12T00:00:00Z", "2026-11-14T00:00:00.001Z", "manual"), 12, 14),
        (context("2026-11-13T01:00:00+02:00", "2026-11-13T05:00:00+02:00", "manual"), 12, 13),
    ],
    ids=["the schedule", "a backfill", "begins in a day", "ends in a day", "another zone"],
)
def test_days_are_whole(run: dict[str, Any], first: int, last: int) -> None:
    expected = Window(datetime(2026, 11, first, tzinfo=UTC), datetime(2026, 11, last + 1, tzinfo=UTC))
    assert resolve_days(run, 3) == expected


def test_params_go_before_the_interval() -> None:
    run = context("2026-11-01T00:00:00Z", "2026-11-02T00:00:00+03:00", **HOUR)
    window = resolve_window(run)
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
        resolve_window(run)
