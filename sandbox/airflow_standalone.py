"""Airflow's own `standalone`, started and stopped by a program: for the demo."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

PROJECT = Path(__file__).resolve().parents[1]
START_SECONDS = 180.0
STOP_SECONDS = 20.0
TRIES = 10
# Standard input is a pipe that this program holds open. It ends with this program even when that is killed and can end
# nothing itself; then the shell's subprocess ends the whole group.
_AIRFLOW = f"""
exec 3<&0
(cat <&3; trap '' TERM; kill -TERM 0; sleep {STOP_SECONDS:.0f}; kill -KILL 0) &
exec airflow "$@" </dev/null 3<&-
"""


class AirflowStartError(RuntimeError):
    """Airflow did not come up; the text says what its log ends with."""


def archive_environment(connection_json: str, folder: Path) -> dict[str, str]:
    """The variables with which Airflow archives into a folder of its own.

    Args:
        connection_json: The connection `ringcentral_default`, as `Sandbox.connection_json` gives it.
        folder: Where the lake (`lake`) and the shared state (`state`) shall lie.
    """
    return {
        "AIRFLOW_CONN_RINGCENTRAL_DEFAULT": connection_json,
        "VOXLAKE_LAKE_URL": str(folder / "lake"),
        "VOXLAKE_STATE_DIR": str(folder / "state"),
    }


class AirflowStandalone:
    """Scheduler, DAG processor, triggerer and API server of a folder of their own, on free ports.

    `prepare` makes the database with the pools and the DAGs in it. Entering the context starts Airflow and waits until
    the API server answers; leaving it ends every process that was started, and so does the end of this program.

    Args:
        home: The `AIRFLOW_HOME`; its database, logs and configuration lie there.
        environment: Further variables, such as connections and `VOXLAKE_*`.
    """

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        with ExitStack() as sockets:
            api, scheduler_logs, triggerer_logs = (_free_port(sockets) for _ in range(3))
        self.url = f"http://127.0.0.1:{api}"
        # Nothing of an installation that the caller has set up for other purposes may leak in.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "VOXLAKE_"))}
        # Without compiled modules each of the many processes would compile all of Airflow for itself.
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        self.environment = {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__PARALLELISM": str(3 * (os.cpu_count() or 1)),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(api),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(scheduler_logs),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(triggerer_logs),
            # Only what is asked for runs: no hour of today beside the backfill.
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
            **environment,
        }
        self.log = home / "standalone.log"
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Makes the database with the pools and the DAGs in it.

        Raises:
            AirflowStartError: A command of Airflow failed.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self.cli("db", "migrate")
        self.cli("pools", "import", str(PROJECT / "include" / "pools.json"))
        self.cli("dags", "reserialize")

    def __enter__(self) -> Self:
        """Starts it.

        Raises:
            AirflowStartError: It did not come up within `START_SECONDS`.
        """
        self._process = self.start("standalone", self.log)
        try:
            self.wait_until_ready(self._process, self.log)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops it."""
        self.stop()

    def start(self, command: str, log: Path) -> subprocess.Popen[bytes]:
        """Starts `airflow <command>` in its home, as the first of a session and group of its own that ends with us.

        Args:
            command: Such as `standalone` or `scheduler`.
            log: What it prints is added here.
        """
        with log.open("ab") as file:
            return subprocess.Popen(
                ["sh", "-c", _AIRFLOW, "sh", command],
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def cli(self, *arguments: str) -> str:
        """Runs `airflow` with these arguments and returns what it printed.

        Raises:
            AirflowStartError: It ended with an error, which the text shows.
        """
        done = subprocess.run(
            ["airflow", *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise AirflowStartError(
                f"airflow {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def backfill(self, dag_id: str, first: datetime, last: datetime, max_active_runs: int, *options: str) -> str:
        """Creates a backfill of the runs whose intervals begin from `first` to `last`; returns the command.

        Before Airflow is started: SQLite refuses a transaction that read before another process wrote, so that a
        backfill created beside a busy scheduler may end with "database is locked".
        """
        command = [
            "backfill",
            "create",
            "--dag-id",
            dag_id,
            "--from-date",
            first.isoformat(),
            "--to-date",
            last.isoformat(),
        ]
        command += ["--max-active-runs", str(max_active_runs), *options]
        self.cli(*command)
        return f"airflow {' '.join(command)}"

    def unpause(self, dag_id: str) -> None:
        """Lets the runs of a DAG start that is paused."""
        self.send("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def run_states(self, dag_id: str) -> Counter[str]:
        """How many runs of a DAG are in each state."""
        states: Counter[str] = Counter()
        while True:
            page = self.get(f"/dags/{dag_id}/dagRuns", limit=100, offset=states.total())
            states.update(run["state"] for run in page["dag_runs"])
            if states.total() >= page["total_entries"]:
                return states

    def get(self, path: str, **params: Any) -> Any:
        """What the REST API answers to a GET of `/api/v2` + path."""
        reply = requests.get(f"{self.url}/api/v2{path}", params=params, timeout=30)
        reply.raise_for_status()
        return reply.json()

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """What the REST API answers to a POST or a PATCH of `/api/v2` + path."""
        # SQLite may refuse it beside a scheduler that writes at the same moment.
        for attempt in range(TRIES):
            reply = requests.request(method, f"{self.url}/api/v2{path}", json=body, timeout=30)
            if reply.status_code < 500 or attempt == TRIES - 1:
                break
            time.sleep(1)
        reply.raise_for_status()
        return reply.json()

    def stop(self) -> None:
        """Ends every process that was started, by force where it does not end by itself."""
        if self._process is None:
            return
        process, self._process = self._process, None
        # To all at once: `standalone` passes nothing on when it is terminated, and hangs when all are interrupted.
        alive = _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while alive and time.monotonic() < deadline:
            time.sleep(0.1)
            process.poll()
            alive = _signal_group(process.pid, 0)
        _signal_group(process.pid, signal.SIGKILL)
        process.communicate()

    def wait_until_ready(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Waits until the API server answers.

        Args:
            process: Which it is, or which has started it.
            log: Of this process.

        Raises:
            AirflowStartError: It has ended, or has not answered within `START_SECONDS`; the text has the log's end.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                self.get("/monitor/health")
            except requests.RequestException:
                time.sleep(0.5)
            else:
                return
        told = log.read_text(errors="replace")[-3000:]
        raise AirflowStartError(f"Airflow did not come up within {START_SECONDS:.0f} s; its log {log} ends:\n{told}")


def _free_port(sockets: ExitStack) -> int:
    # Held open until all are chosen, so that no two are the same.
    probe = sockets.enter_context(socket.socket())
    probe.bind(("127.0.0.1", 0))
    port: int = probe.getsockname()[1]
    return port


def _signal_group(group: int, signal_number: int) -> bool:
    """Whether there was anybody left to signal; signal 0 only asks."""
    try:
        os.killpg(group, signal_number)
    except ProcessLookupError:
        return False
    return True
