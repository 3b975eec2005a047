import logging
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from exposure import everything_shown
from scripted_server import TOKEN_PATH, Answer, ScriptedServer, json_answer, token_answer

from voxlake.ringcentral.auth import AccessToken
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import (
    BadReplyError,
    LoginRefusedError,
    RateLimitedError,
    RingCentralError,
    ServerError,
    TransportError,
)
from voxlake.ringcentral.shared_state import SharedState
from voxlake.ringcentral.sqlite_state import SqliteState

PATH = "/restapi/v1.0/account/~"


def bearers(server: ScriptedServer) -> list[str]:
    return [request.headers["Authorization"].removeprefix("Bearer ") for request in server.requests_for(PATH)]


@pytest.mark.parametrize(
    ("life", "left", "fresh"),
    [
        (3600, 361, True),
        (3600, 359, False),
        (600, 61, True),
        (600, 59, False),
        (10, 6, True),
        (10, 4, False),
        (10, -1, False),
    ],
)
def test_a_token_is_renewed_a_while_before_its_end(life: float, left: float, fresh: bool) -> None:
    token = AccessToken("geheim", obtained_at=1000, expires_at=1000 + life)

    assert token.is_fresh(1000 + life - left) is fresh
    assert "geheim" not in repr(token)


def test_clients_share_one_token_and_the_file_does_not_show_it(
    credentials: Credentials, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(PATH, json_answer({}))

    for _ in range(3):
        with RingCentralClient(credentials, SqliteState(tmp_path / "state")) as client:
            client.get_json(PATH)

    assert len(server.requests_for(TOKEN_PATH)) == 1
    assert bearers(server) == ["first-token"] * 3
    [file] = (tmp_path / "state").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    for secret in ("first-token", "the.jwt.itself", "the-client-secret", "the-client-id"):
        assert secret.encode() not in file.read_bytes()


def test_the_token_is_for_those_who_have_the_fernet_key_too(
    credentials: Credentials, server: ScriptedServer, state: SharedState
) -> None:
    server.script(PATH, json_answer({}))
    server.script(TOKEN_PATH, *(token_answer(f"{number}-token") for number in ("first", "second", "third")))
    keys = ["", Fernet.generate_key().decode(), Fernet.generate_key().decode()]

    for key in [*keys, *keys]:
        with RingCentralClient(replace(credentials, at_rest_key=key), state) as client:
            client.get_json(PATH)

    assert len(server.requests_for(TOKEN_PATH)) == 3
    assert bearers(server) == ["first-token", "second-token", "third-token"] * 2


def test_the_login_is_the_jwt_grant(client: RingCentralClient, server: ScriptedServer) -> None:
    server.script(PATH, json_answer({}))

    client.get_json(PATH)

    (login,) = server.requests_for(TOKEN_PATH)
    assert login.method == "POST"
    assert login.headers["Authorization"] == "Basic dGhlLWNsaWVudC1pZDp0aGUtY2xpZW50LXNlY3JldA=="
    assert login.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert login.body == b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=the.jwt.itself"


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Lets time pass for the state alone: the event loops of servers of other tests go by time.monotonic too."""
    real_now = SqliteState.now
    monkeypatch.setattr(SqliteState, "now", lambda state: real_now(state) + seconds)


def test_a_token_near_its_end_is_renewed_before_a_request_fails(
    client: RingCentralClient, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script(PATH, json_answer({}))
    client.get_json(PATH)

    later(monkeypatch, 3600 - 350)
    client.get_json(PATH)

    assert bearers(server) == ["first-token", "second-token"]


def test_after_a_401_the_token_of_another_process_is_taken_before_a_new_login(
    credentials: Credentials, server: ScriptedServer, tmp_path: Path
) -> None:
    refused = json_answer({"errorCode": "TokenInvalid"}, 401)
    with (
        RingCentralClient(credentials, SqliteState(tmp_path)) as one,
        RingCentralClient(credentials, SqliteState(tmp_path)) as other,
    ):
        server.script(PATH, json_answer({}))
        one.get_json(PATH)
        other.get_json(PATH)
        server.script(PATH, refused, json_answer({}), refused, json_answer({}))

        one.get_json(PATH)
        other.get_json(PATH)

    assert bearers(server)[2:] == ["first-token", "second-token", "first-token", "second-token"]
    assert len(server.requests_for(TOKEN_PATH)) == 2


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_login_says_so_and_is_not_repeated_by_other_tasks(
    credentials: Credentials, server: ScriptedServer, tmp_path: Path, status: int
) -> None:
    server.script(
        TOKEN_PATH,
        json_answer(
            {
                "error": "invalid_client",
                "error_description": "Invalid client credentials the.jwt.itself",
                "errors": [{"errorCode": "OAU-146", "message": "Invalid client credentials the-client-secret"}],
            },
            status,
        ),
    )

    for _ in range(3):
        with (
            RingCentralClient(credentials, SqliteState(tmp_path)) as client,
            pytest.raises(LoginRefusedError) as raised,
        ):
            client.get_json(PATH)
        assert (raised.value.status, raised.value.error_code) == (status, "OAU-146")
        assert f"{server.url} refused the login: OAU-146 Invalid client credentials" in str(raised.value)
        _assert_no_secret(raised.value)

    assert len(server.requests_for(TOKEN_PATH)) == 1


def test_a_corrected_secret_works_at_once_and_a_correction_at_ringcentral_soon(
    credentials: Credentials, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script(PATH, json_answer({}))
    server.script(TOKEN_PATH, json_answer({"error": "invalid_grant"}, 400), token_answer("third-token"))
    with RingCentralClient(credentials, SqliteState(tmp_path)) as client, pytest.raises(LoginRefusedError):
        client.get_json(PATH)

    with RingCentralClient(replace(credentials, client_secret="corrected"), SqliteState(tmp_path)) as client:
        client.get_json(PATH)
    later(monkeypatch, 61)
    with RingCentralClient(credentials, SqliteState(tmp_path)) as client:
        client.get_json(PATH)

    assert bearers(server) == ["third-token", "third-token"]
    assert len(server.requests_for(TOKEN_PATH)) == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (json_answer({}, 503), ServerError),
        (json_answer({}, 503, Retry_After="30"), ServerError),
        (Answer(200, b"<html>"), BadReplyError),
        (json_answer({"access_token": "first-token"}), BadReplyError),
        (json_answer({"access_token": "first-token", "expires_in": 0}), BadReplyError),
        (json_answer({"access_token": "first-token", "expires_in": "inf"}), BadReplyError),
        (json_answer({"access_token": "first-token\r\nX: y", "expires_in": 3600}), BadReplyError),
        (json_answer(["first-token"]), BadReplyError),
        (Answer(200, b'{"access_token": "first-token"', {"Content-Length": "99"}), TransportError),
    ],
)
def test_while_the_login_fails_nobody_sends_anything(
    credentials: Credentials,
    server: ScriptedServer,
    state: SharedState,
    answer: Answer,
    kind: type[RingCentralError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.script(PATH, json_answer({}))
    server.script(TOKEN_PATH, answer, token_answer("second-token"))

    with RingCentralClient(credentials, state) as client, pytest.raises(kind) as raised:
        client.get_json(PATH)
    with RingCentralClient(credentials, state) as other, pytest.raises(ServerError) as again:
        other.get_json(PATH)

    _assert_no_secret(raised.value)
    _assert_no_secret(again.value)
    assert str(again.value) == str(raised.value)
    wait = 30 if "Retry-After" in answer.headers else 10
    assert raised.value.retry_after == wait
    assert again.value.retry_after == pytest.approx(wait, abs=2)
    assert len(server.requests_for(TOKEN_PATH)) == 1

    now = state.now
    monkeypatch.setattr(state, "now", lambda: now() + wait)
    with RingCentralClient(credentials, state) as client:
        client.get_json(PATH)
    assert bearers(server) == ["second-token"]


def test_a_login_beyond_the_quota_is_tried_again_when_it_may(client: RingCentralClient, server: ScriptedServer) -> None:
    server.script(PATH, json_answer({}))
    server.script(TOKEN_PATH, json_answer({"errorCode": "CMN-301"}, 429, Retry_After="1"), token_answer("second-token"))

    with pytest.raises(RateLimitedError):
        client.get_json(PATH)
    client.get_json(PATH)

    assert bearers(server) == ["second-token"]


def test_a_damaged_token_is_replaced(
    credentials: Credentials, server: ScriptedServer, state: SharedState, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(PATH, json_answer({}))
    state.update(f"token-{credentials.token_name}", lambda _, __: (b"damaged", None))

    with caplog.at_level(logging.WARNING), RingCentralClient(credentials, state) as client:
        client.get_json(PATH)

    assert "is unreadable; logging in anew" in caplog.text
    assert bearers(server) == ["first-token"]


def test_the_log_shows_no_secret(
    client: RingCentralClient, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(PATH, json_answer({}, 429), json_answer({}))
    with caplog.at_level(logging.DEBUG), pytest.raises(RateLimitedError):
        client.get_json(PATH)

    assert "Logged in to" in caplog.text
    for secret in ("first-token", "the.jwt.itself", "the-client-secret"):
        assert secret not in caplog.text


def _assert_no_secret(error: BaseException) -> None:
    shown = everything_shown(error)
    for secret in ("first-token", "the.jwt.itself", "the-client-secret", "Basic ", "Bearer "):
        assert secret not in shown
