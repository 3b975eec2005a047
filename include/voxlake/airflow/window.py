"""Which stretch of the call log a DAG run reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

# Archives sessions as soon as they are over.
SESSION_EVENTS_DAG = "ringcentral_session_events"


@dataclass(frozen=True)
class Window:
    """A half-open stretch of time, `[start, end)`, both with their zone."""

    start: datetime
    end: datetime


def resolve_window(context: Mapping[str, Any]) -> Window:
    """The run's `start` and `end` params where given, else its data interval.

    Args:
        context: The task's context. A run that was triggered without a logical date has no data interval in it.

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
    return Window(interval_start, interval_end)


def resolve_days(context: Mapping[str, Any], days: int) -> Window:
    """The whole UTC days that a run is about: the last `days` up to its interval's end, or the days of its dates.

    Args:
        context: The task's context.
        days: For runs of the schedule; a backfill, and a run by hand with params, is about its own dates.

    Raises:
        AirflowFailException: As `resolve_window`.
    """
    window = resolve_window(context)
    start, end = _midnight(window.start), _midnight(window.end)
    if end < window.end:
        end += timedelta(days=1)
    return Window(end - timedelta(days=days) if is_scheduled(context) else start, end)


def wanted_sessions(context: Mapping[str, Any]) -> list[str]:
    """The telephonySessionIds that a run by hand is for, each once; none for a run that is about a stretch of time.

    Args:
        context: The task's context; Airflow has checked the ids against the param's schema.

    Raises:
        AirflowFailException: The run was given a window as well.
    """
    params = context["params"]
    wanted = list(dict.fromkeys(params.get("telephony_session_ids") or ()))
    if wanted and (params.get("start") is not None or params.get("end") is not None):
        raise AirflowFailException(
            "params `start` and `end` go without `telephony_session_ids`: a run has a window or sessions"
        )
    return wanted


def is_scheduled(context: Mapping[str, Any]) -> bool:
    """Whether the schedule made this run at its time: no backfill, nobody by hand."""
    return bool(context["dag_run"].run_type == "scheduled")


def is_woken(context: Mapping[str, Any]) -> bool:
    """Whether an event made this run; it has no data interval."""
    return bool(context["dag_run"].run_type == "asset_triggered")


def is_backfill(context: Mapping[str, Any]) -> bool:
    """Whether this run was made by a backfill."""
    return bool(context["dag_run"].run_type == "backfill")


def is_awaited(context: Mapping[str, Any]) -> bool:
    """Whether somebody waits for what this run archives: it is about sessions that are just over, or one by hand."""
    return bool(context["dag_run"].dag_id == SESSION_EVENTS_DAG)


def _midnight(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


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
