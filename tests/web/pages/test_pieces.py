"""What the pages make of what they are given: chapters with gaps, the weeks of a calendar, the task of a run."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi import Request

from tests.web.pages.archive_states import state
from voxlake.search.facts import Chapter, Gap, MergedAudio
from voxlake.web.pages.airflow_paths import task_run
from voxlake.web.pages.archive import WEEKS, weeks
from voxlake.web.pages.conversation import pieces


def request(root: str = "/voxlake") -> Request:
    return Request({"type": "http", "root_path": root, "headers": []})


def audio(chapters: list[Any], gaps: list[Gap]) -> MergedAudio:
    return MergedAudio(
        audio_path="a.mp3",
        content_type="audio/mpeg",
        size_bytes=1,
        sha256="",
        duration_ms=9000,
        peaks_path=None,
        merged_at=datetime(2026, 11, 20, tzinfo=UTC),
        chapters=tuple(Chapter(name, start, end, None, "A", "B") for name, start, end in chapters),
        gaps=tuple(gaps),
        made_by=None,
    )


def test_a_gap_stands_before_the_chapter_that_follows_it() -> None:
    found = pieces(
        audio([("1", 0, 3000), ("2", 3000, 5000), ("3", 7000, 9000)], [Gap(3000, 800, False), Gap(5000, 2000, True)])
    )
    assert [(piece.number, piece.start_ms, piece.end_ms) for piece in found] == [
        (1, 0, 3000),
        (None, 3000, 3000),
        (2, 3000, 5000),
        (None, 5000, 7000),
        (3, 7000, 9000),
    ]


def test_weeks_begin_on_monday_and_end_where_the_days_do() -> None:
    (day,) = state().days
    monday = date(2026, 10, 19)
    assert monday.weekday() == 0
    found = weeks([day], monday)
    assert len(found) == WEEKS
    places = [(row, column) for row, week in enumerate(found) for column, each in enumerate(week) if each]
    assert places == [divmod((day.day - monday) // timedelta(days=1), 7)]


@pytest.mark.parametrize(
    ("made_by", "path"),
    [
        (
            "ringcentral_recordings/scheduled__2026-11-20T10:00:00+00:00/session.merge/3",
            "/dags/ringcentral_recordings/runs/scheduled__2026-11-20T10%3A00%3A00%2B00%3A00/tasks/session.merge/mapped/3",
        ),
        ("dag/run/task/-1", "/dags/dag/runs/run/tasks/task"),
        ("dag/ru n?/task/-1", "/dags/dag/runs/ru%20n%3F/tasks/task"),
    ],
)
def test_the_task_that_made_a_file_is_shown_by_airflow(made_by: str, path: str) -> None:
    below = task_run(request("/company/airflow/voxlake"), made_by)
    alone = task_run(request(), made_by)
    assert below is not None
    assert alone is not None
    assert (alone.path, below.path) == (path, f"/company/airflow{path}")


@pytest.mark.parametrize("made_by", [None, "", "dag/run/task", "dag/run/task/x", "a/b/c/d/1", "<script>"])
def test_what_is_no_task_is_none(made_by: str | None) -> None:
    assert task_run(request(), made_by) is None
