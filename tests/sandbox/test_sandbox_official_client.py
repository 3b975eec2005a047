"""The official `ringcentral` client of PyPI works against the sandbox as against the service."""

from __future__ import annotations

import pytest
from ringcentral import SDK
from ringcentral.http.api_exception import ApiException

from sandbox.ringcentral import Sandbox


def test_logs_in_reads_the_call_log_and_fetches_a_recording(sandbox: Sandbox) -> None:
    platform = SDK(sandbox.client_id, sandbox.client_secret, sandbox.platform_url).platform()
    platform.login(jwt=sandbox.jwt)

    page = platform.get(
        "/restapi/v1.0/account/~/call-log",
        {"view": "Detailed", "recordingType": "All", "dateFrom": "2026-03-03T00:00:00.000Z", "perPage": 50},
    ).json_dict()
    recording = page["records"][0]["recording"]
    audio = platform.get(recording["contentUri"])

    assert len(page["records"]) == 50
    assert audio.response().headers["Content-Type"] == "audio/mpeg"
    assert audio.body() == sandbox.content_of(recording["id"])
    assert platform.get(recording["uri"]).json_dict()["contentUri"] == recording["contentUri"]
    assert [request.host for request in sandbox.requests] == ["platform", "platform", "media", "platform"]

    platform.logout()
    assert sandbox.requests[-1].path == "/restapi/oauth/revoke"
    assert sandbox.requests[-1].status == 200


def test_shows_the_message_of_an_error_envelope(sandbox: Sandbox) -> None:
    platform = SDK(sandbox.client_id, sandbox.client_secret, sandbox.platform_url).platform()
    platform.login(jwt=sandbox.jwt)

    with pytest.raises(ApiException, match=r"Parameter \[sessionId\] value is invalid"):
        platform.get("/restapi/v1.0/account/~/call-log", {"sessionId": "s-a0d178729c49d"})


def test_refuses_a_jwt_of_somebody_else(sandbox: Sandbox) -> None:
    platform = SDK(sandbox.client_id, sandbox.client_secret, sandbox.platform_url).platform()

    with pytest.raises(ApiException, match="Invalid JWT assertion"):
        platform.login(jwt="not.the.one")
