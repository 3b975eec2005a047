"""One run over a day of 100,000 calls and 3,000 recorded sessions, through Airflow's scheduler.

Nothing is compared here: it shows that such a day goes through, with how many task instances and in what time. The
sandbox grants what the run asks for, so the time is that of Airflow and of the archive, not of RingCentral's quota.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from sandbox.airflow_standalone import AirflowStandalone, archive_environment
from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, run_sandbox

DAG_ID = "ringcentral_recordings"
END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
START = END - timedelta(days=1)


def main() -> int:
    """0 if the run ends green and the lake has what the sandbox has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000, help="calls of the day (100000)")
    parser.add_argument("--sessions", type=int, default=3000, help="about how many of them are recorded (3000)")
    arguments = parser.parse_args()
    os.environ |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    # Two of three calls are answered by somebody for long enough to be recorded.
    share = arguments.sessions / arguments.calls / 0.66
    # Of nearly one length, as the sandbox makes the audio of each length once.
    mix = CallMix(calls_per_day=arguments.calls, recorded_share=share, leg_seconds=(30, 32))
    config = SandboxConfig(mix=mix, quotas={"heavy": QuotaLimit(1_000_000), "auth": QuotaLimit(5)})
    with tempfile.TemporaryDirectory() as home, run_sandbox(config) as sandbox:
        folder = Path(home)
        airflow = AirflowStandalone(folder / "airflow", archive_environment(sandbox.connection_json(), folder))
        airflow.prepare()
        window = {"start": START.isoformat(), "end": END.isoformat()}
        airflow.cli("dags", "trigger", DAG_ID, "--conf", json.dumps(window))
        began = time.monotonic()
        with airflow:
            state, instances = _watch(airflow, began)
        print(f"the run ended as {state} after {time.monotonic() - began:.0f} s")
        for (task_id, task_state), count in sorted(instances.items()):
            print(f"  {count:6} {task_id} {task_state}")
        return 0 if _whole(folder / "lake", sandbox) and state == "success" else 1


def _watch(airflow: AirflowStandalone, began: float) -> tuple[str, Counter[tuple[str, str]]]:
    while True:
        (run,) = airflow.get(f"/dags/{DAG_ID}/dagRuns")["dag_runs"]
        instances: Counter[tuple[str, str]] = Counter()
        while True:
            path = f"/dags/{DAG_ID}/dagRuns/{run['dag_run_id']}/taskInstances"
            page = airflow.get(path, limit=100, offset=instances.total())
            instances.update((one["task_id"], str(one["state"])) for one in page["task_instances"])
            if instances.total() >= page["total_entries"]:
                break
        done = sum(count for (_, state), count in instances.items() if state == "success")
        print(f"[{time.monotonic() - began:5.0f} s] {done} of {instances.total()} task instances done", flush=True)
        if run["state"] in ("success", "failed"):
            return run["state"], instances
        time.sleep(15)


def _whole(lake: Path, sandbox: Sandbox) -> bool:
    truth = sandbox.truth(START, END)
    calls = _files(lake, "calls").count("*").fetchall()[0][0]
    recordings = _files(lake, "recordings").filter("status = 'downloaded'").count("*").fetchall()[0][0]
    sessions = _files(lake, "sessions").filter("status = 'complete'").count("*").fetchall()[0][0]
    downloads = sum(entry.path.endswith("/content") and entry.status == 200 for entry in sandbox.requests)
    print(f"in the lake: {calls} calls, {recordings} recordings, {sessions} sessions; {downloads} downloads")
    print(f"there: {len(truth.calls)} calls, {len(truth.recordings)} recordings, {len(truth.sessions)} sessions")
    return calls == len(truth.calls) and downloads == recordings and sessions >= len(truth.sessions)


def _files(lake: Path, table: str) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(f"{lake}/tables/{table}/**/*.parquet")


if __name__ == "__main__":
    sys.exit(main())
