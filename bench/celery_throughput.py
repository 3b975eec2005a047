"""Recordings archived a minute without a quota, through Airflow: Celery with 1, 2 and 4 processes, and LocalExecutor.

Nothing of another make is compared. The same day of calls, each with one recording, is archived by the services of
docker-compose.yaml as processes of this machine, into a lake in a folder, on the PostgreSQL and the Redis of
`VOXLAKE_TEST_PG` and `VOXLAKE_TEST_REDIS`; then once more by the archive's own functions in one process, without
Airflow, which tells where the time goes. The difference is Airflow's overhead, and from it follows how many sessions a
task must have for the overhead to be below a tenth. Sandbox, databases and Airflow share this machine's cores.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.compose_file import read_compose
from sandbox.compose_processes import ServiceProcesses
from sandbox.compose_stand import Api, addresses, postgres_database, redis_databases, write_env
from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, run_sandbox
from voxlake.archive.download import Patience, download_session
from voxlake.archive.extract import extract_call_log
from voxlake.archive.land import land_call_log
from voxlake.archive.merge import merge_session
from voxlake.archive.plan import plan_sessions
from voxlake.archive.publish import publish_run
from voxlake.lake.local import LocalStorage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState

DAG_ID = "ringcentral_recordings"
END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
START = END - timedelta(days=1)
PATIENCE = 1200.0
# Far more than is asked for.
QUOTAS = {"heavy": QuotaLimit(60_000), "auth": QuotaLimit(50)}
STEPS = ("session.download", "session.merge")


@dataclass(frozen=True)
class Through:
    """What archiving through Airflow came to.

    Attributes:
        name: Of the executor.
        processes: How many tasks ran at a time.
        sessions: How many were archived.
        seconds: From the start of the first mapped task to the end of the last.
        task: Mean seconds of a mapped task, by Airflow's own clock, by step.
    """

    name: str
    processes: int
    sessions: int
    seconds: float
    task: dict[str, float]


def main() -> int:
    """0 if every run archived every session."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=40, help="calls of the day, about one recording each (40)")
    parser.add_argument("--seconds", type=int, default=60, help="length of a recording, 4 KB a second (60)")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2, 4], help="of a Celery worker (1 2 4)")
    parser.add_argument("--local", type=int, default=4, help="tasks at a time of LocalExecutor; 0 leaves it out (4)")
    arguments = parser.parse_args()
    os.environ |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    mix = CallMix(
        calls_per_day=arguments.sessions,
        recorded_share=1,
        transferred_share=0,
        short_share=0,
        fax_share=0,
        leg_seconds=(arguments.seconds, arguments.seconds + 1),
    )
    ways = [("Celery", processes) for processes in arguments.processes]
    ways += [("LocalExecutor", arguments.local)] if arguments.local else []
    with run_sandbox(SandboxConfig(seed=9, mix=mix, quotas=QUOTAS)) as sandbox:
        step_seconds = _by_itself(sandbox)
        done = []
        for name, processes in ways:
            sandbox.reset()
            done.append(_through_airflow(sandbox, name, processes))
            _tell(done[-1], step_seconds)
    return 0


def _by_itself(sandbox: Sandbox) -> dict[str, float]:
    """Mean seconds of a session, by step, without Airflow; what is once a run, a run."""
    credentials = Credentials(
        sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url
    )
    patience = Patience(wait=timedelta(hours=1), retention=timedelta(days=90))
    took: dict[str, list[float]] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        took.setdefault(step, []).append(time.perf_counter() - began)

    with tempfile.TemporaryDirectory() as home:
        lake = LocalStorage(Path(home) / "lake")
        with RingCentralClient([credentials], SqliteState(Path(home) / "state", 30.0)) as client:
            with timed("extract"):
                folders = extract_call_log(client, lake, START, END)
            with timed("land"):
                landed = land_call_log(lake, folders)
            sessions = plan_sessions(lake, landed.sessions)
            for session in sessions:
                with timed("download"):
                    download_session(client, lake, session, "bench", 1, patience)
            for session in sessions:
                with timed("merge"):
                    merge_session(lake, session, "bench")
            with timed("publish"):
                publish_run(lake, sessions, "bench")
    # The first has imports in it.
    means = {step: statistics.mean(seconds[1:] or seconds) for step, seconds in took.items()}
    print(f"{len(sessions)} sessions without Airflow, seconds a session: ", end="")
    print(", ".join(f"{step} {means[step]:.3f}" for step in ("download", "merge")))
    print(
        "once a run: " + ", ".join(f"{step} {means[step]:.3f}" for step in ("extract", "land", "publish")), flush=True
    )
    return means


