from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from voxlake.airflow.window import Window, resolve_window

HOUR = {
    "data_interval_start": datetime(2026, 11, 20, 12, tzinfo=UTC),
    "data_interval_end": datetime(2026, 11, 20, 13, tzinfo=UTC),
}


def context(start: str | None = None, end: str | None = None, **values: Any) -> dict[str, Any]:
    return {"params": {"start": start, "end": end}, **values}


def test_a_scheduled_run_reads_its_data_interval() -> None:
    assert resolve_window(context(**HOUR)) == Window(*HOUR.values())


def test_params_go_before_the_interval() -> None:
    window = resolve_window(context("2026-11-01T00:00:00Z", "2026-11-02T00:00:00+03:00", **HOUR))
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
