import os
import re
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from exposure import everything_shown
from scripted_server import TOKEN_PATH, Answer, ScriptedServer, json_answer, token_answer

from voxlake.ringcentral.client import RingCentralClient, utc_text
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import (
    BadReplyError,
    ForeignHostError,
    PermissionDeniedError,
    RateLimitedError,
    RequestError,
    RingCentralError,
    ServerError,
    TransportError,
)
from voxlake.ringcentral.sqlite_state import SqliteState

CALL_LOG = "/restapi/v1.0/account/~/call-log"
CONTENT = "/restapi/v1.0/account/1/recording/7/content"
QUOTA = {
    "X_Rate_Limit_Group": "heavy",
    "X_Rate_Limit_Limit": "1000",
    "X_Rate_Limit_Remaining": "999",
    "X_Rate_Limit_Window": "60",
}


def read_media(client: RingCentralClient, url: str) -> bytes:
    with client.stream(url) as reply:
        return reply.body.read()


def test_json_comes_parsed_and_as_received(client: RingCentralClient, server: ScriptedServer) -> None:
    body = b'{ "records" :[],\n"name":"\xc3\xa4" }'
    server.script(CALL_LOG, Answer(200, body, {"Content-Type": "application/json", "X-Seen": "yes"}))

    reply = client.get_json(CALL_LOG)

    assert (reply.data, reply.body) == ({"records": [], "name": "ä"}, body)
    assert (reply.url, reply.headers["x-seen"]) == (server.url + CALL_LOG, "yes")
    (request,) = server.requests_for(CALL_LOG)
    assert request.headers["Authorization"] == "Bearer first-token"
    assert request.headers["User-Agent"].startswith("Voxlake/")


def test_parameters_are_sent_in_ringcentrals_forms(client: RingCentralClient, server: ScriptedServer) -> None:
    server.script(CALL_LOG, json_answer({}))
    moment = datetime(2026, 11, 21, 9, 30, 0, 123999, timezone(timedelta(hours=1)))

    client.get_json(
        f"{CALL_LOG}?view=Simple",
        {"type": ["Voice", "Fax"], "dateFrom": moment, "perPage": 250, "showBlocked": False, "phoneNumber": "+1 5"},
    )

    (request,) = server.requests_for(CALL_LOG)
    assert parse_qsl(request.query) == [
        ("view", "Simple"),
        ("type", "Voice"),
        ("type", "Fax"),
        ("dateFrom", "2026-11-21T08:30:00.123Z"),
        ("perPage", "250"),
        ("showBlocked", "false"),
        ("phoneNumber", "+1 5"),
    ]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-11-21T00:00:00 has no time zone"):
        utc_text(datetime(2026, 11, 21))  # noqa: DTZ001 - the mistake under test
    assert utc_text(datetime(2026, 11, 21, tzinfo=UTC)) == "2026-11-21T00:00:00.000Z"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>Login", "an HTML page"),
        (b"[1]", "JSON: '[1]'"),
        (b'{"a"', "JSON"),
        (b"", "an empty body"),
        (b"[" * 200_000, "JSON"),
    ],
)
def test_what_is_no_json_object_is_named(
    client: RingCentralClient, server: ScriptedServer, body: bytes, told: str
) -> None:
    server.script(CALL_LOG, Answer(200, body, {"Content-Type": "application/json"}))

    with pytest.raises(BadReplyError, match=re.escape(f"answered GET {CALL_LOG} with {told}")):
        client.get_json(CALL_LOG)


def test_the_token_goes_to_the_media_host_and_redirects_between_the_two_are_followed(
    client: RingCentralClient, server: ScriptedServer, media: ScriptedServer
) -> None:
    server.script(CONTENT, Answer(302, b"", {"Location": f"{media.url}/moved"}))
    media.script("/moved", Answer(307, b"", {"Location": "there?a=b"}))
    media.script("/there", Answer(301), Answer(200, b"sound"))

    assert read_media(client, server.url + CONTENT) == b"sound"
    assert [(request.path, request.query) for request in media.received] == [
        ("/moved", ""),
        ("/there", "a=b"),
        ("/there", "a=b"),
    ]
    assert {request.headers["Authorization"] for request in media.received} == {"Bearer first-token"}


def test_endless_redirects_end(client: RingCentralClient, server: ScriptedServer) -> None:
    server.script(CALL_LOG, json_answer({}, 302, Location=CALL_LOG, **QUOTA))

    with pytest.raises(BadReplyError, match="redirected more than 5 times"):
        client.get_json(CALL_LOG)

    assert len(server.requests_for(CALL_LOG)) == 6


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_foreign_host_is_refused_and_nothing_arrives_there(
    client: RingCentralClient, server: ScriptedServer, foreign: ScriptedServer, status: int
) -> None:
    server.script(CALL_LOG, Answer(status, b"", {"Location": f"{foreign.url}/stolen?signature=geheim"}))

    with pytest.raises(ForeignHostError, match="leads to http://127") as raised:
        client.get_json(CALL_LOG)

    assert foreign.received == []
    assert raised.value.url == "/stolen?signature=***"


