"""Airflow's servers as processes of their own, to be killed and started again one by one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Literal, Self, get_args

import psutil  # type: ignore[import-untyped]

from sandbox.airflow_standalone import AirflowStandalone

Server = Literal["api-server", "scheduler", "dag-processor"]
# The title of what the LocalExecutor has tasks supervised in: airflow/executors/local_executor.py.
_WORKER_TITLE = "airflow worker -- LocalExecutor"


class AirflowServers:
    """The API server, the scheduler with its executor's workers, and the DAG processor of an Airflow.

    Entering the context starts them and waits until the API server answers; leaving it kills every process that was
    started.

    Args:
        airflow: Whose, prepared and not started.
    """

    def __init__(self, airflow: AirflowStandalone) -> None:
        self._airflow = airflow
        self._running: dict[Server, subprocess.Popen[bytes]] = {}
        # Kept, as what they left would end with their standard input.
        self._killed: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Starts them.

        Raises:
            AirflowStartError: The API server did not come up.
        """
        try:
            for server in get_args(Server):
                self._start(server)
            self._airflow.wait_until_ready(self._running["api-server"], self._airflow.home / "api-server.log")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kills them."""
        self._end()

    def kill(self, server: Server, *, alone: bool) -> None:
        """Kills a server and starts it again at once.

        Args:
            server: Which.
            alone: Whether what it started goes on without it, and is not killed with it, as when its container is.
        """
        process = self._running[server]
        _kill([psutil.Process(process.pid), *([] if alone else _children(process.pid, recursive=True))])
        process.wait()
        self._killed.append(process)
        self._start(server)

    def supervisors(self) -> list[psutil.Process]:
        """The executor's workers that run a task at this moment, those of a killed scheduler too."""
        return [process for process in self._workers() if _children(process.pid)]

    def tasks(self) -> list[psutil.Process]:
        """The processes of the tasks that run at this moment."""
        return [task for process in self._workers() for task in _children(process.pid)]

    def _workers(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter(["cmdline"]):
            if " ".join(process.info["cmdline"] or []).startswith(_WORKER_TITLE) and self._is_ours(process):
                yield process

    def _start(self, server: Server) -> None:
        self._running[server] = self._airflow.start(server, self._airflow.home / f"{server}.log")

    def _end(self) -> None:
        # Tasks are in groups of their own, and what a killed server left has no parent.
        _kill(process for process in psutil.process_iter() if self._is_ours(process))
        for process in (*self._running.values(), *self._killed):
            process.communicate()

    def _is_ours(self, process: psutil.Process) -> bool:
        # Not by its environment: Airflow writes the titles of its processes over that.
        try:
            return bool(process.cwd() == str(self._airflow.home.resolve()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            # Another user's, or gone.
            return False


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _children(pid: int, *, recursive: bool = False) -> list[psutil.Process]:
    try:
        children = psutil.Process(pid).children(recursive=recursive)
        return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return []
