"""Airflow's own API server with the page in it: both auth managers, a lake in S3, runs and links by its REST API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow.compute as pc
import pytest
import requests

from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, run_sandbox
from tests.conftest import NOON
from tests.web.airflow_servers import Server, fab_server, simple_server
from tests.web.conftest import accesses, put_conversation
from tests.web.rights_table import rights_of_roles, rights_of_routes, routes_of, sample_of
from voxlake.airflow.lake import open_lake
from voxlake.lake import tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import SESSIONS
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings
from voxlake.web.app import create_app
from voxlake.web.rights import Right

SECONDS = 300.0
START = NOON - timedelta(hours=1)
CONFIG = SandboxConfig(
    now=NOON,
    mix=CallMix(calls_per_day=48, recorded_share=1, transferred_share=0, leg_seconds=(30, 31)),
    quotas={"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)},
)
CONNECTION = {"conn_type": "aws", "login": "test", "password": "test"}


@pytest.fixture(scope="module")
def fab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a local lake that has one conversation."""
    folder = tmp_path_factory.mktemp("fab")
    put_conversation(LocalStorage(folder / "lake"))
    environment = {"VOXLAKE_LAKE_URL": str(folder / "lake"), "VOXLAKE_STATE_DIR": str(folder / "state")}
    with fab_server(folder / "airflow", environment) as server:
        yield server


@pytest.fixture(scope="module")
def company() -> Iterator[Sandbox]:
    with run_sandbox(CONFIG) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def lake_url(s3_endpoint: str, s3_client: Any) -> str:
    s3_client.create_bucket(Bucket="page")
    return "s3://page/voxlake"


@pytest.fixture(scope="module")
def simple(
    tmp_path_factory: pytest.TempPathFactory, company: Sandbox, s3_endpoint: str, lake_url: str
) -> Iterator[Server]:
    """With a lake in S3, and a scheduler that runs DAGs."""
    folder = tmp_path_factory.mktemp("simple")
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    environment = {
        "AIRFLOW_CONN_RINGCENTRAL_DEFAULT": company.connection_json(),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(CONNECTION | {"extra": extra}),
        "VOXLAKE_LAKE_URL": lake_url,
        "VOXLAKE_STATE_DIR": str(folder / "state"),
    }
    with simple_server(folder / "airflow", environment) as server:
        server.airflow.cli("pools", "import", "include/pools.json")
        server.airflow.cli("dags", "reserialize")
        scheduler = server.airflow.start("scheduler", folder / "scheduler.log")
        yield server
        scheduler.terminate()
        scheduler.communicate(timeout=60)


