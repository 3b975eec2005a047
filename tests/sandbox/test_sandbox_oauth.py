"""Logins, token life, parallel sessions and what a 401 says."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox.ringcentral import Sandbox, SandboxConfig
from tests.conftest import StartSandbox

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def post_token(sandbox: Sandbox, secret: str | None = None, **form: str) -> requests.Response:
    return requests.post(
        f"{sandbox.platform_url}/restapi/oauth/token",
        data={"grant_type": JWT_BEARER, "assertion": sandbox.jwt, **form},
        auth=(sandbox.client_id, secret or sandbox.client_secret),
        timeout=10,
    )


def read_log(sandbox: Sandbox, authorization: str | None) -> requests.Response:
    headers = {"Authorization": authorization} if authorization is not None else {}
    return requests.get(
        f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log?perPage=1", headers=headers, timeout=10
    )


def codes(answer: requests.Response) -> tuple[int, str, str]:
    body: dict[str, Any] = answer.json()
    assert body["message"] == body["errors"][0]["message"]
    return answer.status_code, body["errorCode"], body["errors"][0]["errorCode"]


def test_a_token_carries_what_the_reference_requires(sandbox: Sandbox) -> None:
    answer = post_token(sandbox, endpoint_id="worker-1", access_token_ttl="900")

    info = answer.json()
    assert info["token_type"] == "bearer"
    assert info["expires_in"] == 900
    assert info["owner_id"] == "400144455008"
    assert info["endpoint_id"] == "worker-1"
    assert {"ReadCallLog", "ReadCallRecording"} <= set(info["scope"].split())
    assert info["session_id"]
    assert "refresh_token" not in info
    assert answer.headers["X-Rate-Limit-Group"] == "auth"
    assert answer.headers["X-Rate-Limit-Remaining"] == "4"
    assert read_log(sandbox, f"bearer {info['access_token']}").status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "code", "oauth_error"),
    [
        ({"assertion": "wrong.jwt.here"}, 400, "OAU-331", "invalid_grant"),
        ({"grant_type": "password"}, 400, "OAU-112", "unauthorized_client"),
        ({"grant_type": "refresh_token"}, 400, "OAU-112", "unauthorized_client"),
        ({"grant_type": "magic"}, 400, "OAU-251", "unsupported_grant_type"),
        ({"access_token_ttl": "599"}, 400, "CMN-101", "invalid_request"),
        ({"access_token_ttl": "soon"}, 400, "CMN-101", "invalid_request"),
    ],
)
def test_a_refused_token_request_says_why(
    unlimited: Sandbox, form: dict[str, str], status: int, code: str, oauth_error: str
) -> None:
    answer = post_token(unlimited, **form)

    assert codes(answer) == (status, code, code)
    assert answer.json()["error"] == oauth_error


def test_wrong_client_credentials_are_refused(unlimited: Sandbox) -> None:
    answer = post_token(unlimited, secret="another-secret")

    assert codes(answer) == (401, "OAU-146", "OAU-146")
    assert answer.json()["error"] == "invalid_client"
    assert answer.json()["error_description"] == "Invalid client credentials"


def test_a_token_request_must_be_a_form(unlimited: Sandbox) -> None:
    answer = requests.post(
        f"{unlimited.platform_url}/restapi/oauth/token",
        json={"grant_type": JWT_BEARER, "assertion": unlimited.jwt},
        auth=(unlimited.client_id, unlimited.client_secret),
        timeout=10,
    )

    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, (401, "AGW-401", "AGW-401")),
        ("Bearer", (401, "AGW-402", "AGW-402")),
        ("Basic abc", (401, "AGW-402", "AGW-402")),
        ("Bearer unheard-of", (401, "TokenInvalid", "OAU-149")),
    ],
)
def test_a_401_tells_the_kinds_of_bad_headers_apart(
    sandbox: Sandbox, authorization: str | None, expected: tuple[int, str, str]
) -> None:
    answer = read_log(sandbox, authorization)

    assert codes(answer) == expected
    assert not [name for name in answer.headers if name.lower().startswith("x-rate-limit")]


def test_a_token_expires(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SandboxConfig(token_seconds=5))
    info = post_token(sandbox, access_token_ttl="3600").json()
    authorization = f"Bearer {info['access_token']}"
    assert info["expires_in"] == 5
    assert read_log(sandbox, authorization).status_code == 200

    sandbox.clock.advance(5)

    assert codes(read_log(sandbox, authorization)) == (401, "TokenExpired", "OAU-128")


def test_a_login_too_many_ends_the_oldest_session(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SandboxConfig(quotas=None, parallel_sessions=2))
    first, second, third = (f"Bearer {post_token(sandbox).json()['access_token']}" for _ in range(3))

    assert codes(read_log(sandbox, first)) == (401, "TokenInvalid", "OAU-213")
    assert read_log(sandbox, second).status_code == 200
    assert read_log(sandbox, third).status_code == 200


def test_revocation_ends_the_session(sandbox: Sandbox) -> None:
    token = post_token(sandbox).json()["access_token"]

    answer = requests.post(
        f"{sandbox.platform_url}/restapi/oauth/revoke",
        data={"token": token},
        auth=(sandbox.client_id, sandbox.client_secret),
        timeout=10,
    )

    assert answer.status_code == 200
    assert codes(read_log(sandbox, f"Bearer {token}")) == (401, "TokenInvalid", "OAU-213")


def test_a_refresh_token_works_once_and_corrupts_the_old_access_token(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SandboxConfig(refresh_tokens=True))
    old = post_token(sandbox).json()
    assert old["refresh_token_expires_in"] == 604_800

    new = post_token(sandbox, grant_type="refresh_token", refresh_token=old["refresh_token"]).json()

    assert new["session_id"] == old["session_id"]
    assert read_log(sandbox, f"Bearer {new['access_token']}").status_code == 200
    assert codes(read_log(sandbox, f"Bearer {old['access_token']}")) == (401, "TokenInvalid", "OAU-129")
    again = post_token(sandbox, grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_missing_permissions_are_named(start_sandbox: StartSandbox) -> None:
    without_scope = start_sandbox(SandboxConfig(app_scopes=("ReadCallRecording",)))
    without_right = start_sandbox(SandboxConfig(user_permissions=("ReadCallLog",)))

    by_app = read_log(without_scope, f"Bearer {post_token(without_scope).json()['access_token']}")
    by_user = read_log(without_right, f"Bearer {post_token(without_right).json()['access_token']}")

    assert codes(by_app) == (403, "InsufficientPermissions", "CMN-401")
    assert by_app.json()["permissionName"] == by_app.json()["errors"][0]["permissionName"] == "ReadCallLog"
    assert codes(by_user) == (403, "InsufficientPermissions", "CMN-408")
    assert by_user.json()["permissionName"] == "FullCompanyCallLog"


def test_no_secret_is_in_the_request_log_or_a_repr(sandbox: Sandbox) -> None:
    token = post_token(sandbox).json()["access_token"]
    requests.get(f"{sandbox.media_url}/restapi/v1.0/account/~/recording/1/content?access_token={token}", timeout=10)

    shown = requests.get(f"{sandbox.platform_url}/sandbox/requests", timeout=10).text
    for secret in (token, sandbox.jwt, sandbox.client_secret):
        assert secret not in shown
        assert secret not in repr(sandbox)