@pytest.mark.parametrize(
    "location",
    [
        "//{foreign}/stolen",
        "http://{own}@{foreign}/stolen",
        "http://{foreign}\\@{own}/stolen",
        "https://{own}/stolen",
        "http://{own}.evil.example/stolen",
        "\thttp://{foreign}/stolen",
        "http://{own}:99999/stolen",
        "http://[{foreign}/stolen",
        "//[/stolen",
        "file:///etc/passwd",
        "data:text/plain,stolen",
    ],
)
def test_no_trick_of_a_redirect_leads_elsewhere(
    client: RingCentralClient, server: ScriptedServer, foreign: ScriptedServer, location: str
) -> None:
    own, other = (url.removeprefix("http://") for url in (server.url, foreign.url))
    server.script(CALL_LOG, Answer(302, b"", {"Location": location.format(own=own, foreign=other)}))

    with pytest.raises(ForeignHostError):
        client.get_json(CALL_LOG)

    assert foreign.received == []
    assert [request.path for request in server.received] == [TOKEN_PATH, CALL_LOG]


def test_a_foreign_address_is_refused_before_anything_is_sent(
    client: RingCentralClient, server: ScriptedServer, foreign: ScriptedServer
) -> None:
    for call in (client.get_json, lambda url: read_media(client, url)):
        with pytest.raises(ForeignHostError):
            call(f"{foreign.url}/recording")

    assert foreign.received == server.received == []


def test_a_redirected_login_sends_no_secret_elsewhere(
    client: RingCentralClient, server: ScriptedServer, foreign: ScriptedServer
) -> None:
    server.script(TOKEN_PATH, Answer(307, b"", {"Location": f"{foreign.url}{TOKEN_PATH}"}))

    with pytest.raises(BadReplyError, match="check the host of the connection"):
        client.get_json(CALL_LOG)

    assert foreign.received == []


def test_netrc_does_not_replace_the_token(
    client: RingCentralClient, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else")
    monkeypatch.setitem(os.environ, "NETRC", str(netrc))
    server.script(CALL_LOG, json_answer({}))

    client.get_json(CALL_LOG)

    assert server.requests_for(CALL_LOG)[0].headers["Authorization"] == "Bearer first-token"


def test_a_401_is_answered_by_one_new_login(client: RingCentralClient, server: ScriptedServer) -> None:
    server.script(CALL_LOG, json_answer({"errorCode": "TokenInvalid"}, 401), json_answer({"records": []}))

    assert client.get_json(CALL_LOG).data == {"records": []}

    assert [request.headers["Authorization"] for request in server.requests_for(CALL_LOG)] == [
        "Bearer first-token",
        "Bearer second-token",
    ]
    assert len(server.requests_for(TOKEN_PATH)) == 2


def test_a_second_401_is_an_error(client: RingCentralClient, server: ScriptedServer) -> None:
    server.script(CALL_LOG, json_answer({"errors": [{"errorCode": "OAU-149", "message": "invalid"}]}, 401))

    with pytest.raises(RequestError) as raised:
        client.get_json(CALL_LOG)

    assert (raised.value.status, raised.value.error_code) == (401, "OAU-149")
    assert len(server.requests_for(CALL_LOG)) == 2


def test_a_429_stops_every_client_of_the_credential(
    client: RingCentralClient, credentials: Credentials, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(CALL_LOG, json_answer({"errorCode": "CMN-301"}, 429, Retry_After="45", **QUOTA))

    with pytest.raises(RateLimitedError, match="every request before that starts the wait again") as raised:
        client.get_json(CALL_LOG)
    with (
        RingCentralClient(credentials, SqliteState(tmp_path / "state")) as other,
        pytest.raises(RateLimitedError, match="Nothing was sent") as again,
    ):
        other.get_json(CALL_LOG)

    assert (raised.value.status, raised.value.error_code, raised.value.retry_after) == (429, "CMN-301", 45)
    assert raised.value.quota is not None
    assert again.value.retry_after == pytest.approx(45, abs=5)
    assert (again.value.status, again.value.method, again.value.url) == (None, "GET", CALL_LOG)
    assert len(server.requests_for(CALL_LOG)) == 1


def test_the_tally_is_of_what_was_sent_waited_refused_and_read(
    client: RingCentralClient, server: ScriptedServer
) -> None:
    full = {"X_Rate_Limit_Group": "heavy", "X_Rate_Limit_Limit": "1", "X_Rate_Limit_Remaining": "0"}
    server.script(
        CALL_LOG,
        json_answer({"a": 1}, **full, X_Rate_Limit_Window="0.5"),
        json_answer({"errorCode": "CMN-301"}, 429, Retry_After="45", **full, X_Rate_Limit_Window="0.5"),
    )

    body = client.get_json(CALL_LOG).body
    login = client.tally.received - len(body)
    with pytest.raises(RateLimitedError):
        client.get_json(CALL_LOG)
    with pytest.raises(RateLimitedError):
        client.get_json(CALL_LOG)

    assert 0 < login < 500
    assert (client.tally.requests, client.tally.refused) == (3, 1)
    assert 0.3 < client.tally.waited < 5
    [grant] = client.grants()
    assert (grant.group, grant.limit, grant.window) == ("heavy", 1, 0.5)
    assert 40 < grant.blocked_for <= 45


def test_the_time_of_media_is_measured_without_the_wait(
    client: RingCentralClient, server: ScriptedServer, media: ScriptedServer
) -> None:
    full = {"X_Rate_Limit_Group": "heavy", "X_Rate_Limit_Limit": "1", "X_Rate_Limit_Remaining": "0"}
    server.script(CALL_LOG, json_answer({}, **full, X_Rate_Limit_Window="1"))
    media.script(CONTENT, json_answer({}, **full, X_Rate_Limit_Window="1"))
    client.get_json(CALL_LOG)
    assert client.grants()[0].seconds == 0.0

    with client.stream(media.url + CONTENT) as reply:
        reply.body.read()
        time.sleep(0.3)

    assert client.tally.waited > 0.7
    assert 0.3 <= client.grants()[0].seconds < 0.7


def test_an_overloaded_server_is_asked_once(client: RingCentralClient, server: ScriptedServer) -> None:
    server.script(CALL_LOG, json_answer({"errorCode": "CMN-201"}, 503, Retry_After="7"))

    with pytest.raises(ServerError) as raised:
        client.get_json(CALL_LOG)

    assert raised.value.retry_after == 7
    assert len(server.requests_for(CALL_LOG)) == 1


def test_a_missing_permission_makes_the_next_request_log_in_unless_the_token_is_new(
    client: RingCentralClient, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script(CALL_LOG, json_answer({"permissionName": "ReadCallLog"}, 403, **QUOTA))
    for _ in range(2):
        with pytest.raises(PermissionDeniedError, match="permission ReadCallLog is missing"):
            client.get_json(CALL_LOG)
    assert len(server.requests_for(TOKEN_PATH)) == 1

    monkeypatch.setattr("voxlake.ringcentral.auth._YOUNG_SECONDS", 0)
    with pytest.raises(PermissionDeniedError):
        client.get_json(CALL_LOG)
    server.script(CALL_LOG, json_answer({}))
    client.get_json(CALL_LOG)

    assert server.requests_for(CALL_LOG)[-1].headers["Authorization"] == "Bearer second-token"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(200, b"{", {"Content-Length": "5"}), "the body broke off"),
        (Answer(200, b"zz\r\n", {"Transfer-Encoding": "chunked", "Content-Length": ""}), "the body broke off"),
        (Answer(200, b"not gzip", {"Content-Encoding": "gzip"}), "ContentDecodingError"),
        (Answer(200, b"{", {"Content-Length": "5", "Connection": "keep-alive"}), "the body broke off"),
    ],
)
def test_half_a_reply_is_no_reply(client: RingCentralClient, server: ScriptedServer, answer: Answer, told: str) -> None:
    server.script(CALL_LOG, answer)

    with pytest.raises(TransportError, match=told) as raised:
        client.get_json(CALL_LOG)

    assert (raised.value.method, raised.value.url) == ("GET", CALL_LOG)
    _assert_no_secret(raised.value)


