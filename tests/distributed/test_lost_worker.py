"""A backfill of days by what docker-compose.yaml starts, on PostgreSQL, Redis and S3, while a worker is lost.

Run by `make test-distributed`. Its services run as processes of this machine (`sandbox/compose_processes.py`), against
the PostgreSQL and the Redis of `VOXLAKE_TEST_PG` and `VOXLAKE_TEST_REDIS`, in databases of their own.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import psycopg2
from end_to_end.truth import assert_lake_holds_the_truth, downloads

from sandbox.compose_file import read_compose
from sandbox.compose_processes import ServiceProcesses
from sandbox.compose_stand import Api, addresses, postgres_database, redis_databases, write_env
from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, run_sandbox
from tests.s3_server import s3_server
from voxlake.lake.s3 import S3Storage

DAG_ID = "ringcentral_recordings"
DAYS = 2
END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
START = END - timedelta(days=DAYS)
# Answers take a while longer, so that there is something to hit; ten requests a second is the quota, and is kept.
SANDBOX = SandboxConfig(
    seed=6,
    mix=CallMix(calls_per_day=12, recorded_share=0.7, transferred_share=0.6, conversation_share=0.2, fax_share=0),
    quotas={"heavy": QuotaLimit(600), "auth": QuotaLimit(5)},
    audio_format="mixed",
    latency=0.3,
)
LOST, KEPT = "worker-1", "worker-2"
# How much of the backfill is over when the worker is lost.
LOST_AFTER = 0.3
PATIENCE = 900.0
# When the scheduler begins a task again whose worker is lost: by default it looks after five minutes, and after ten for
# one that had not begun.
RECOVERY = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
}
BUCKET = "voxlake-distributed"
BEGAN = time.monotonic()


def say(text: str) -> None:
    print(f"[{time.monotonic() - BEGAN:5.0f} s] {text}", flush=True)


def test_a_backfill_outlives_the_worker_that_is_lost_in_the_middle(tmp_path: Path) -> None:
    with run_sandbox(SANDBOX) as sandbox, s3_server() as s3, postgres_database() as pg, redis_databases() as queues:
        aws = {"conn_type": "aws", "login": "test", "password": "test"}
        aws_extra = {"endpoint_url": s3, "region_name": "us-east-1"}
        settings = {
            "VOXLAKE_LAKE_URL": f"s3://{BUCKET}/lake",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws | {"extra": aws_extra}),
            "AIRFLOW_CONN_RINGCENTRAL_DEFAULT": sandbox.connection_json(),
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
            "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": f"s3://{BUCKET}/logs",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "3",
            **RECOVERY,
        }
        client = boto3.client(
            "s3",
            endpoint_url=s3,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=BUCKET)
        services = read_compose(write_env(tmp_path, settings))
        with ServiceProcesses(services, tmp_path, addresses(pg, queues)) as processes:
            try:
                backfill_and_lose_a_worker(processes, sandbox, pg)
            finally:
                keep_logs(tmp_path)
            assert [file for file in processes.files(KEPT) if "state" in file.parts] == []
        requests_of_all = Counter((entry.group, entry.status) for entry in sandbox.requests)
        say(f"requests by quota and status: {dict(requests_of_all)}")
        # One quota, and one login, of all workers.
        assert not [status for _, status in requests_of_all if status == 429]
        assert requests_of_all["auth", 200] == 1
        lake = S3Storage(client, BUCKET, "lake")
        assert_lake_holds_the_truth(lake, sandbox, START, END)
        truth = sandbox.truth(START, END)
        say(
            f"the lake is what the source has: {len(truth.calls)} calls, {len(truth.recordings)} recordings, "
            f"{len(truth.sessions)} sessions"
        )


def keep_logs(folder: Path) -> None:
    """Where the environment asks for it, copies what the services printed."""
    if kept := os.environ.get("VOXLAKE_TEST_LOGS"):
        for log in folder.glob("*.log"):
            (Path(kept) / log.name).write_bytes(log.read_bytes())


def backfill_and_lose_a_worker(processes: ServiceProcesses, sandbox: Sandbox, pg: str) -> None:
    processes.run("init")
    # A second start of init is what every `docker compose up` makes.
    assert "already exists" in processes.run("init")
    say("init has migrated the database, made the user and the pools")
    for service in ("api-server", "scheduler", "dag-processor", "triggerer"):
        processes.start(service)
    for name in (LOST, KEPT):
        processes.start("worker", name)
    for service in ("api-server", "scheduler", "dag-processor", "triggerer"):
        processes.wait_until_healthy(service)
    for name in (LOST, KEPT):
        processes.wait_until_healthy("worker", name)
    say("all six services are healthy, by the file's own checks")
    api = Api(processes.url)
    processes.run("scheduler", "airflow", "dags", "reserialize")
    api.send("PATCH", f"/dags/{DAG_ID}", {"is_paused": False})
    first, last = START.isoformat(), (END - timedelta(hours=1)).isoformat()
    backfill = ["airflow", "backfill", "create", "--dag-id", DAG_ID, "--from-date", first, "--to-date", last]
    processes.run("scheduler", *backfill, "--max-active-runs", "6")
    say(" ".join(backfill))
    hit: list[str] = []
    shown: Counter[str] = Counter()
    deadline = time.monotonic() + PATIENCE
    while True:
        runs = api.get(f"/dags/{DAG_ID}/dagRuns", limit=100)
        assert runs["total_entries"] <= 100
        states = Counter(run["state"] for run in runs["dag_runs"])
        if states != shown:
            say(f"runs: {dict(states)}")
            shown = states
        if not hit and states["success"] >= LOST_AFTER * states.total():
            # Once a task is under way there: it is to be lost.
            while not (hit := processes.tasks(LOST)):
                assert time.monotonic() < deadline, f"{LOST} was given no task"
                time.sleep(0.05)
            processes.kill(LOST)
            say(f"{LOST} is killed with {len(hit)} tasks under way")
        if states["success"] + states["failed"] == states.total():
            break
        assert time.monotonic() < deadline, f"after {PATIENCE:.0f} s: {dict(states)}"
        time.sleep(2)
    assert hit, "the backfill was over before the worker was lost"
    assert states == Counter(success=24 * DAYS)
    found = api.task_instances(DAG_ID)
    again = [one["task_id"] for one in found if one["try_number"] > 1]
    say(f"{len(found)} task instances, at a further try: {', '.join(again)}")
    assert again, "the tasks that were lost were not tried again"
    check_database(pg)
    fetched = Counter(downloads(sandbox))
    say(f"{fetched.total()} downloads of {len(fetched)} recordings")
    check_log(api, found)


def check_database(pg: str) -> None:
    """Nothing large goes from task to task."""
    connection = psycopg2.connect(pg)
    with connection.cursor() as cursor:
        cursor.execute("select count(*), max(octet_length(value::text)), sum(octet_length(value::text)) from xcom")
        count, largest, total = cursor.fetchone()
    connection.close()
    say(f"{count} XComs, the largest {largest} bytes, all {total} bytes")
    assert largest < 16_384


def check_log(api: Api, found: list[dict[str, Any]]) -> None:
    """The log of a task is read from S3 by the API server, which has no file of it."""
    publish = next(one for one in found if one["task_id"] == "publish")
    path = f"/dags/{DAG_ID}/dagRuns/{publish['dag_run_id']}/taskInstances/publish/logs/{publish['try_number']}"
    log = json.dumps(api.get(path))
    assert f"s3://{BUCKET}/logs/" in log
    assert "what the run came to" in log
