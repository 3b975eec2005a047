"""The state of the archive: whether all is well, day by day what is held, what is to come, and what has failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from fastapi import APIRouter, Request
from starlette.responses import Response

from voxlake.ringcentral.grants import read_grants
from voxlake.ringcentral.shared_state import open_state
from voxlake.search.overview import DayState, archive_state
from voxlake.settings import get_settings
from voxlake.web.dependencies import Finder
from voxlake.web.pages.airflow_paths import airflow_path
from voxlake.web.pages.search import Index
from voxlake.web.pages.verdict import verdict
from voxlake.web.templating import templates

router = APIRouter()

WEEKS = 6
_ONE_WEEK = timedelta(days=7)
# `[core] max_map_length` of Airflow, and the most that the DAG's param takes.
MOST_SESSIONS = 1024


@router.get("/archive", name="archive")
def archive_page(request: Request, index: Index, _: Finder, until: date | None = None) -> Response:
    """The weeks up to the one of the day `until`: this one where it is left out."""
    now, settings = datetime.now(UTC), get_settings()
    last = min(until or now.date(), now.date())
    sunday = last + timedelta(days=6 - last.weekday())
    monday = sunday - WEEKS * _ONE_WEEK + timedelta(days=1)
    state = archive_state(
        index,
        since=monday,
        until=min(sunday, now.date()),
        now=now,
        retention=settings.recording_retention,
        limit=settings.recording_limit,
        grants=read_grants(open_state(settings.quota_url, settings.state_dir)),
    )
    context = {
        "state": state,
        "verdict": verdict(state),
        "weeks": weeks(state.days, monday),
        "earlier": monday - timedelta(days=1),
        "later": sunday + _ONE_WEEK if sunday < now.date() else None,
        "runs_path": airflow_path(request, "/api/v2/dags/ringcentral_recordings/dagRuns"),
        "dag_path": airflow_path(request, "/dags/ringcentral_recordings"),
        "most_sessions": MOST_SESSIONS,
    }
    return templates.TemplateResponse(request, "archive.html", context)


def weeks(days: Sequence[DayState], monday: date) -> list[list[DayState | None]]:
    """The days as rows of a calendar, from Monday to Sunday; None for a day that is still to come.

    Args:
        days: Without a gap, up to seven times `WEEKS`.
        monday: The first of them.
    """
    by_day = {state.day: state for state in days}
    return [
        [by_day.get(monday + week * _ONE_WEEK + timedelta(days=weekday)) for weekday in range(7)]
        for week in range(WEEKS)
    ]