def test_no_server_is_named_with_its_reason(credentials: Credentials, tmp_path: Path) -> None:
    with (
        RingCentralClient(_at(credentials, "http://127.0.0.1:1"), SqliteState(tmp_path)) as client,
        pytest.raises(TransportError, match=f"No whole reply to POST {TOKEN_PATH}: Connection refused") as raised,
    ):
        client.get_json(CALL_LOG)

    _assert_no_secret(raised.value)


def test_a_silent_server_is_a_time_out(credentials: Credentials, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            RingCentralClient(_at(credentials, url), SqliteState(tmp_path), timeout=(1, 0.2)) as client,
            pytest.raises(TransportError, match=r"no data for 0\.2 s") as raised,
        ):
            client.get_json(CALL_LOG)

    _assert_no_secret(raised.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 302])
def test_no_error_shows_a_secret_even_if_the_server_repeats_it(
    client: RingCentralClient, server: ScriptedServer, status: int
) -> None:
    echo = {"errorCode": "X", "message": "first-token the.jwt.itself the-client-secret"}
    server.script(TOKEN_PATH, token_answer("first-token"))
    server.script(CALL_LOG, json_answer(echo, status, **QUOTA))

    with pytest.raises(RingCentralError) as raised:
        client.get_json(CALL_LOG)

    _assert_no_secret(raised.value)


def test_the_client_itself_shows_no_secret(client: RingCentralClient, credentials: Credentials) -> None:
    shown = f"{client!r} {vars(client)!r} {credentials!r}"

    assert "the-client-id" in shown
    assert "the-client-secret" not in shown
    assert "the.jwt.itself" not in shown


def _at(credentials: Credentials, url: str) -> Credentials:
    return replace(credentials, server_url=url, media_url=url)


def _assert_no_secret(error: BaseException) -> None:
    shown = everything_shown(error)
    for secret in ("first-token", "second-token", "the.jwt.itself", "the-client-secret", "Basic ", "Bearer "):
        assert secret not in shown
