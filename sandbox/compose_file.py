"""`docker-compose.yaml` as Docker Compose itself reads it: merged, interpolated and held against its schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
# Installed by `make install-dev`; it needs no container engine to read a file.
DOCKER_COMPOSE = Path(sys.executable).with_name("docker-compose")


class ComposeError(RuntimeError):
    """Docker Compose refuses the file or its settings; the text is its own."""


@dataclass(frozen=True)
class Service:
    """A service of the file.

    Attributes:
        name: Its name, under which the others reach it.
        command: What its image's entry point is given.
        environment: Its variables, those of the env file among them.
        health: The command that tells whether it is healthy; empty where there is none.
        mounts: Target in the container to the volume or folder that is mounted there.
        definition: All of it, as `docker compose config` prints it.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    health: Sequence[str]
    mounts: Mapping[str, str]
    definition: Mapping[str, Any]


def read_compose(env_file: Path, *files: Path, profiles: Sequence[str] = ()) -> dict[str, Service]:
    """The services that would be started, by name.

    Args:
        env_file: In place of `.env`.
        files: In place of `docker-compose.yaml`; later ones override.
        profiles: In place of `COMPOSE_PROFILES` of the env file.

    Raises:
        ComposeError: The file is not as its schema says, or a variable that it requires is missing.
    """
    command = [str(DOCKER_COMPOSE), "--project-directory", str(PROJECT), "--env-file", str(env_file)]
    for file in files or (PROJECT / "docker-compose.yaml",):
        command += ["--file", str(file)]
    for profile in profiles:
        command += ["--profile", profile]
    # Nothing but the env file is to be interpolated.
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [*command, "config", "--format", "json"], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ComposeError(done.stderr.strip())
    services = _unescaped(json.loads(done.stdout))["services"]
    return {name: _service(name, definition) for name, definition in services.items()}


def _service(name: str, definition: Mapping[str, Any]) -> Service:
    test = definition.get("healthcheck", {}).get("test", ["NONE"])
    return Service(
        name=name,
        command=definition.get("command") or [],
        environment=definition.get("environment") or {},
        health={"CMD": test[1:], "CMD-SHELL": ["sh", "-c", *test[1:]], "NONE": []}[test[0]],
        mounts={mount["target"]: mount["source"] for mount in definition.get("volumes", ())},
        definition=definition,
    )


def _unescaped(value: Any) -> Any:
    """What is printed is itself a compose file, in which `$$` stands for `$`."""
    if isinstance(value, dict):
        return {name: _unescaped(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_unescaped(one) for one in value]
    return value.replace("$$", "$") if isinstance(value, str) else value
