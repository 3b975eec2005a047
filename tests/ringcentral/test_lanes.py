"""Several credentials of one account, each a user with a quota of its own in the sandbox."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from sandbox.ringcentral import Fault, QuotaLimit, Sandbox, SandboxConfig
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
    with RingCentralClient(users_of(sandbox)[1 - refused], state) as client:
        account = client.get_json(CALL_LOG).data["uri"].split("/account/")[1].split("/")[0]
    # It has been used before it was revoked.
    state.update(f"account-{users[0].token_name}", lambda *_: (account.encode(), None))

    with caplog.at_level(logging.WARNING), RingCentralClient(users, state, max_wait=0) as client:
        while served(sandbox)[200] < 10:
            client.get_json(CALL_LOG)
        with pytest.raises(RateLimitedError):
            client.get_json(CALL_LOG)

    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith(f"Connection default__{refused + 1} is not used any more by this task: ")
    assert "refused the login: OAU-331" in warning
    assert "revoked" not in warning.replace("expired nor revoked", "")
    assert served(sandbox) == {200: 10}


def test_a_further_user_without_the_permission_drops_out(
    start_sandbox: StartSandbox, state: SharedState, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(SandboxConfig(users=2))
    # A host of its own, as the sandbox gives all users of an account the same permissions.
    other = start_sandbox(SandboxConfig(user_permissions=("ReadCallRecording",)))
    first, second = users_of(sandbox)
    second = replace(second, server_url=other.platform_url, media_url=other.media_url, jwt=other.jwt)

    with caplog.at_level(logging.WARNING), RingCentralClient([first, second], state) as client:
        client.get_json(CALL_LOG)

    assert "Connection default__2 is not used any more by this task: " in caplog.text
    assert "CMN-408" in caplog.text


def test_a_further_user_whose_account_cannot_be_read_is_left_out(
    start_sandbox: StartSandbox, state: SharedState, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox, broken = start_sandbox(SandboxConfig(users=2)), start_sandbox(SandboxConfig(users=2))
    first, second = users_of(sandbox)[0], users_of(broken)[1]
    broken.faults.add(Fault("call_log", "not_found"))

    with caplog.at_level(logging.INFO), RingCentralClient([first, second], state) as client:
        client.get_json(CALL_LOG)
        broken.faults.clear()
        client.get_json(CALL_LOG)

    assert caplog.text.count("Connection default__2 is left out of a request: ") == 1
    assert "is not used any more" not in caplog.text


def test_the_first_user_says_which_account_it_is(start_sandbox: StartSandbox, state: SharedState) -> None:
    sandbox = start_sandbox(SandboxConfig(users=2))
    first, second = users_of(sandbox)

    with (
        RingCentralClient([replace(first, jwt="revoked"), second], state) as client,
        pytest.raises(LoginRefusedError, match="OAU-331"),
    ):
        client.get_json(CALL_LOG)

    assert served(sandbox) == {}


def test_one_user_twice_does_not_count_twice(
    start_sandbox: StartSandbox, state: SharedState, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(SandboxConfig(quotas={"heavy": QuotaLimit(10), "auth": QuotaLimit(5)}))
    [user] = users_of(sandbox)
    # The secret is another to us, not to a sandbox that has one user: the login is the same.
    twice = replace(user, connection="default__2", at_rest_key="another name for the token")

    with caplog.at_level(logging.WARNING), RingCentralClient([user, twice], state) as client:
        client.get_json(CALL_LOG)

    assert "Connection default__2 is not used any more by this task: it is the same user as default__1" in caplog.text


def test_tasks_that_wait_share_the_turns_of_all_users(start_sandbox: StartSandbox, state: SharedState) -> None:
    sandbox = start_sandbox(SandboxConfig(users=3, quotas={"heavy": QuotaLimit(2), "auth": QuotaLimit(5)}))
    users = users_of(sandbox)
    with RingCentralClient(users, state, max_wait=0) as client:
        while served(sandbox)[200] < 6:
            client.get_json(CALL_LOG)

    waits = []
    for number in range(12):
        with (
            RingCentralClient(users, state, max_wait=0, waiter=f"task {number}") as client,
            pytest.raises(RateLimitedError) as raised,
        ):
            client.get_json(CALL_LOG)
        waits.append(raised.value.retry_after)

    assert sorted(waits) == pytest.approx([60] * 6 + [120] * 6, abs=5), "six a minute"


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
