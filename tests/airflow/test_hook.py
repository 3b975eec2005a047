from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_logs

from sandbox.ringcentral import Sandbox, SandboxConfig
from tests.airflow.conftest import Connect
from tests.conftest import NOON, StartSandbox
from voxlake.airflow.hook import RingCentralHook
from voxlake.ringcentral.credentials import Credentials

FIELDS = {"login": "the-id", "password": "the-client-secret", "extra": {"jwt": "the.jwt.itself"}}


def test_a_connection_of_the_environment_makes_a_client_for_ringcentrals_own_hosts(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(FIELDS)
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "the-fernet-key")

    assert RingCentralHook().credentials() == [
        Credentials(
            server_url="https://platform.ringcentral.com",
            client_id="the-id",
            client_secret="the-client-secret",
            jwt="the.jwt.itself",
            media_url="https://media.ringcentral.com",
            connection="ringcentral_default",
            at_rest_key="the-fernet-key",
        )
    ]


def test_further_connections_add_up_to_the_first_that_is_missing(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(FIELDS)
    for number in (2, 3, 5):
        fields = {"conn_type": "ringcentral", **FIELDS, "login": f"id-{number}"}
        monkeypatch.setenv(f"AIRFLOW_CONN_RINGCENTRAL_DEFAULT__{number}", json.dumps(fields))

    found = RingCentralHook().credentials()

    assert [(one.connection, one.client_id) for one in found] == [
        ("ringcentral_default", "the-id"),
        ("ringcentral_default__2", "id-2"),
        ("ringcentral_default__3", "id-3"),
    ]
    assert RingCentralHook().credentials(spread=False) == found[:1]


def test_further_connections_must_lead_to_the_same_hosts(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(FIELDS)
    fields = {"conn_type": "ringcentral", **FIELDS, "host": "https://platform.example.net"}
    monkeypatch.setenv("AIRFLOW_CONN_RINGCENTRAL_DEFAULT__2", json.dumps(fields))

    with pytest.raises(ValueError, match=r"^Connection ringcentral_default__2: host and media_host must be those of"):
        RingCentralHook().get_conn()


def test_what_is_wrong_with_a_further_connection_is_told_by_its_name(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(FIELDS)
    monkeypatch.setenv("AIRFLOW_CONN_RINGCENTRAL_DEFAULT__2", '{"conn_type": "ringcentral"}')

    with pytest.raises(ValueError, match=r"^Connection ringcentral_default__2: .* lacks client_id"):
        RingCentralHook().get_conn()


@pytest.mark.parametrize("as_text", [False, True])
def test_host_and_media_host_are_taken_from_an_extra_that_is_an_object_or_its_text(
    connect: Connect, as_text: bool
) -> None:
    extra = {"jwt": "the.jwt.itself", "media_host": "https://media.example.net"}
    connect(FIELDS | {"host": "https://platform.example.net", "extra": json.dumps(extra) if as_text else extra})

    [made] = RingCentralHook().credentials()

    assert (made.server_url, made.media_url) == ("https://platform.example.net", "https://media.example.net")
    assert made.jwt == "the.jwt.itself"


@pytest.mark.parametrize("empty", ["", None])
def test_what_the_form_leaves_empty_has_its_default(connect: Connect, empty: str | None) -> None:
    connect(FIELDS | {"host": empty, "extra": {"jwt": "the.jwt.itself", "media_host": empty}})

    [made] = RingCentralHook().credentials()

    assert (made.server_url, made.media_url) == ("https://platform.ringcentral.com", "https://media.ringcentral.com")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"login": None}, "lacks client_id: put it into the field login"),
        ({"password": ""}, "lacks client_secret: put it into the field password"),
        ({"extra": {}}, 'lacks jwt: put it into the field extra, as {"jwt": "…"}'),
        ({"extra": {"jwt": None}}, "lacks jwt"),
        ({"extra": None}, "lacks jwt"),
        ({"extra": {"jwt": 17}}, "jwt in the field extra is no text"),
        ({"extra": {"jwt": "the.jwt.itself", "media_host": ["a"]}}, "media_host in the field extra is no text"),
        ({"extra": '["the.jwt.itself"]'}, 'extra is no JSON object: expected {"jwt": "…"}'),
        ({"extra": {"jwt": "the.jwt. itself"}}, "jwt of the RingCentral connection .* contains white space"),
        ({"host": "http://platform.example.net"}, "host of the RingCentral connection .* Use https"),
        ({"extra": {"jwt": "the.jwt.itself", "media_host": "http://a.example"}}, "media_host .* Use https"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named_with_its_connection(
    connect: Connect, wrong: dict[str, Any], reason: str
) -> None:
    connect(FIELDS | wrong)

    with pytest.raises(ValueError, match=rf"^Connection ringcentral_default: .*{reason}") as caught:
        RingCentralHook().get_conn()

    assert "the.jwt" not in str(caught.value)
    assert "the-client-secret" not in str(caught.value)


def test_another_connection_is_taken_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_THE_OTHER", json.dumps({"conn_type": "ringcentral", **FIELDS, "login": None}))

    with pytest.raises(ValueError, match=r"^Connection the_other: "):
        RingCentralHook("the_other").get_conn()
    with pytest.raises(AirflowNotFoundException, match="missing_conn"):
        RingCentralHook(ringcentral_conn_id="missing_conn").get_conn()


def test_no_secret_of_a_connection_passes_airflows_logs(connect: Connect) -> None:
    connect(FIELDS | {"password": "a-secret-of-this-test", "extra": {"jwt": "a.jwt.of.this.test"}})
    event = {"event": "sent a.jwt.of.this.test and a-secret-of-this-test", "extra": ["a.jwt.of.this.test"]}
    assert mask_logs(None, "info", dict(event)) == event, "nobody has told Airflow of them before"

    RingCentralHook().get_conn()

    assert mask_logs(None, "info", event) == {"event": "sent *** and ***", "extra": ["***"]}


def test_a_connection_that_works_is_told_so_through_airflow_itself(sandbox: Sandbox) -> None:
    fields = sandbox.connection()
    connection = Connection(conn_id="made_up_for_the_test", **fields | {"extra": json.dumps(fields["extra"])})

    assert connection.test_connection() == (True, "Logged in, and the company call log can be read.")
    assert [(entry.method, entry.path, entry.status) for entry in sandbox.requests] == [
        ("POST", "/restapi/oauth/token", 200),
        ("GET", "/restapi/v1.0/account/~/call-log", 200),
    ]
    assert "perPage=1" in sandbox.requests[1].query.split("&")


@pytest.mark.parametrize(
    ("config", "wrong", "code"),
    [
        ({}, {"password": "not-the-secret-at-all"}, "OAU-146"),
        ({}, {"jwt": "not.the.jwt"}, "OAU-331"),
        ({"user_permissions": ()}, {}, "CMN-408"),
        ({"app_scopes": ()}, {}, "CMN-401"),
    ],
)
def test_a_connection_that_is_refused_fails_with_ringcentrals_code_and_no_secret(
    start_sandbox: StartSandbox, connect: Connect, config: dict[str, Any], wrong: dict[str, str], code: str
) -> None:
    sandbox = start_sandbox(replace(SandboxConfig(now=NOON), **config))
    fields = sandbox.connection()
    fields["password"] = wrong.get("password", fields["password"])
    fields["extra"]["jwt"] = wrong.get("jwt", fields["extra"]["jwt"])
    connect(fields)

    works, message = RingCentralHook().test_connection()

    assert works is False
    assert code in message
    assert fields["password"] not in message
    assert fields["extra"]["jwt"] not in message


def test_a_missing_permission_is_named_with_where_to_grant_it(start_sandbox: StartSandbox, connect: Connect) -> None:
    connect(start_sandbox(SandboxConfig(now=NOON, app_scopes=("ReadAccounts",))).connection())

    _, message = RingCentralHook().test_connection()

    assert "The permission ReadCallLog is missing" in message
    assert "https://developers.ringcentral.com" in message


def test_a_server_that_cannot_be_reached_fails_the_test_without_raising(connect: Connect) -> None:
    # Port 9, discard: nothing listens there.
    connect(FIELDS | {"host": "http://127.0.0.1:9"})

    works, message = RingCentralHook().test_connection()

    assert works is False
    assert "Connection refused" in message


def test_an_incomplete_form_is_told_which_field_and_not_a_connection_id_that_airflow_made_up(connect: Connect) -> None:
    connect(FIELDS | {"extra": {}})

    works, message = RingCentralHook().test_connection()

    assert works is False
    assert message.startswith("The RingCentral connection lacks jwt")


def test_a_state_folder_that_cannot_be_made_fails_the_test_without_raising(
    monkeypatch: pytest.MonkeyPatch, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "a_file").touch()
    monkeypatch.setenv("VOXLAKE_STATE_DIR", str(tmp_path / "a_file" / "state"))
    connect(FIELDS | {"host": "http://127.0.0.1:9"})

    works, message = RingCentralHook().test_connection()

    assert works is False
    assert str(tmp_path / "a_file") in message
