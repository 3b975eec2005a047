"""What the services of docker-compose.yaml need beside them on this machine: databases of their own, and settings."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2  # type: ignore[import-untyped]
import redis
import requests
from cryptography.fernet import Fernet

ADMIN_PASSWORD = secrets.token_hex(16)
_POSTGRES_PASSWORD, _REDIS_PASSWORD = "postgres-password", "redis-password"


class Api:
    """Airflow's REST API, as the user `admin` that `init` has made."""

    def __init__(self, url: str) -> None:
        self._url = url
        login = {"username": "admin", "password": ADMIN_PASSWORD}
        reply = requests.post(f"{url}/auth/token", json=login, timeout=60)
        reply.raise_for_status()
        self._headers = {"Authorization": f"Bearer {reply.json()['access_token']}"}

    def get(self, path: str, **params: Any) -> Any:
        """What the API answers to a GET of `/api/v2` + path."""
        reply = requests.get(f"{self._url}/api/v2{path}", params=params, headers=self._headers, timeout=60)
        reply.raise_for_status()
        return reply.json()

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """What it answers to a POST or a PATCH."""
        url = f"{self._url}/api/v2{path}"
        reply = requests.request(method, url, json=body, headers=self._headers, timeout=60)
        reply.raise_for_status()
        return reply.json()

    def task_instances(self, dag_id: str) -> list[dict[str, Any]]:
        """All of a DAG's."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(f"/dags/{dag_id}/dagRuns/~/taskInstances", limit=100, offset=len(found))
            found += page["task_instances"]
            if len(found) >= page["total_entries"]:
                return found


@contextmanager
def postgres_database() -> Iterator[str]:
    """A new database of the PostgreSQL server of `VOXLAKE_TEST_PG`: its URL."""
    url = os.environ.get("VOXLAKE_TEST_PG", "postgresql://postgres@127.0.0.1:5432/postgres")
    name = f"voxlake_distributed_{os.getpid()}"
    _execute(url, f"create database {name}")
    try:
        yield f"{url.rpartition('/')[0]}/{name}"
    finally:
        _execute(url, f"drop database {name} with (force)")


@contextmanager
def redis_databases() -> Iterator[tuple[str, str]]:
    """Two empty databases of the Redis server of `VOXLAKE_TEST_REDIS`, for the queue and for the quota: their URLs."""
    url = os.environ.get("VOXLAKE_TEST_REDIS", "redis://127.0.0.1:6379").rstrip("/")
    urls = f"{url}/12", f"{url}/13"
    _empty(urls)
    try:
        yield urls
    finally:
        _empty(urls)


def addresses(postgres: str, queues: tuple[str, str]) -> dict[str, str]:
    """What stands in docker-compose.yaml with the settings of `write_env`, to what stands for it on this machine."""
    parts = urlsplit(postgres)
    return {
        f"airflow:{_POSTGRES_PASSWORD}@postgres:5432/airflow": f"{parts.netloc}{parts.path}",
        f"redis://:{_REDIS_PASSWORD}@redis:6379/0": queues[0],
        f"redis://:{_REDIS_PASSWORD}@redis:6379/1": queues[1],
    }


def write_env(folder: Path, settings: Mapping[str, str]) -> Path:
    """A `.env`, as an operator writes it: the secrets, and what is given."""
    file = folder / "stand.env"
    merged = {
        "COMPOSE_PROFILES": "celery",
        "POSTGRES_PASSWORD": _POSTGRES_PASSWORD,
        "REDIS_PASSWORD": _REDIS_PASSWORD,
        "API_SECRET_KEY": secrets.token_hex(32),
        "JWT_SECRET": secrets.token_hex(32),
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
        "FERNET_KEY": Fernet.generate_key().decode(),
        "VOXLAKE_ENV_FILE": str(file),
        # Only what is asked for runs: no hour of today beside it.
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        **settings,
    }
    file.write_text("".join(f"{name}='{value}'\n" for name, value in merged.items()))
    return file


def _execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def _empty(urls: tuple[str, ...]) -> None:
    for url in urls:
        with redis.Redis.from_url(url) as server:
            server.flushdb()
