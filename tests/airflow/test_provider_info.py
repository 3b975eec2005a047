"""The connection types as Airflow has them of the installed package, and through the API that its UI talks to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import distribution
from typing import Any

import pytest
from airflow.api_fastapi.app import create_app
from airflow.models.connection import Connection
from airflow.providers_manager import ProvidersManager
from fastapi.testclient import TestClient

from sandbox.ringcentral import Sandbox
from voxlake import __version__
from voxlake.airflow.provider_info import get_provider_info

JWT = "a.jwt.that.nobody.may.see"


@pytest.fixture(scope="module")
def api(metadata_db: None) -> Iterator[TestClient]:
    """Airflow's API server, in this process, with its plugins loaded and an administrator logged in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
        patch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
        with TestClient(create_app("core")) as client:
            token = client.get("/auth/token").json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            yield client


@pytest.fixture
def stored(api: TestClient) -> Iterator[str]:
    """A connection that somebody entered in the UI."""
    form = {"connection_id": "entered", "conn_type": "ringcentral", "login": "the-id", "password": "the-secret"}
    assert api.post("/api/v2/connections", json=form | {"extra": json.dumps({"jwt": JWT})}).status_code == 201
    yield "entered"
    assert api.delete("/api/v2/connections/entered").status_code == 204


def test_airflow_knows_the_package_by_its_entry_point() -> None:
    [entry] = distribution("voxlake").entry_points.select(group="apache_airflow_provider")
    assert entry.load() is get_provider_info

    provider = ProvidersManager().providers["voxlake"]
    assert (provider.version, provider.data["name"]) == (__version__, "Voxlake")


def test_airflow_makes_the_hook_of_a_connection_of_this_type() -> None:
    hook = ProvidersManager().hooks["ringcentral"]

    assert hook is not None
    assert hook.hook_class_name == "voxlake.airflow.hook.RingCentralHook"
    assert (hook.hook_name, hook.connection_id_attribute_name) == ("RingCentral", "ringcentral_conn_id")
    assert hook.connection_testable


def test_the_form_asks_for_what_a_connection_needs_and_for_nothing_else(api: TestClient) -> None:
    reply = api.get("/ui/connections/hook_meta")
    [form] = [form for form in reply.json() if form["connection_type"] == "ringcentral"]

    assert form["hook_name"] == "RingCentral"
    standard = {name: field for name, field in form["standard_fields"].items() if field is not None}
    assert {name: field["title"] for name, field in standard.items() if not field["hidden"]} == {
        "host": "Server URL",
        "login": "Client ID",
        "password": "Client secret",
    }
    assert {name for name, field in standard.items() if field["hidden"]} == {"port", "url_schema"}
    assert standard["host"]["placeholder"] == "https://platform.ringcentral.com"

    jwt, media_host = form["extra_fields"]["jwt"], form["extra_fields"]["media_host"]
    assert set(form["extra_fields"]) == {"jwt", "media_host"}
    assert (jwt["schema"]["title"], jwt["schema"]["format"], jwt["value"]) == ("JWT credential", "password", None)
    assert "developer console" in jwt["description"]
    assert media_host["schema"]["title"] == "Media host"
    assert media_host["value"] == "https://media.ringcentral.com"


def test_the_form_of_sinch_hides_both_secrets(api: TestClient) -> None:
    reply = api.get("/ui/connections/hook_meta")
    [form] = [form for form in reply.json() if form["connection_type"] == "sinch"]

    standard = {name: field for name, field in form["standard_fields"].items() if field is not None}
    assert {name: field["title"] for name, field in standard.items() if not field["hidden"]} == {
        "host": "Server URL",
        "login": "Application key",
        "password": "Application secret",
    }
    extra = form["extra_fields"]
    assert set(extra) == {"region", "destination", "recording_secret"}
    assert extra["recording_secret"]["schema"]["format"] == "password"

    entered = {"connection_id": "sinch_entered", "conn_type": "sinch", "extra": json.dumps({"recording_secret": JWT})}
    assert api.post("/api/v2/connections", json=entered).status_code == 201
    try:
        assert JWT not in api.get("/api/v2/connections/sinch_entered").text
    finally:
        assert api.delete("/api/v2/connections/sinch_entered").status_code == 204


def test_the_jwt_of_a_connection_is_shown_to_nobody(api: TestClient, stored: str) -> None:
    shown = api.get(f"/api/v2/connections/{stored}")

    assert json.loads(shown.json()["extra"]) == {"jwt": "***"}
    for path in ("/api/v2/connections", "/api/v2/eventLogs?order_by=-event_log_id"):
        listed = api.get(path)
        assert listed.status_code == 200
        assert stored in listed.text
        assert JWT not in listed.text


def test_an_edit_of_another_field_keeps_the_jwt_that_the_form_shows_as_stars(api: TestClient, stored: str) -> None:
    extra = json.dumps({"jwt": "***", "media_host": "https://media.example.net"})
    form = {"connection_id": stored, "conn_type": "ringcentral", "login": "another", "password": "***", "extra": extra}

    assert api.patch(f"/api/v2/connections/{stored}", json=form).status_code == 200

    kept = Connection.get_connection_from_secrets(stored)
    assert (kept.login, kept.password) == ("another", "the-secret")
    assert kept.extra_dejson == {"jwt": JWT, "media_host": "https://media.example.net"}


def test_the_button_test_says_whether_the_form_works(api: TestClient, sandbox: Sandbox) -> None:
    fields: dict[str, Any] = sandbox.connection()
    form = {"connection_id": "new", **fields, "extra": json.dumps(fields["extra"])}

    works = api.post("/api/v2/connections/test", json=form).json()
    refused = api.post("/api/v2/connections/test", json=form | {"password": "not-the-secret-at-all"}).json()

    assert works == {"status": True, "message": "Logged in, and the company call log can be read."}
    assert refused["status"] is False
    assert "OAU-146" in refused["message"]
    assert "not-the-secret-at-all" not in refused["message"]