def _through_airflow(sandbox: Sandbox, name: str, processes: int) -> Through:
    local = name == "LocalExecutor"
    with tempfile.TemporaryDirectory() as home, postgres_database() as postgres, redis_databases() as queues:
        folder = Path(home)
        settings = {
            "VOXLAKE_LAKE_URL": str(folder / "lake"),
            "AIRFLOW_CONN_RINGCENTRAL_DEFAULT": sandbox.connection_json(),
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(processes),
        }
        if local:
            settings |= {
                "COMPOSE_PROFILES": "local",
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__PARALLELISM": str(processes),
                "VOXLAKE_QUOTA_URL": "",
            }
        services = read_compose(write_env(folder, settings))
        with ServiceProcesses(services, folder, addresses(postgres, queues)) as running:
            running.run("init")
            for pool in ("ringcentral_media", "audio"):
                # No pool is to be the limit.
                running.run("scheduler", "airflow", "pools", "set", pool, "16", "bench")
            for service in ("api-server", "scheduler", "dag-processor", *([] if local else ["worker"])):
                running.start(service)
                running.wait_until_healthy(service)
            api = Api(running.url)
            running.run("scheduler", "airflow", "dags", "reserialize")
            api.send("PATCH", f"/dags/{DAG_ID}", {"is_paused": False})
            window = {"start": START.isoformat(), "end": END.isoformat()}
            api.send("POST", f"/dags/{DAG_ID}/dagRuns", {"dag_run_id": "bench", "logical_date": None, "conf": window})
            _wait(api)
            found = [one for one in api.task_instances(DAG_ID) if one["task_id"] in STEPS]
    return _through(name, processes, found)


def _wait(api: Api) -> None:
    deadline = time.monotonic() + PATIENCE
    while (state := api.get(f"/dags/{DAG_ID}/dagRuns/bench")["state"]) != "success":
        if state == "failed" or time.monotonic() > deadline:
            sys.exit(f"the run is {state}")
        time.sleep(1)


def _through(name: str, processes: int, found: list[dict[str, Any]]) -> Through:
    times = [tuple(datetime.fromisoformat(one[end]) for end in ("start_date", "end_date")) for one in found]
    seconds = (max(end for _, end in times) - min(start for start, _ in times)).total_seconds()
    task = {
        step.removeprefix("session."): statistics.mean(one["duration"] for one in found if one["task_id"] == step)
        for step in STEPS
    }
    return Through(name, processes, len(found) // 2, seconds, task)


def _tell(through: Through, step_seconds: dict[str, float]) -> None:
    work = step_seconds["download"] + step_seconds["merge"]
    # What a process has for a session, its two tasks, beyond the work itself.
    overhead = through.processes * through.seconds / through.sessions - work
    batch = math.ceil(9 * overhead / work)
    tasks = ", ".join(f"{step} {seconds:.2f}" for step, seconds in through.task.items())
    print(
        f"{through.name}, {through.processes} at a time: {through.sessions} recordings in {through.seconds:.0f} s, "
        f"{60 * through.sessions / through.seconds:.1f} a minute; a task runs for, in seconds: {tasks}; "
        f"a session takes a process {overhead + work:.2f} s, {overhead:.2f} of it Airflow's; "
        f"that is below a tenth from {batch} sessions a task on",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
