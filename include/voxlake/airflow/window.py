"""Which stretch of the call log a DAG run reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException


@dataclass(frozen=True)
class Window:
    """A half-open stretch of time, `[start, end)`, both with their zone."""

    start: datetime
    end: datetime


def resolve_window(context: Mapping[str, Any], overlap: timedelta) -> Window:
    """The run's `start` and `end` params where given, else its data interval with what came late before it.

    The call log is asked by start time, but shows a call only when it is over. So the runs of the schedule read
    `overlap` more before their interval, however late they run: the runs before them read those hours at their own
    time, and it takes this one to find what was not over then. A backfill reads all its intervals at one time: none of
    them could find more before another than that does itself.

    Args:
        context: The task's context. A run that was triggered without a logical date has no data interval in it.
        overlap: Longer than the longest calls.

    Raises:
        AirflowFailException: There is neither, or the params make no window; the text says what to enter.
    """
    params = context["params"]
    start, end = params.get("start"), params.get("end")
    if start is not None or end is not None:
        return _from_params(start, end)
    interval_start, interval_end = context.get("data_interval_start"), context.get("data_interval_end")
    if interval_start is None or interval_end is None or interval_start >= interval_end:
        raise AirflowFailException(
            "This run has neither a data interval nor params, so there is no saying what to archive. Trigger it again "
            "with both params `start` and `end` (for example 2026-11-01T00:00:00Z and 2026-11-02T00:00:00Z), or "
            "make a backfill of the dates."
        )
    if context["dag_run"].run_type == "scheduled":
        return Window(interval_start - overlap, interval_end)
    return Window(interval_start, interval_end)


def _from_params(start: str | None, end: str | None) -> Window:
    window = Window(_time("start", start), _time("end", end))
    if window.start >= window.end:
        raise AirflowFailException(f"param `start` ({start}) is not before param `end` ({end}); exchange them")
    return window


def _time(name: str, value: str | None) -> datetime:
    if value is None:
        raise AirflowFailException(f"param `{name}` is missing: `start` and `end` are given both or neither")
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise AirflowFailException(
            f"param `{name}` is {value!r}: expected a date and time with its zone, for example 2026-11-01T00:00:00Z"
        )
    return time
