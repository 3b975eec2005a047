"""One run at RingCentral's own rate, ten requests a minute, through Airflow's scheduler: how much of it is used.

Nothing is compared here. `bench/quota.py` does so without Airflow; this shows what is left of it when tasks give their
slots back while they wait, and Airflow starts each again. Takes as long as the grant says: seven minutes.
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

from sandbox.airflow_standalone import AirflowStandalone, archive_environment
from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, run_sandbox

DAG_ID = "ringcentral_recordings"
END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
START = END - timedelta(days=1)
LIMIT = 10


def main() -> int:
    """0 if every recording was delivered without a 429 by at least 97 % of the grant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=70, help="calls of the day, each with about one recording (70)")
    parser.add_argument("--window", type=float, default=60, help=f"seconds in which {LIMIT} requests are granted (60)")
    arguments = parser.parse_args()
    os.environ |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    quota = QuotaLimit(LIMIT, arguments.window, penalty=arguments.window)
    config = SandboxConfig(
        mix=CallMix(calls_per_day=arguments.calls, recorded_share=1.0, leg_seconds=(30, 32)),
        quotas={"heavy": quota, "auth": QuotaLimit(5)},
        latency=0.1,
    )
    with tempfile.TemporaryDirectory() as home, run_sandbox(config) as sandbox:
        folder = Path(home)
        airflow = AirflowStandalone(folder / "airflow", archive_environment(sandbox.connection_json(), folder))
        airflow.prepare()
        window = {"start": START.isoformat(), "end": END.isoformat()}
        airflow.cli("dags", "trigger", DAG_ID, "--conf", json.dumps(window))
        with airflow:
            state = _wait_for_run(airflow)
            slots = {pool["name"]: pool["slots"] for pool in airflow.get("/pools")["pools"]}
        print(f"the run ended as {state}; slots after it: {slots}")
        return 0 if _report(sandbox, arguments.window) and state == "success" else 1


def _wait_for_run(airflow: AirflowStandalone) -> str:
    began = time.monotonic()
    while True:
        (run,) = airflow.get(f"/dags/{DAG_ID}/dagRuns")["dag_runs"]
        print(f"[{time.monotonic() - began:5.0f} s] {run['state']}", flush=True)
        if run["state"] in ("success", "failed"):
            return str(run["state"])
        time.sleep(15)


def _report(sandbox: Sandbox, window: float) -> bool:
    asked = [entry for entry in sandbox.requests if entry.group == "heavy"]
    served = [entry.seconds for entry in asked if entry.status == 200]
    delivered = sum(entry.path.endswith("/content") and entry.status == 200 for entry in asked)
    recordings = len(sandbox.truth(START, END).recordings)
    # The first is sent at once, and each window takes so many more.
    ideal = (len(served) - 1) // LIMIT * window
    took = served[-1] - served[0]
    print(
        f"{delivered} of {recordings} recordings delivered; statuses {dict(Counter(entry.status for entry in asked))}"
    )
    print(f"{len(served)} requests in {took:.1f} s, where the grant takes {ideal:.0f} s: {ideal / took:.1%} of it used")
    return delivered == recordings and len(served) == len(asked) and ideal / took >= 0.97


if __name__ == "__main__":
    sys.exit(main())
