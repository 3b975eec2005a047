"""What several processes share, seen by the server: real processes, real HTTP."""

import time
from collections.abc import Callable
from dataclasses import replace

import one_process
import pytest
import requests
from exposure import everything_shown
from one_process import address_of

from sandbox.ringcentral import QuotaLimit, Sandbox, SandboxConfig
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import LoginRefusedError, RateLimitedError
from voxlake.ringcentral.shared_state import SharedState

CALL_LOG = "/restapi/v1.0/account/~/call-log?perPage=1"
TOKEN = "/restapi/oauth/token"

StartSandbox = Callable[[SandboxConfig], Sandbox]


def credentials_of(sandbox: Sandbox) -> Credentials:
    return Credentials(sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url)


def statuses(sandbox: Sandbox, path: str) -> list[int]:
    return [entry.status for entry in sandbox.requests if entry.path == path.partition("?")[0]]


def test_processes_log_in_once_and_once_more_after_the_token_died(
    start_sandbox: StartSandbox, state: SharedState
) -> None:
    sandbox = start_sandbox(SandboxConfig(quotas={"heavy": QuotaLimit(10_000), "auth": QuotaLimit(5)}))
    work = one_process.Work(credentials_of(sandbox), *address_of(state), CALL_LOG, requests=3)

    with one_process.processes(*[work] * 4) as barrier:
        barrier.wait(60)
        barrier.wait(60)
        logins_of_round_one = statuses(sandbox, TOKEN)
        # The server's time alone moves on: to the clients the token looks fresh, and only a 401 tells otherwise.
        sandbox.clock.advance(3700)
        barrier.wait(60)
        barrier.wait(60)

    assert logins_of_round_one == [200]
    assert statuses(sandbox, TOKEN) == [200, 200]
    answers = statuses(sandbox, CALL_LOG)
    assert answers.count(200) == 24
    assert set(answers) == {200, 401}
    assert answers.count(401) <= 4


def test_processes_together_never_exceed_the_quota(start_sandbox: StartSandbox, state: SharedState) -> None:
    sandbox = start_sandbox(SandboxConfig(quotas={"heavy": QuotaLimit(limit=5, window=1)}))
    work = one_process.Work(credentials_of(sandbox), *address_of(state), CALL_LOG, requests=2)

    with one_process.processes(*[work] * 4) as barrier:
        for _ in range(4):
            barrier.wait(60)

    assert statuses(sandbox, CALL_LOG) == [200] * 16


def test_another_program_with_the_credential_is_taken_into_account(
    start_sandbox: StartSandbox, state: SharedState
) -> None:
    sandbox = start_sandbox(SandboxConfig(quotas={"heavy": QuotaLimit(limit=5, window=1)}))
    with RingCentralClient(credentials_of(sandbox), state) as client:
        client.get_json(CALL_LOG)
        ask_as_another_program(sandbox, times=3)

        for _ in range(3):
            client.get_json(CALL_LOG)

    assert statuses(sandbox, CALL_LOG) == [200] * 7


def test_a_penalty_is_kept_to_the_end(start_sandbox: StartSandbox, state: SharedState) -> None:
    sandbox = start_sandbox(SandboxConfig(quotas={"heavy": QuotaLimit(limit=5, window=60, penalty=1)}))
    with RingCentralClient(credentials_of(sandbox), state) as client:
        client.get_json(CALL_LOG)
        ask_as_another_program(sandbox, times=4)

        with pytest.raises(RateLimitedError) as raised:
            client.get_json(CALL_LOG)
        began = time.monotonic()
        # To the server its window is over; only the penalty that the client was told of makes it wait.
        sandbox.clock.advance(60)
        client.get_json(CALL_LOG)

    assert raised.value.error_code == "CMN-301"
    assert raised.value.retry_after == 1
    assert time.monotonic() - began >= 0.9
    assert statuses(sandbox, CALL_LOG) == [200] * 5 + [429, 200]


@pytest.mark.parametrize(
    ("field", "code"), [("client_id", "OAU-146"), ("client_secret", "OAU-146"), ("jwt", "OAU-331")]
)
def test_wrong_credentials_are_refused_by_name_and_asked_once(
    start_sandbox: StartSandbox, state: SharedState, field: str, code: str
) -> None:
    sandbox = start_sandbox(SandboxConfig())
    right = credentials_of(sandbox)
    wrong = replace(right, **{field: "something-wrong"})

    for _ in range(2):
        with RingCentralClient(wrong, state) as client, pytest.raises(LoginRefusedError) as raised:
            client.get_json(CALL_LOG)
        assert raised.value.error_code == code
        assert sandbox.platform_url in str(raised.value)
        shown = everything_shown(raised.value)
        assert not any(secret in shown for secret in (*wrong.secrets, *right.secrets))
    with RingCentralClient(right, state) as client:
        client.get_json(CALL_LOG)

    assert len(statuses(sandbox, TOKEN)) == 2


def ask_as_another_program(sandbox: Sandbox, times: int) -> None:
    login = requests.post(
        sandbox.platform_url + TOKEN,
        auth=(sandbox.client_id, sandbox.client_secret),
        data={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": sandbox.jwt},
        timeout=5,
    )
    bearer = {"Authorization": f"Bearer {login.json()['access_token']}"}
    for _ in range(times):
        requests.get(sandbox.platform_url + CALL_LOG, headers=bearer, timeout=5).raise_for_status()
