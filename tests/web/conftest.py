"""A lake with conversations, and the app over real HTTP: behind Airflow's SimpleAuthManager in this process."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.utils.db import initdb
from fastapi import FastAPI

from voxlake.lake import layout, tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import ACCESS_LOG, RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings
from voxlake.web.app import create_app

START = datetime(2026, 3, 4, 9, 30, 15, tzinfo=UTC)
DAY = START.date()
SESSION = "s-a1b2c3"
RECORDING = "4711"
CONVERSATION = f"/voxlake/conversations/ringcentral/{SESSION}"
AUDIO = f"{CONVERSATION}/audio"
ORIGINAL = f"{CONVERSATION}/recordings/{RECORDING}/audio"
MERGED = bytes(range(256)) * 4000
ONE_LEG = b"RIFF" + bytes(range(255, -1, -1)) * 100
PEAKS = b'{"duration": 1, "peaks": [[0.5]]}'
NUMBER = "+16505550101"

Serve = Callable[..., "Site"]


@dataclass(frozen=True)
class Site:
    """The app, mounted as Airflow mounts it.

    Attributes:
        url: Of the server.
        lake: Which the app reads.
        app: The app itself.
    """

    url: str
    lake: Storage
    app: FastAPI = field(repr=False)

    def get(self, path: str, role: str | None = "admin", method: str = "GET", **options: Any) -> requests.Response:
        """What is answered to a user of a role; to somebody who is not logged in, with None."""
        headers = {"Authorization": f"Bearer {token(role)}"} if role else {}
        # Nothing is to be unpacked or followed by itself.
        headers |= {"Accept-Encoding": "identity"} | options.pop("headers", {})
        return requests.request(method, self.url + path, headers=headers, timeout=60, allow_redirects=False, **options)


def token(role: str) -> str:
    """A token of Airflow's for a user of the role."""
    user = SimpleAuthManagerUser(username=f"{role} {NUMBER}", role=role)
    return create_auth_manager().generate_jwt(user)


@pytest.fixture(scope="session", autouse=True)
def airflow() -> Iterator[None]:
    """The database, which knows of tokens that are good no more, and the auth manager."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", secrets.token_urlsafe(64))
        initdb()
        create_auth_manager().init()
        yield


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Those of the environment, read anew by each test, with a folder of its own for what the processes share."""
    monkeypatch.setenv("VOXLAKE_STATE_DIR", str(tmp_path / "state"))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves the app over a lake, with uvicorn's `proxy_headers` as Airflow's own option sets it."""
    with _servers() as start:

        def start_site(lake: Storage, *, proxy_headers: bool = False) -> Site:
            app = create_app(lambda: lake)
            whole = FastAPI()
            whole.mount("/voxlake", app)
            return Site(start(whole, proxy_headers), lake, app)

        yield start_site


@pytest.fixture
def archive(tmp_path: Path) -> LocalStorage:
    """A local lake with one conversation of two recordings, one of them held."""
    lake = LocalStorage(tmp_path / "lake")
    put_conversation(lake)
    return lake


@pytest.fixture
def site(archive: LocalStorage, serve: Serve) -> Site:
    return serve(archive)


def put_conversation(lake: Storage, **changed: Any) -> None:
    """Puts a merged conversation into a lake: rows and files as `publish` leaves them.

    Args:
        lake: Where.
        changed: Columns of `sessions` that are to have another value.
    """
    merged = {
        "provider": "ringcentral",
        "account_id": "1",
        "telephony_session_id": SESSION,
        "start_time": START,
        "end_time": START + timedelta(seconds=1),
        "from_phone_number": NUMBER,
        "call_ids": [],
        "recording_ids": [RECORDING],
        "chapters": [{"recording_id": RECORDING, "start_ms": 0, "end_ms": 1000}],
        "status": "partial",
        "missing": [{"recording_id": "4712", "reason": "pending"}],
        "duration_ms": 1000,
        "size_bytes": len(MERGED),
        "sha256": "0" * 64,
        "audio_path": layout.session_audio(SESSION, DAY, "audio/mpeg"),
        "content_type": "audio/mpeg",
        "peaks_path": layout.session_peaks(SESSION, DAY),
        "merged_at": START,
    }
    recording = {
        "provider": "ringcentral",
        "account_id": "1",
        "recording_id": RECORDING,
        "telephony_session_id": SESSION,
        "start_time": START,
        "status": "downloaded",
        "audio_path": layout.recording_audio(RECORDING, DAY, "audio/wav"),
    }
    waiting = recording | {"recording_id": "4712", "status": "pending", "audio_path": None}
    lake.put(layout.session_audio(SESSION, DAY, "audio/mpeg"), MERGED)
    lake.put(layout.recording_audio(RECORDING, DAY, "audio/wav"), ONE_LEG)
    lake.put(layout.session_peaks(SESSION, DAY), PEAKS)
    tables.upsert(lake, SESSIONS, tables.to_arrow(SESSIONS, [merged | changed]))
    tables.upsert(lake, RECORDINGS, tables.to_arrow(RECORDINGS, [recording, waiting]))


def accesses(lake: Storage) -> list[Mapping[str, Any]]:
    """The rows of the access log, in the order they were written."""
    rows = tables.read(lake, ACCESS_LOG, tables.stored_days(lake, ACCESS_LOG))
    listed: list[Mapping[str, Any]] = rows.sort_by("accessed_at").to_pylist()
    return listed


def today() -> date:
    return datetime.now(UTC).date()


@contextmanager
def _servers() -> Iterator[Callable[[FastAPI, bool], str]]:
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: FastAPI, proxy_headers: bool) -> str:
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", proxy_headers=proxy_headers))
        thread = threading.Thread(target=server.run, daemon=True)
        running.append((server, thread))
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not come up"
            time.sleep(0.01)
        port: int = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    try:
        yield start
    finally:
        for server, thread in running:
            server.should_exit = True
            thread.join()
