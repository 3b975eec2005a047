"""The image holds what docker-compose.yaml, the locked requirements and the test of its services take for granted.

`make test-distributed` runs the services out of docker-compose.yaml itself, with their commands, environments and
health checks. What it has to replace is looked at here, so that nothing of the file is hidden by it.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from deploy.conftest import WriteEnv

from sandbox.compose_file import PROJECT, Service, read_compose
from sandbox.compose_processes import IMAGE_FOLDER, ServiceProcesses

DOCKERFILE = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
ADDRESSES = {
    "airflow:p0@postgres:5432/airflow": "somebody@127.0.0.1:1/database",
    "redis://:r0@redis:6379/0": "redis://127.0.0.1:2/12",
    "redis://:r0@redis:6379/1": "redis://127.0.0.1:2/13",
}


@pytest.fixture
def services(write_env: WriteEnv) -> dict[str, Service]:
    return read_compose(write_env(COMPOSE_PROFILES="celery,flower"))


def instructions(name: str) -> list[list[str]]:
    """The arguments of each instruction of the Dockerfile's first stage with this name."""
    stage = DOCKERFILE.split("\nFROM ")[1]
    return [shlex.split(line.removeprefix(name)) for line in stage.splitlines() if line.startswith(f"{name} ")]


def test_the_image_is_of_the_airflow_and_the_python_that_are_tested() -> None:
    airflow = re.search(r"^apache-airflow==([\d.]+)", (PROJECT / "requirements.txt").read_text(), re.MULTILINE)
    python = re.search(r'^target-version = "py3(\d+)"', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    assert airflow is not None
    assert python is not None

    bases = re.findall(r"^FROM (apache/\S+)", DOCKERFILE, re.MULTILINE)

    assert bases == [f"apache/airflow:{airflow[1]}-python3.{python[1]}"]


def test_the_image_has_the_folders_where_the_processes_find_them() -> None:
    copied = {}
    for _owner, *sources, target in instructions("COPY"):
        for source in sources:
            assert (PROJECT / source).exists(), source
            copied[source] = target
    for folder in ("dags", "plugins", "include"):
        assert copied[folder] == f"{IMAGE_FOLDER}/{folder}"
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert {f"!{source}" for source in copied} <= set(ignored)


def test_nothing_of_the_image_belongs_to_root_or_runs_as_root() -> None:
    assert "USER" not in DOCKERFILE
    assert {owner for owner, *_ in instructions("COPY")} == {"--chown=airflow:0"}


def test_the_image_installs_exactly_what_is_locked() -> None:
    commands = [part for run in instructions("RUN") for part in " ".join(run).split(" && ")]

    assert f"uv pip sync --no-cache --require-hashes {IMAGE_FOLDER}/requirements.txt" in commands
    installs = [command for command in commands if " install " in command]
    assert installs == [f"uv pip install --no-cache --no-deps --editable {IMAGE_FOLDER}"]


def test_volumes_are_mounted_where_the_image_has_a_folder_of_its_users(services: dict[str, Service]) -> None:
    made = {part for run in instructions("RUN") for part in run if part.startswith(IMAGE_FOLDER)}

    for name, service in services.items():
        for target in service.mounts:
            assert target in made or name in ("postgres", "redis"), (name, target)


def test_the_processes_replace_nothing_that_the_file_sets(
    services: dict[str, Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = ServiceProcesses(services, tmp_path, ADDRESSES)
    started: list[dict[str, str]] = []
    monkeypatch.setattr("subprocess.run", lambda *_, env, **__: started.append(env))

    for name in ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker", "flower"):
        with pytest.raises(AttributeError):
            # Its result is looked at, of which there is none.
            processes.run(name)
        environment = services[name].environment
        found = started.pop()
        for variable, value in environment.items():
            expected = value.replace(IMAGE_FOLDER, str(PROJECT)).replace("http://api-server:8080", processes.url)
            for there, here in ADDRESSES.items():
                expected = expected.replace(there, here)
            assert found[variable] == expected
            # What is left of the file's host names would be looked for in vain.
            assert not re.search(r"(?<=[@/])(postgres|redis|api-server|s3):\d", found[variable]), variable
