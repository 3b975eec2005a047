"""Backfills two days by Airflow's scheduler, four runs at a time, then again: the same tables, and no download."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.airflow_standalone import AirflowStandalone, archive_environment
from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, run_sandbox
from voxlake.lake import tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS

DAG_ID = "ringcentral_recordings"
END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
START = END - timedelta(days=2)
DAYS = [(START + timedelta(days=number)).date() for number in range(-1, 3)]
SANDBOX = SandboxConfig(
    mix=CallMix(calls_per_day=24), quotas={"heavy": QuotaLimit(6000), "auth": QuotaLimit(5)}, audio_format="mixed"
)
# When a page was read, which the second backfill does again; all else stays as it is, times of downloads too.
READ_AGAIN = ["extracted_at", "recording_seen_at"]


def main() -> int:
    """0 if the second backfill changes and downloads nothing."""
    os.environ |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    with tempfile.TemporaryDirectory() as home, run_sandbox(SANDBOX) as sandbox:
        folder = Path(home)
        airflow = AirflowStandalone(folder / "airflow", archive_environment(sandbox.connection_json(), folder))
        airflow.prepare()
        lake = LocalStorage(folder / "lake")
        problems = _backfill(airflow)
        first, fetched = _tables(lake), _downloads(sandbox)
        recordings = [row["recording_id"] for row in first["recordings"]]
        print(f"{fetched.total()} downloads of {len(recordings)} recordings")
        if fetched != Counter(recordings) or not recordings:
            problems.append("the first backfill did not download every recording once")
        problems += [
            f"{name} is not what the source has: {len(ours ^ theirs)} differ"
            for name, ours, theirs in _against_the_truth(first, sandbox)
            if ours != theirs
        ]
        problems += _backfill(airflow, "--reprocess-behavior", "completed")
        again = (_downloads(sandbox) - fetched).total()
        print(f"{again} downloads the second time")
        if again:
            problems.append("recordings were downloaded again")
        problems += [f"table {name} changed" for name, rows in _tables(lake).items() if rows != first[name]]
    print("\n".join(problems))
    return 1 if problems else 0


def _backfill(airflow: AirflowStandalone, *options: str) -> list[str]:
    began = time.monotonic()
    print(airflow.backfill(DAG_ID, START, END - timedelta(hours=1), 4, *options), flush=True)
    with airflow:
        while True:
            states = airflow.run_states(DAG_ID)
            print(f"[{time.monotonic() - began:5.0f} s] {dict(states)}", flush=True)
            # The scheduler ends a backfill some time after its last run, and only one of a DAG may be under way.
            backfills = airflow.get("/backfills", dag_id=DAG_ID)["backfills"]
            if all(backfill["completed_at"] for backfill in backfills):
                break
            time.sleep(20)
    print(f"{states.total()} runs, {states['failed']} failed, after {time.monotonic() - began:.0f} s", flush=True)
    return [f"{states['failed']} runs failed"] if states["failed"] else []


def _against_the_truth(
    first: dict[str, list[dict[str, Any]]], sandbox: Sandbox
) -> list[tuple[str, set[str], set[str]]]:
    truth = sandbox.truth(START, END)
    # Sessions that cross an end of the days have recordings on both sides; those are left out.
    inside = {session.telephony_session_id for session in truth.sessions if session.end_time < END}
    theirs = {
        recording.id
        for session in truth.sessions
        if session.telephony_session_id in inside
        for recording in session.recordings
    }
    ours = {row["recording_id"] for row in first["recordings"] if row["telephony_session_id"] in inside}
    calls = {row["call_id"] for row in first["calls"]}
    return [("calls", calls, {call.id for call in truth.calls}), ("recordings", ours, theirs)]


def _tables(lake: LocalStorage) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for table in (CALLS, LEGS, RECORDINGS, SESSIONS):
        rows = tables.read(lake, table, DAYS)
        found[table.name] = rows.drop_columns([name for name in READ_AGAIN if name in rows.column_names]).to_pylist()
        print(f"{table.name}: {rows.num_rows} rows")
    return found


def _downloads(sandbox: Sandbox) -> Counter[str]:
    entries = (entry for entry in sandbox.requests if entry.path.endswith("/content") and entry.status == 200)
    return Counter(entry.path.split("/")[-2] for entry in entries)


if __name__ == "__main__":
    sys.exit(main())