@pytest.fixture
def s3_lake(simple: Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
    for name in ("AIRFLOW_CONN_AWS_DEFAULT", "VOXLAKE_LAKE_URL"):
        monkeypatch.setenv(name, simple.airflow.environment[name])
    get_settings.cache_clear()
    return open_lake()


@pytest.mark.parametrize("manager", ["FAB", "Simple"])
def test_every_route_gives_each_role_what_the_docs_say(manager: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(manager.lower())
    roles = rights_of_roles(manager)
    if manager == "FAB":
        roles.pop("Public")
        roles["Listener"] = frozenset({Right.FIND, Right.LISTEN})
        roles["Listener with numbers"] = frozenset({Right.FIND, Right.LISTEN, Right.NUMBERS})
        roles["Auditor"] = frozenset({Right.FIND, Right.AUDIT})
    assert set(roles) == set(server.tokens)

    for path in routes_of(create_app(open_lake)):
        needed, sample = rights_of_routes()[path], sample_of(path)
        assert server.get(sample).status_code == 401, path
        for role, rights in roles.items():
            status = server.get(sample, role).status_code
            assert (status in {200, 404}) if needed <= rights else (status == 403), (path, role, status)


def test_the_cookie_of_airflows_login_is_enough(fab: Server) -> None:
    listener = requests.Session()
    listener.cookies.set("_token", fab.tokens["Listener"])
    reply = listener.get(f"{fab.url}/voxlake/conversations/ringcentral/s-a1b2c3/audio", timeout=60)
    assert reply.status_code == 200
    listener.cookies.set("_token", fab.tokens["Viewer"])
    assert listener.get(reply.url, timeout=60).status_code == 403


def test_a_listener_sees_the_entry_in_the_navigation_and_no_dag(fab: Server) -> None:
    views = [
        view for plugin in fab.get("/api/v2/plugins", "Listener").json()["plugins"] for view in plugin["external_views"]
    ]
    assert [(view["name"], view["href"]) for view in views] == [("Recordings", "/voxlake/")]
    for path in ("/ui/auth/me", "/ui/auth/menus", "/ui/config"):
        assert fab.get(path, "Listener").status_code == 200, path
    for path in ("/api/v2/dags/ringcentral_recordings", "/api/v2/connections", "/api/v2/variables"):
        assert fab.get(path, "Listener").status_code == 403, path


def test_a_listener_cannot_start_a_run(fab: Server) -> None:
    reply = requests.post(
        f"{fab.url}/api/v2/dags/ringcentral_recordings/dagRuns",
        json={"logical_date": None, "conf": {}},
        headers={"Authorization": f"Bearer {fab.tokens['Listener']}"},
        timeout=60,
    )
    assert reply.status_code == 403


def trigger(server: Server, conf: dict[str, Any]) -> requests.Response:
    return requests.post(
        f"{server.url}/api/v2/dags/ringcentral_recordings/dagRuns",
        json={"logical_date": None, "conf": conf},
        headers={"Authorization": f"Bearer {server.tokens['user']}"},
        timeout=60,
    )


def run(server: Server, conf: dict[str, Any]) -> str:
    """Triggers a run, waits until it has succeeded, and returns its id."""
    reply = trigger(server, conf)
    assert reply.status_code == 200, reply.text
    run_id: str = reply.json()["dag_run_id"]
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        state = server.get(f"/api/v2/dags/ringcentral_recordings/dagRuns/{run_id}", "user").json()["state"]
        if state in {"success", "failed"}:
            break
        time.sleep(0.5)
    assert state == "success"
    return run_id


def rows(lake: Storage) -> dict[str, dict[str, Any]]:
    found = tables.read(lake, SESSIONS, tables.stored_days(lake, SESSIONS)).to_pylist()
    return {row["telephony_session_id"]: row for row in found}


def test_a_run_is_heard_linked_and_made_again_for_one_session(
    simple: Server, company: Sandbox, s3_lake: Storage
) -> None:
    run_id = run(simple, {"start": START.isoformat(), "end": NOON.isoformat()})
    merged = rows(s3_lake)
    assert len(merged) >= 2
    for session, row in merged.items():
        dag_id, made_by_run, task_id, index = row["made_by"].split("/")
        assert (dag_id, made_by_run, task_id) == ("ringcentral_recordings", run_id, "session.merge")
        instance = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        links = simple.get(f"{instance}/links?map_index={index}", "user").json()["extra_links"]
        day = row["start_time"].date()
        assert links == {"Conversation": f"plugin/recordings/voxlake/conversations/ringcentral/{session}?day={day}"}

        heard = simple.get(f"/voxlake/conversations/ringcentral/{session}/audio?day={day}", "user")
        assert (heard.status_code, heard.content) == (200, s3_lake.read(row["audio_path"]).data)
        assert heard.headers.get("Content-Encoding") is None
    assert {access["telephony_session_id"] for access in accesses(s3_lake)} == set(merged)

    # As a person would want it who has removed what they do not trust.
    session, row = merged.popitem()
    tables.discard(s3_lake, SESSIONS, [row["start_time"].date()], pc.field("telephony_session_id") == session)
    asked = len(company.requests)
    again = run(simple, {"telephony_session_ids": [session]})
    made = rows(s3_lake)
    assert made[session]["made_by"].split("/")[1] == again
    assert made.keys() - {session} == merged.keys()
    assert {made[other]["made_by"].split("/")[1] for other in merged} == {run_id}
    assert [entry for entry in company.requests[asked:] if "call-log" in entry.path] == []


def test_what_is_no_session_id_starts_no_run(simple: Server) -> None:
    for wrong in (["../x"], ["<script>"], "s-1", [5]):
        reply = trigger(simple, {"telephony_session_ids": wrong})
        assert reply.status_code == 400, reply.text
