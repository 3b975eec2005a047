from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest

from voxlake.lake import turns
from voxlake.lake.turns import turn


def test_a_second_writer_waits_until_the_first_is_done(tmp_path: Path) -> None:
    events: list[str] = []
    started = Event()

    def second() -> None:
        started.set()
        with turn(str(tmp_path), "tables/a"):
            events.append("second")

    with turn(str(tmp_path), "tables/a"):
        thread = Thread(target=second)
        thread.start()
        started.wait()
        with turn(str(tmp_path), "tables/b"):
            events.append("another object")
        events.append("first")
    thread.join()
    assert events == ["another object", "first", "second"]


def test_one_that_waits_too_long_goes_ahead_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 0)
    with turn("lake", "tables/a"), turn("lake", "tables/a"):
        pass
    assert "tables/a in lake: other processes were at it for 0 s, going ahead" in caplog.text
