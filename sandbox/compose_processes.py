"""Services of `docker-compose.yaml` as processes of this machine, where there is no container engine.

Command, environment and health check of each are those of the file. What a container has of its own, a process is given
instead: a home with no other's files in it, and ports that no other uses.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil  # type: ignore[import-untyped]

from sandbox.compose_file import PROJECT, Service

# Where Dockerfile puts dags/, plugins/ and include/.
IMAGE_FOLDER = "/opt/airflow"
# What the image's entry point does not hand to `airflow`: https://airflow.apache.org/docs/docker-stack/entrypoint.html
_PROGRAMS = ("bash", "python")
# The title of the process of a task, before its id: airflow/sdk/execution_time/task_runner.py
_TASK_TITLE = "airflow worker -- "
START_SECONDS = 180.0
# Standard input is a pipe that this program holds open. It ends with this program even when that is killed and can end
# nothing itself; then the shell's subprocess ends the whole group.
_WITH_US = """
exec 3<&0
(cat <&3; kill -KILL 0) &
exec "$@" </dev/null 3<&-
"""


class ServiceError(RuntimeError):
    """A service did not do what it was to do; the text says what its log ends with."""


class ServiceProcesses:
    """The services that were started; leaving the context kills them.

    Args:
        services: Of the file.
        home: A folder for the homes and the logs of the processes.
        addresses: What stands in the file, such as `@postgres:5432/`, to what stands for it on this machine.
    """

    def __init__(self, services: Mapping[str, Service], home: Path, addresses: Mapping[str, str]) -> None:
        self._services = services
        self._home = home
        with ExitStack() as sockets:
            self._api, self._health, self._flower = (_free_port(sockets) for _ in range(3))
        self.url = f"http://127.0.0.1:{self._api}"
        self._addresses = {
            **addresses,
            "api-server:8080": f"127.0.0.1:{self._api}",
            "localhost:8080": f"127.0.0.1:{self._api}",
            "localhost:8974": f"127.0.0.1:{self._health}",
            "localhost:5555": f"127.0.0.1:{self._flower}",
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Starts nothing yet."""
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kills every process that was started."""
        for name in list(self._running):
            self.kill(name)

    def start(self, service: str, name: str | None = None) -> None:
        """Starts a service.

        Args:
            service: Which.
            name: What its container is called; a service may have several.
        """
        name = name or service
        command = self._command(service, name)
        with (self._home / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                ["sh", "-c", _WITH_US, "sh", *command],
                cwd=self._own_home(name),
                env=self._environment(service, name),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, service: str, *command: str) -> str:
        """Runs a command with the environment of a service, its own if none is given; returns what it printed.

        Raises:
            ServiceError: It ended with an error.
        """
        done = subprocess.run(
            [self._local(part) for part in command] or self._command(service, service),
            cwd=self._own_home(f"{service}-once"),
            env=self._environment(service, f"{service}-once"),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServiceError(f"{service} {' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def is_healthy(self, service: str, name: str | None = None) -> bool:
        """Whether the health check of a service says so."""
        name = name or service
        done = subprocess.run(
            [self._local(part) for part in self._services[service].health],
            cwd=self._own_home(name),
            env=self._environment(service, name),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode == 0

    def wait_until_healthy(self, service: str, name: str | None = None) -> None:
        """Waits until the health check of a service says so.

        Raises:
            ServiceError: The service has ended, or is not healthy after `START_SECONDS`.
        """
        name = name or service
        deadline = time.monotonic() + START_SECONDS
        while not self.is_healthy(service, name):
            if self._running[name].poll() is not None or time.monotonic() > deadline:
                told = (self._home / f"{name}.log").read_text(errors="replace")[-3000:]
                raise ServiceError(f"{name} is not healthy; its log ends:\n{told}")
            time.sleep(1)

    def tasks(self, name: str) -> list[str]:
        """The ids of the tasks that run in a container at this moment."""
        titles = [" ".join(process.info["cmdline"] or []) for process in self._processes(name)]
        return [title.removeprefix(_TASK_TITLE).strip() for title in titles if title.startswith(_TASK_TITLE)]

    def kill(self, name: str) -> None:
        """Kills all processes of a container, as when its host is lost."""
        running = self._running.pop(name)
        # Those that a task starts are in groups of their own; what one of them starts meanwhile is found the next time.
        while alive := [process.pid for process in self._processes(name)]:
            for pid in alive:
                _kill(pid)
        running.communicate()

    def files(self, name: str) -> list[Path]:
        """What the processes of a container have written into their own folder."""
        return sorted(path for path in self._own_home(name).rglob("*") if path.is_file())

    def _command(self, service: str, name: str) -> list[str]:
        command = [self._local(part) for part in self._services[service].command]
        if command[:2] == ["celery", "worker"]:
            # A container has a host name of its own, after which Celery calls the worker.
            command += ["--celery-hostname", name]
        return command if command[0] in _PROGRAMS else ["airflow", *command]

    def _environment(self, service: str, name: str) -> dict[str, str]:
        home = self._own_home(name)
        with ExitStack() as sockets:
            logs = str(_free_port(sockets))
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "LANG": "C.UTF-8",
            **{key: self._local(value) for key, value in self._services[service].environment.items()},
            "HOME": str(home),
            "TMPDIR": str(_made(home / "tmp")),
            "HOSTNAME": name if service == "worker" else socket.gethostname(),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            # All that the talk is with is on this machine.
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._api),
            "AIRFLOW__CELERY__FLOWER_PORT": str(self._flower),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self._health),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": logs,
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": logs,
            "VOXLAKE_STATE_DIR": str(home / "state"),
        }

    def _local(self, text: str) -> str:
        for there, here in self._addresses.items():
            text = text.replace(there, here)
        return text.replace(IMAGE_FOLDER, str(PROJECT))

    def _own_home(self, name: str) -> Path:
        return _made(self._home / name)

    def _processes(self, name: str) -> Iterable[psutil.Process]:
        # Not by the environment: Airflow writes the titles of its processes over that.
        here = str(self._own_home(name).resolve())
        for process in psutil.process_iter(["cwd", "cmdline", "status"]):
            if process.info["cwd"] == here and process.info["status"] != psutil.STATUS_ZOMBIE:
                yield process


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        # It has ended by itself just then.
        return


def _free_port(sockets: ExitStack) -> int:
    # Held open until all are chosen, so that no two are the same.
    probe = sockets.enter_context(socket.socket())
    probe.bind(("127.0.0.1", 0))
    port: int = probe.getsockname()[1]
    return port
