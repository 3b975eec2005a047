"""Lengths, sizes and times as people read them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from voxlake.web.pages.formats import clock, hours, length, moment, size, weekday


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(0, "0:00"), (7_999, "0:07"), (754_000, "12:34"), (3_723_000, "1:02:03")]
)
def test_a_place_in_a_recording(milliseconds: int, shown: str) -> None:
    assert clock(milliseconds) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (None, "–"),
        (450, "450 ms"),
        (59_999, "59 s"),
        (60_000, "1 min 00 s"),
        (754_000, "12 min 34 s"),
        (3_720_000, "1 h 02 min"),
        (90_000_000, "25 h 00 min"),
    ],
)
def test_a_length_in_words(milliseconds: int | None, shown: str) -> None:
    assert length(milliseconds) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(0, "0.0"), (1_440_000, "0.4"), (359_000_000, "99.7"), (4_442_400_000, "1,234")]
)
def test_a_sum_of_lengths_in_hours(milliseconds: int, shown: str) -> None:
    assert hours(milliseconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "–"),
        (0, "0 bytes"),
        (999, "999 bytes"),
        (4_200_000, "4.2 MB"),
        (999_999, "1.0 MB"),
        (1_500_000_000, "1.5 GB"),
        (2_500_000_000_000, "2.5 TB"),
    ],
)
def test_a_size(count: int | None, shown: str) -> None:
    assert size(count) == shown


def test_a_moment_is_in_utc_without_the_script() -> None:
    berlin = timezone(timedelta(hours=1))
    assert moment(datetime(2026, 11, 20, 10, 30, 5, tzinfo=berlin)) == (
        '<time datetime="2026-11-20T09:30:05Z" title="2026-11-20 09:30:05 UTC">2026-11-20 09:30 UTC</time>'
    )
    assert moment(datetime(2026, 11, 20, 9, 30, tzinfo=UTC)).startswith("<time")
    assert moment(None) == "–"


def test_a_day_with_its_name() -> None:
    assert weekday(date(2026, 11, 5)) == "Thu 5 Nov 2026"
