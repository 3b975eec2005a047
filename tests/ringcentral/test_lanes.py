"""Several credentials of one account, each a user with a quota of its own in the sandbox."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from sandbox.ringcentral import QuotaLimit, Sandbox, SandboxConfig
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import LoginRefusedError, RateLimitedError
from voxlake.ringcentral.shared_state import SharedState

CALL_LOG = "/restapi/v1.0/account/~/call-log?perPage=1"

StartSandbox = Callable[[SandboxConfig], Sandbox]


def users_of(sandbox: Sandbox) -> list[Credentials]:
    return [
        Credentials(
            sandbox.platform_url, sandbox.client_id, sandbox.client_secret, jwt, sandbox.media_url, f"default__{number}"
        )
        for number, jwt in enumerate(sandbox.jwts, 1)
    ]


def served(sandbox: Sandbox) -> Counter[int]:
    return Counter(entry.status for entry in sandbox.requests if entry.path.endswith("/call-log"))


def test_each_further_user_adds_its_quota(start_sandbox: StartSandbox, state: SharedState) -> None:
    sandbox = start_sandbox(SandboxConfig(users=3, quotas={"heavy": QuotaLimit(10), "auth": QuotaLimit(5)}))

    with RingCentralClient(users_of(sandbox), state, max_wait=0) as client:
        # Of the 30 that three users are granted, one each tells whose account it is.
        for _ in range(27):
            client.get_json(CALL_LOG)
        with pytest.raises(RateLimitedError) as raised:
            client.get_json(CALL_LOG)

        assert sorted(grant.used for grant in client.grants() if grant.group == "heavy") == [10, 10, 10]
    assert raised.value.retry_after == pytest.approx(60, abs=5)
    assert served(sandbox) == {200: 30}


def test_the_account_of_a_user_is_asked_for_once(start_sandbox: StartSandbox, state: SharedState) -> None:
    sandbox = start_sandbox(SandboxConfig(users=2))

    for _ in range(3):
        with RingCentralClient(users_of(sandbox), state) as client:
            client.get_json(CALL_LOG)

    assert served(sandbox) == {200: 2 + 3}


@pytest.mark.parametrize("refused", [0, 1])
def test_a_user_that_is_refused_drops_out_with_a_warning(
    start_sandbox: StartSandbox, state: SharedState, caplog: pytest.LogCaptureFixture, refused: int
) -> None:
    sandbox = start_sandbox(SandboxConfig(users=2, quotas={"heavy": QuotaLimit(10), "auth": QuotaLimit(5)}))
    users = users_of(sandbox)
    users[refused] = replace(users[refused], jwt="revoked")

    with caplog.at_level(logging.WARNING), RingCentralClient(users, state, max_wait=0) as client:
        for _ in range(9):
            client.get_json(CALL_LOG)
        with pytest.raises(RateLimitedError):
            client.get_json(CALL_LOG)

    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith(f"Connection default__{refused + 1} is not used any more by this task: ")
    assert "refused the login: OAU-331" in warning
    assert "revoked" not in warning.replace("expired nor revoked", "")
    assert served(sandbox) == {200: 10}


def test_a_user_without_the_permission_drops_out(
    start_sandbox: StartSandbox, state: SharedState, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(SandboxConfig(users=2))
    first, second = users_of(sandbox)
    without = start_sandbox(SandboxConfig(user_permissions=("ReadCallRecording",)))
    # A host of its own, as the sandbox gives all users of an account the same permissions.
    first = replace(first, server_url=without.platform_url, media_url=without.media_url, jwt=without.jwt)

    with caplog.at_level(logging.WARNING), RingCentralClient([second, first], state) as client:
        client.get_json(CALL_LOG)

    assert "Connection default__1 is not used any more by this task: " in caplog.text
    assert "CMN-408" in caplog.text


def test_where_all_are_refused_the_first_reason_is_told(start_sandbox: StartSandbox, state: SharedState) -> None:
    sandbox = start_sandbox(SandboxConfig(users=2))
    users = [replace(user, jwt=f"revoked-{number}") for number, user in enumerate(users_of(sandbox))]

    with RingCentralClient(users, state) as client:
        for _ in range(2):
            with pytest.raises(LoginRefusedError, match="OAU-331"):
                client.get_json(CALL_LOG)


def test_a_user_of_another_account_is_not_used(
    start_sandbox: StartSandbox, state: SharedState, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(SandboxConfig(users=2))
    users = users_of(sandbox)
    state.update(f"account-{users[1].token_name}", lambda *_: (b"77", None))

    with caplog.at_level(logging.WARNING), RingCentralClient(users, state) as client:
        for _ in range(3):
            client.get_json(CALL_LOG)

    assert "Connection default__2 is not used any more by this task: it reads the account 77" in caplog.text
    assert served(sandbox) == {200: 1 + 3}, "one of them told the account of the first"
