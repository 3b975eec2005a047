"""Airflow's API server as it is shipped, with Voxlake's plugin, and users of each role: of both auth managers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from sandbox.airflow_standalone import AirflowStandalone

PASSWORD = "for this test only"
SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"

# As docs/recordings-page.md gives them to a role; `Plugins` shows the entry in the navigation.
LISTENER = ("Recordings", "Recordings Audio", "Website", "Plugins")
RIGHTS = ("Recordings", "Recordings Audio", "Recordings Phone Numbers", "Recordings Access Log")


@dataclass(frozen=True)
class Server:
    """A running API server.

    Attributes:
        url: Where it is.
        tokens: A token of a user of each role, by the role's name.
        airflow: To ask its REST API and to start its other processes.
    """

    url: str
    tokens: Mapping[str, str] = field(repr=False)
    airflow: AirflowStandalone = field(repr=False)

    def get(self, path: str, role: str | None = None, **options: Any) -> requests.Response:
        """What is answered to a user of the role; to somebody who is not logged in, without one."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        headers |= options.pop("headers", {})
        return requests.get(self.url + path, headers=headers, timeout=60, allow_redirects=False, **options)


@contextmanager
def simple_server(home: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """With the SimpleAuthManager and a user of each of its roles."""
    roles = ("viewer", "user", "op", "admin")
    home.mkdir(parents=True)
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps(dict.fromkeys(roles, PASSWORD)))
    airflow = AirflowStandalone(
        home,
        {
            "AIRFLOW__CORE__AUTH_MANAGER": SIMPLE,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{role}:{role}" for role in roles),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            **environment,
        },
    )
    airflow.cli("db", "migrate")
    with _running(airflow):
        yield Server(airflow.url, {role: _token(airflow.url, role) for role in roles}, airflow)


@contextmanager
def fab_server(home: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """With FAB in SQLite, the roles that it has itself, and some that an administrator makes of Voxlake's rights."""
    home.mkdir(parents=True)
    airflow = AirflowStandalone(home, {"AIRFLOW__CORE__AUTH_MANAGER": FAB, **environment})
    airflow.cli("db", "migrate")
    who = ["--firstname", "A", "--lastname", "B", "--email", "admin@localhost"]
    airflow.cli("users", "create", "--username", "Admin", "--role", "Admin", "--password", PASSWORD, *who)
    made = {
        "Listener": LISTENER,
        "Listener with numbers": (*LISTENER, "Recordings Phone Numbers"),
        "Auditor": ("Recordings", "Recordings Access Log"),
    }
    with _running(airflow):
        tokens = {"Admin": _token(airflow.url, "Admin")}
        admin = {"Authorization": f"Bearer {tokens['Admin']}"}
        for role, resources in made.items():
            actions = [{"action": {"name": "can_read"}, "resource": {"name": name}} for name in resources]
            _post(airflow.url, "/auth/fab/v1/roles", {"name": role, "actions": actions}, admin)
        for role in ("Viewer", "User", "Op", *made):
            user = {
                "username": role,
                "email": f"{role}@localhost".replace(" ", "."),
                "first_name": "A",
                "last_name": "B",
            }
            _post(airflow.url, "/auth/fab/v1/users", user | {"password": PASSWORD, "roles": [{"name": role}]}, admin)
            tokens[role] = _token(airflow.url, role)
        yield Server(airflow.url, tokens, airflow)


@contextmanager
def _running(airflow: AirflowStandalone) -> Iterator[None]:
    log = airflow.home / "api-server.log"
    process = airflow.start("api-server", log)
    try:
        airflow.wait_until_ready(process, log)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _token(url: str, user: str) -> str:
    token: str = _post(url, "/auth/token", {"username": user, "password": PASSWORD}, {})["access_token"]
    return token


def _post(url: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
    reply = requests.post(url + path, json=body, headers=headers, timeout=60)
    assert reply.ok, f"{path}: {reply.status_code} {reply.text}"
    return reply.json()
