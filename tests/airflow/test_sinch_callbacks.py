"""Sinch's callbacks in Airflow's API server: whose they may be, and that Airflow is told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from airflow.models.asset import AssetActive, AssetEvent, AssetModel
from airflow.models.connection import Connection
from airflow.utils.session import create_session
from fastapi import FastAPI
from sqlalchemy import delete, func, select

from sandbox.served import served
from sandbox.sinch import SinchSandbox, run_sinch_sandbox
from tests.sinch import bodies
from tests.sinch.listening_application import listening
from voxlake.airflow import webhooks
from voxlake.airflow.sinch_callbacks import connected_applications
from voxlake.airflow.wiring import SINCH_EVENTS
from voxlake.settings import get_settings

EXTRA = {"destination": "s3://calls/sinch/", "recording_secret": bodies.CREDENTIALS}


@pytest.fixture
def sinch(monkeypatch: pytest.MonkeyPatch, metadata_db: None) -> Iterator[SinchSandbox]:
    # As the API server does: only so are connections of the database found (airflow/api_fastapi/main.py).
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    with run_sinch_sandbox() as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_SINCH_DEFAULT", sandbox.connection_json(**EXTRA))
        yield sandbox


@pytest.fixture
def known_asset(metadata_db: None) -> Iterator[None]:
    """What Airflow writes when it reads a DAG with the asset."""
    with create_session(scoped=False) as session:
        model = AssetModel(name=SINCH_EVENTS.name, uri=SINCH_EVENTS.uri, group=SINCH_EVENTS.group)
        session.add_all([model, AssetActive.for_asset(model)])
    yield
    with create_session(scoped=False) as session:
        for table in (AssetEvent, AssetActive, AssetModel):
            session.execute(delete(table))


def stored(conn_id: str, conn_type: str, *, login: str, password: str, extra: str = "{}") -> None:
    with create_session(scoped=False) as session:
        session.execute(delete(Connection).where(Connection.conn_id == conn_id))
        session.add(Connection(conn_id, conn_type, login=login, password=password, extra=extra))


@pytest.fixture
def no_connections(metadata_db: None) -> Iterator[None]:
    yield
    with create_session(scoped=False) as session:
        session.execute(delete(Connection))


def test_every_connection_of_the_type_is_one_of_an_application(
    sinch: SinchSandbox, no_connections: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = json.dumps(EXTRA | {"destination": "s3://calls/all.mp3"})
    stored("sinch_berlin", "sinch", login="berlin", password="AAAA", extra=extra)
    stored("somebody_elses", "http", login="else", password="AAAA")
    monkeypatch.setenv(
        "AIRFLOW_CONN_SINCH_OSLO", json.dumps({"conn_type": "sinch", "login": "oslo", "password": "BBBB"})
    )

    applications = connected_applications()

    assert set(applications) == {sinch.key, "berlin", "oslo"}
    assert str(applications[sinch.key].recording.destination) == "s3://calls/sinch/"  # type: ignore[union-attr]
    assert applications["berlin"].recording is None
    assert "Connection sinch_berlin: destination s3://calls/all.mp3: each recording" in applications["berlin"].problem
    assert "Connection sinch_oslo: destination ''" in applications["oslo"].problem


def test_a_broken_connection_stops_no_other(
    sinch: SinchSandbox, no_connections: None, caplog: pytest.LogCaptureFixture
) -> None:
    stored("sinch_broken", "sinch", login="broken", password="not base64!")
    assert set(connected_applications()) == {sinch.key}
    assert "Connection sinch_broken: The application secret is not Base64" in caplog.text
    assert "not base64!" not in caplog.text


def test_without_any_connection_there_is_no_application(metadata_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SINCH_DEFAULT", raising=False)
    assert connected_applications() == {}


def test_what_the_plugin_serves_answers_a_call_and_tells_airflow(sinch: SinchSandbox, known_asset: None) -> None:
    root = FastAPI()
    root.mount(webhooks.PREFIX, webhooks.webhooks()["app"])
    with served(root) as url:
        sinch.call_back_to(f"{url}/voxlake-webhooks/sinch")
        ice = sinch.send(bodies.ICE)
        assert sinch.send(bodies.RECORDING_AVAILABLE).status == 200
        deadline = time.monotonic() + 60
        while not told() and time.monotonic() < deadline:
            time.sleep(0.1)
    assert ice.answer["instructions"][0]["options"]["destinationUrl"] == "s3://calls/sinch/"
    assert told() == 1


def test_the_settings_say_who_answers(sinch: SinchSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as team:
        monkeypatch.setenv("VOXLAKE_SINCH_CALLBACK_URL", team.url)
        monkeypatch.setenv("VOXLAKE_SINCH_CALLBACK_FAILURE", "answer")
        monkeypatch.setenv("VOXLAKE_SINCH_CONNECT_TO", "+4670000000")
        get_settings.cache_clear()
        root = FastAPI()
        root.mount(webhooks.PREFIX, webhooks.webhooks()["app"])
        with served(root) as url:
            sinch.call_back_to(f"{url}/voxlake-webhooks/sinch")
            team.answers = [{"action": {"name": "hangup"}}]
            theirs = sinch.send(bodies.ICE)
            team.status = 503
            ours = sinch.send(bodies.ICE)
    assert theirs.answer == {"action": {"name": "hangup"}}
    assert ours.answer["action"] == {"name": "connectPstn", "number": "+4670000000"}


def told() -> int:
    with create_session(scoped=False) as session:
        return session.scalar(select(func.count(AssetEvent.id))) or 0
