"""Time to the first byte of audio through the Recordings page, beside Starlette's FileResponse of the same file.

FileResponse does what a web server does that knows the path already: no login, no rights, no table that says where the
file is, no access log. What the page takes more is the price of these.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI
from starlette.responses import FileResponse

from voxlake.lake import layout, tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import ACCESS_LOG, SESSIONS

DAY = datetime(2026, 3, 4, tzinfo=UTC)
SIZE = 60 * 1024 * 1024


def main() -> int:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=3000, help="merged files of the day")
    parser.add_argument("--accesses", type=int, default=2000, help="rows that the access log has of today")
    parser.add_argument("--plays", type=int, default=100, help="how many are measured of each kind")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="voxlake-bench-") as home:
        plain, first, again = _measure(Path(home), options.conversations, options.accesses, options.plays)
    print(f"{options.plays} each, of a file of {SIZE >> 20} MB from its middle on; {options.conversations:,}")
    print(
        f"conversations that day, {options.accesses:,} rows of the access log today; local lake, {os.cpu_count()} cores"
    )
    print("\n| first byte of | p50 ms | p95 ms | worst ms |\n| --- | --- | --- | --- |")
    for name, times in (
        ("Starlette's FileResponse, path known, open to everybody", plain),
        ("the page, a play that is written into the access log", first),
        ("the page, a further range of that play", again),
    ):
        p95 = statistics.quantiles(times, n=20)[-1]
        print(f"| {name} | {statistics.median(times):.1f} | {p95:.1f} | {max(times):.1f} |")
    return 0


def _measure(home: Path, conversations: int, accesses: int, plays: int) -> tuple[list[float], ...]:
    """The milliseconds to the first byte: of the plain file, of plays, and of further ranges of these."""
    # Airflow reads its configuration when it is first imported.
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.utils.db import initdb

    from voxlake.web.app import create_app

    initdb()
    manager = create_auth_manager()
    manager.init()
    lake = LocalStorage(home / "lake")
    sessions = _fill(lake, conversations, accesses)
    file = Path(lake.url) / layout.session_audio(sessions[0], DAY.date(), "audio/mpeg")
    app = FastAPI()
    app.add_api_route("/plain", lambda: FileResponse(file))
    app.mount("/voxlake", create_app(lambda: lake))
    token = manager.generate_jwt(SimpleAuthManagerUser(username="ann", role="user"))
    played = sessions[:: len(sessions) // plays][:plays]
    paths = [f"/voxlake/conversations/ringcentral/{session}/audio?day={DAY.date()}" for session in played]
    with _served(app) as url:
        ask = _client(url, {"Authorization": f"Bearer {token}", "Range": f"bytes={SIZE // 2}-"})
        return [ask("/plain") for _ in paths], [ask(path) for path in paths], [ask(path) for path in paths]


def _fill(lake: LocalStorage, conversations: int, accesses: int) -> list[str]:
    sessions = [f"s-{number:08x}" for number in range(conversations)]
    rows = [
        {
            "provider": "ringcentral",
            "account_id": "1",
            "telephony_session_id": session,
            "start_time": DAY + timedelta(seconds=number),
            "recording_ids": [str(number)],
            "chapters": [{"recording_id": str(number), "start_ms": 0, "end_ms": 1000, "from_name": "Ann"}],
            "audio_path": layout.session_audio(session, DAY.date(), "audio/mpeg"),
            "sha256": f"{number:064x}",
        }
        for number, session in enumerate(sessions)
    ]
    tables.upsert(lake, SESSIONS, tables.to_arrow(SESSIONS, rows))
    now = datetime.now(UTC)
    log = [
        {
            "access_id": f"{number:032x}",
            "accessed_at": now,
            "user_id": "ann",
            "action": "play",
            "telephony_session_id": sessions[number % conversations],
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        }
        for number in range(accesses)
    ]
    tables.upsert(lake, ACCESS_LOG, tables.to_arrow(ACCESS_LOG, log))
    first = layout.session_audio(sessions[0], DAY.date(), "audio/mpeg")
    lake.put(first, os.urandom(SIZE))
    for session in sessions[1:]:
        # The same bytes under each name.
        os.link(Path(lake.url) / first, Path(lake.url) / layout.session_audio(session, DAY.date(), "audio/mpeg"))
    return sessions


@contextmanager
def _served(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def _client(url: str, headers: dict[str, str]) -> Callable[[str], float]:
    def ask(path: str) -> float:
        """The milliseconds from sending a request to the first byte of its body."""
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        connection.connect()
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        reply.read(1)
        took = time.perf_counter() - began
        if reply.status != 206:
            raise SystemExit(f"{path}: {reply.status} {json.dumps(dict(reply.headers))}")
        connection.close()
        return took * 1000

    return ask


if __name__ == "__main__":
    sys.exit(main())
