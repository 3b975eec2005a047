"""Kills a random process of Airflow every few seconds of five runs; the lake must end as one that nobody disturbed.

First the runs are made undisturbed. Then they are made into another lake, while processes of tasks, their supervisors,
the scheduler, the API server and the DAG processor are killed (SIGKILL), and every file in the lake is looked at as
soon as it appears. What failed or waits for its next try is cleared, as a person would, until all runs are green.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import requests
from compared_lakes import differences, left_behind, watched

from sandbox.airflow_servers import AirflowServers, Server
from sandbox.airflow_standalone import AirflowStandalone, archive_environment
from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, run_sandbox

DAG_ID = "ringcentral_recordings"
# Of a fixed day, so that every check is of the same 16 sessions with 101 recordings, spread over the runs.
START = datetime(2026, 3, 22, 8, tzinfo=UTC)
RUNS = 5
RUN_LENGTH = timedelta(hours=2)
# Every answer takes half a second longer, so that downloads last long enough to be hit.
SANDBOX = SandboxConfig(
    seed=22,
    mix=CallMix(
        calls_per_day=18,
        recorded_share=1,
        transferred_share=1,
        transfer_recordings=(6, 8),
        short_share=0,
        fax_share=0,
        leg_seconds=(30, 32),
        conversation_share=1,
    ),
    quotas={"heavy": QuotaLimit(6000), "auth": QuotaLimit(5)},
    audio_format="mixed",
    latency=0.5,
    now=START + timedelta(days=1),
)
# When the scheduler begins a task again that a killed scheduler or a killed supervisor had, or that a supervisor was
# killed just before it began: by default it looks every five minutes, and after five and ten minutes.
RECOVERY = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}
# The servers, and whether what they started goes on without them.
SERVERS: dict[str, tuple[Server, bool]] = {
    "scheduler": ("scheduler", False),
    "scheduler alone": ("scheduler", True),
    "api-server": ("api-server", False),
    "dag-processor": ("dag-processor", False),
}
# How many of eleven kills hit each: a server takes longer to be back than a task.
SHARES = {"task": 4, "supervisor": 3, "scheduler": 1, "scheduler alone": 1, "api-server": 1, "dag-processor": 1}
PATIENCE = 240.0
# Seconds that it takes the servers to come up.
TASK_WITHIN = 8.0
BEGAN = time.monotonic()


def main() -> int:
    """0 if the killed runs end in the same lake."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000), help="of the kills")
    parser.add_argument("--every", type=float, default=2.5, help="seconds from one kill to the next (2.5)")
    parser.add_argument("--kills", type=int, default=24, help="how many, if the runs last so long (24)")
    parser.add_argument("--folder", type=Path, help="an empty folder, to keep the lakes and Airflow's logs in")
    arguments = parser.parse_args()
    os.environ |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    say(f"seed {arguments.seed}, a kill every {arguments.every} s")
    with tempfile.TemporaryDirectory() as temporary, run_sandbox(SANDBOX) as sandbox:
        home = (arguments.folder or Path(temporary)).resolve()
        airflow = AirflowStandalone(home / "airflow", environment(sandbox, home / "undisturbed"))
        airflow.prepare()
        say("Airflow is prepared; undisturbed:")
        with AirflowServers(airflow):
            trigger(airflow, "undisturbed")
            problems = wait_until_green(airflow, "undisturbed")
        undisturbed, killed = home / "undisturbed" / "lake", home / "killed" / "lake"
        sandbox.reset()
        airflow = AirflowStandalone(home / "airflow", environment(sandbox, home / "killed"))
        with AirflowServers(airflow) as servers, watched(killed, undisturbed) as watch:
            trigger(airflow, "killed")
            killer = Killer(servers, arguments.seed)
            kill_along(airflow, killer, arguments.kills, arguments.every)
            problems += wait_until_green(airflow, "killed")
        say(f"{watch.seen} files were looked at when they appeared, {len(watch.problems)} were not whole")
        problems += watch.problems + differences(undisturbed, killed) + left_behind(killed)
        problems += downloads_that_no_kill_explains(sandbox, killer)
    print("\n".join(problems) if problems else "the lakes are the same")
    return 1 if problems else 0


