"""The preview of a range, beside what archiving it then takes, over real HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig
from tests.airflow.test_steps import CONTEXT
from tests.conftest import StartSandbox
from voxlake.airflow import steps
from voxlake.airflow.window import Window
from voxlake.archive.preview import Preview, preview_range
from voxlake.commands.preview import described
from voxlake.lake.local import LocalStorage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState
from voxlake.settings import get_settings

END = datetime(2026, 3, 4, 12, tzinfo=UTC)
START = END - timedelta(hours=12)
MIX = CallMix(calls_per_day=40, repeated_record_share=0.5, repeated_leg_share=0.5)
CONFIG = SandboxConfig(now=END + timedelta(hours=6), mix=MIX, quotas={"heavy": QuotaLimit(600), "auth": QuotaLimit(5)})


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> Sandbox:
    return start_sandbox(CONFIG)


@pytest.fixture
def lake(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "lake")


def seen(sandbox: Sandbox, lake: LocalStorage, tmp_path: Path, credentials: int = 1) -> Preview:
    of = Credentials(sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url)
    with RingCentralClient([of], SqliteState(tmp_path / "state", 30.0)) as client:
        return preview_range(client, lake, START, END, credentials)


def test_it_says_what_the_range_has(sandbox: Sandbox, lake: LocalStorage, tmp_path: Path) -> None:
    truth = sandbox.truth(START, END)

    found = seen(sandbox, lake, tmp_path)

    assert found.calls == len(truth.calls)
    recordings = {recording.id for call in truth.calls for leg in call.legs if (recording := leg.recording)}
    assert found.recordings == len(recordings) > 10
    assert (found.held, found.unreadable) == (0, 0)
    # An hour, a run; each reads its part.
    assert found.call_log_requests == 12
    assert found.requests == 12 + len(recordings)
    assert found.rate == 10
    assert found.takes == timedelta(seconds=found.requests / 10)
    assert not list(lake.list(""))
    assert [entry.path for entry in sandbox.requests if entry.path.endswith("/content")] == []


def test_more_credentials_are_as_much_faster(sandbox: Sandbox, lake: LocalStorage, tmp_path: Path) -> None:
    assert seen(sandbox, lake, tmp_path, credentials=3).rate == 30


def test_what_the_lake_holds_is_not_fetched_and_says_how_large_recordings_are(
    sandbox: Sandbox, lake: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(sandbox, lake, tmp_path)
    assert not before.from_the_lake

    monkeypatch.setenv("AIRFLOW_CONN_RINGCENTRAL_DEFAULT", sandbox.connection_json())
    _archive(lake, monkeypatch, tmp_path)
    found = seen(sandbox, lake, tmp_path)

    assert found.held == found.recordings == before.recordings
    assert found.requests == 12
    assert found.bytes == 0
    assert found.from_the_lake
    # The mean of the MP3s that the sandbox makes.
    assert found.bytes_a_second == pytest.approx(CONFIG.mp3_bit_rate / 8, rel=0.1)


def _archive(lake: LocalStorage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VOXLAKE_LAKE_URL", lake.url)
    monkeypatch.setenv("VOXLAKE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("VOXLAKE_RECORDING_RETENTION", "P3650D")
    get_settings.cache_clear()
    batches = steps.land(steps.extract_window(lake, Window(START, END), CONTEXT), 1, CONTEXT)
    for sessions in batches:
        steps.download(sessions, CONTEXT)
        steps.merge(sessions, CONTEXT)
    steps.publish(batches, CONTEXT)
    get_settings.cache_clear()


def test_its_lines_name_what_they_count() -> None:
    found = Preview(START, END, 1200, 900, 100, 2, 24, 36_000, 4000.0, False, 10 / 60)

    assert described(found) == [
        "range       2026-03-04T00:00:00+00:00 to 2026-03-04T12:00:00+00:00",
        "calls       1,200",
        "recordings  900, 100 of them held by the lake",
        "requests    824: 24 for the call log, the rest for recordings",
        "time        1 h 22 min, at 10 requests a minute",
        "audio       10.0 hours",
        "bytes       288.0 MB: half of it recordings (as of MP3 with 32 kbit/s), half merged sessions",
        "rejected    2 records would not land",
    ]


def test_the_command_reads_by_the_connection_of_the_dags(sandbox: Sandbox, tmp_path: Path) -> None:
    environment = os.environ | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW_CONN_RINGCENTRAL_DEFAULT": sandbox.connection_json(),
        "VOXLAKE_LAKE_URL": str(tmp_path / "lake"),
        "VOXLAKE_STATE_DIR": str(tmp_path / "state"),
    }
    command = [sys.executable, "-m", "voxlake", "preview", "--from", START.isoformat(), "--to", END.isoformat()]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert f"calls       {len(sandbox.truth(START, END).calls)}\n" in done.stdout
    assert "at 600 requests a minute" in done.stdout


def test_a_connection_that_is_refused_is_told_without_a_traceback(sandbox: Sandbox, tmp_path: Path) -> None:
    environment = os.environ | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW_CONN_RINGCENTRAL_DEFAULT": sandbox.connection_json().replace(sandbox.client_secret, "wrong-secret"),
        "VOXLAKE_LAKE_URL": str(tmp_path / "lake"),
        "VOXLAKE_STATE_DIR": str(tmp_path / "state"),
    }
    command = [sys.executable, "-m", "voxlake", "preview", "--from", START.isoformat(), "--to", END.isoformat()]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("python -m voxlake preview: ")
    assert "Traceback" not in done.stderr
