from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from sandbox.ringcentral import CallMix, QuotaLimit, SandboxConfig
from tests.conftest import StartSandbox
from voxlake.lake import tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import SESSIONS

CONFIG = SandboxConfig(
    quotas={"heavy": QuotaLimit(600), "auth": QuotaLimit(5)}, mix=CallMix(calls_per_day=200, conversation_share=0.4)
)


def test_a_session_is_archived_and_a_second_time_nothing_is_fetched(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    sandbox = start_sandbox(CONFIG)
    now = sandbox.clock.now()
    session = next(one for one in sandbox.truth(now - timedelta(days=1), now).sessions if len(one.recordings) > 1)

    first = _fetch(session.telephony_session_id, sandbox.connection_json(), tmp_path)

    assert first.returncode == 0, first.stderr
    assert first.stdout == f"{session.telephony_session_id}: archived, with {len(session.recordings)} recordings\n"
    lake = LocalStorage(tmp_path / "lake")
    days = {session.start_time.date(), session.end_time.date()}
    (row,) = tables.read(lake, SESSIONS, days).to_pylist()
    assert (row["telephony_session_id"], row["status"]) == (session.telephony_session_id, "complete")
    assert lake.version(row["audio_path"]) is not None

    asked = sum(entry.path.endswith("/content") for entry in sandbox.requests)
    second = _fetch(session.telephony_session_id, sandbox.connection_json(), tmp_path)
    assert "nothing was to fetch" in second.stdout
    assert sum(entry.path.endswith("/content") for entry in sandbox.requests) == asked


def test_a_session_that_there_is_not_is_named(start_sandbox: StartSandbox, tmp_path: Path) -> None:
    done = _fetch("s-none", start_sandbox(CONFIG).connection_json(), tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("python -m voxlake fetch: RingCentral lists no call of session s-none: check the id")


def _fetch(session: str, connection: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voxlake", "fetch", "--session", session],
        env={
            **os.environ,
            "AIRFLOW_CONN_RINGCENTRAL_DEFAULT": connection,
            "VOXLAKE_LAKE_URL": str(folder / "lake"),
            "VOXLAKE_STATE_DIR": str(folder / "state"),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        },
        capture_output=True,
        text=True,
        check=False,
    )