def environment(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """The variables of an Airflow that archives into `folder / "lake"`."""
    return archive_environment(sandbox.connection_json(), folder) | RECOVERY


def trigger(airflow: AirflowStandalone, name: str) -> None:
    """Begins the runs, each of some hours of the day."""
    for number in range(RUNS):
        start = START + number * RUN_LENGTH
        window = {"start": start.isoformat(), "end": (start + RUN_LENGTH).isoformat()}
        body = {"dag_run_id": f"{name}-{number}", "logical_date": None, "conf": window}
        airflow.send("POST", f"/dags/{DAG_ID}/dagRuns", body)


def states(airflow: AirflowStandalone, name: str) -> Counter[str]:
    """How many of the runs are in each state; none if the API server does not answer."""
    try:
        runs = airflow.get(f"/dags/{DAG_ID}/dagRuns", limit=100)["dag_runs"]
    except requests.RequestException:
        return Counter()
    return Counter(run["state"] for run in runs if run["dag_run_id"].startswith(f"{name}-"))


def wait_until_green(airflow: AirflowStandalone, name: str) -> list[str]:
    """Clears what failed or waits until every run has succeeded; the problem if they do not in `PATIENCE` seconds."""
    deadline, shown = time.monotonic() + PATIENCE, Counter[str]()
    while time.monotonic() < deadline:
        found = states(airflow, name)
        if found and found != shown:
            say(f"runs: {dict(found)}")
            shown = found
        if found["success"] == RUNS:
            return []
        clear(airflow, name)
        time.sleep(2)
    return [f"the runs {name} are not green after {PATIENCE:.0f} s: {dict(shown)}"]


def clear(airflow: AirflowStandalone, name: str) -> None:
    """Has tasks that failed, or wait for their next try, done again now, as a person would."""
    try:
        found = airflow.get(
            f"/dags/{DAG_ID}/dagRuns/~/taskInstances", limit=100, state=["up_for_retry", "failed", "upstream_failed"]
        )["task_instances"]
        for one in found:
            if one["dag_run_id"].startswith(f"{name}-"):
                task = one["task_id"] if one["map_index"] < 0 else [one["task_id"], one["map_index"]]
                body = {
                    "dry_run": False,
                    "dag_run_id": one["dag_run_id"],
                    "task_ids": [task],
                    "only_failed": False,
                    "include_downstream": one["state"] != "up_for_retry",
                }
                airflow.send("POST", f"/dags/{DAG_ID}/clearTaskInstances", body)
                say(f"cleared {one['dag_run_id']} {task}, which was {one['state']}")
    except requests.RequestException as error:
        say(f"not cleared: {type(error).__name__}")


class Killer:
    """Kills one process at a time, at random.

    Attributes:
        kills: How many of each kind.
        tasks_hit: How many tasks were under way in all that was killed.
    """

    def __init__(self, servers: AirflowServers, seed: int) -> None:
        self._servers = servers
        self._random = random.Random(seed)  # noqa: S311 # not for secrets
        self._next: list[str] = []
        self.kills: Counter[str] = Counter()
        self.tasks_hit = 0

    def kill(self) -> None:
        """Kills a process once a task is under way: a kill is to hit the archive."""
        deadline = time.monotonic() + TASK_WITHIN
        while not (tasks := self._servers.tasks()) and time.monotonic() < deadline:
            time.sleep(0.2)
        alive = {"task": tasks, "supervisor": self._servers.supervisors()}
        if not self._next:
            self._next = [kind for kind, share in SHARES.items() for _ in range(share)]
            self._random.shuffle(self._next)
        kind = self._next.pop()
        if kind in alive:
            try:
                self._random.choice(alive[kind]).kill()
            except (IndexError, psutil.NoSuchProcess):
                # There is none, or it ended by itself just then.
                return
            self.tasks_hit += 1
        else:
            server, alone = SERVERS[kind]
            self._servers.kill(server, alone=alone)
            self.tasks_hit += len(tasks) if server == "scheduler" else 0
        self.kills[kind] += 1
        say(f"killed {kind}, with {len(tasks)} tasks under way")


def kill_along(airflow: AirflowStandalone, killer: Killer, kills: int, every: float) -> None:
    """Kills while the runs last."""
    while killer.kills.total() < kills:
        time.sleep(every)
        killer.kill()
        clear(airflow, "killed")
        if states(airflow, "killed")["success"] == RUNS:
            break
    say(f"no more kills: {killer.kills.total()}, {dict(killer.kills)}")


def downloads_that_no_kill_explains(sandbox: Sandbox, killer: Killer) -> list[str]:
    """Whether a recording was not downloaded, or more than what was under way in the killed processes was twice."""
    counts = Counter(
        entry.path.split("/")[-2]
        for entry in sandbox.requests
        if entry.path.endswith("/content") and entry.status == 200
    )
    again = counts.total() - len(counts)
    print(
        f"{counts.total()} downloads of {len(counts)} recordings; {killer.kills.total()} kills hit {killer.tasks_hit} "
        f"tasks: {dict(killer.kills)}"
    )
    problems = []
    if counts.keys() != {recording.id for recording in sandbox.truth(START, START + RUNS * RUN_LENGTH).recordings}:
        problems.append("the recordings that were downloaded are not those of the source")
    if again > killer.tasks_hit:
        problems.append(f"{again} downloads more than recordings, by {killer.tasks_hit} killed tasks")
    return problems


def say(text: str) -> None:
    """A line of progress."""
    print(f"[{time.monotonic() - BEGAN:5.0f} s] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
