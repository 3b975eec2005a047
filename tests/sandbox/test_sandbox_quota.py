"""Usage plans: exact counting, the sliding window and the penalty that starts again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from sandbox.ringcentral import QuotaLimit, Sandbox, SandboxConfig
from sandbox.ringcentral.quota import Quotas, Verdict
from tests.conftest import NOON, StartSandbox
from tests.sandbox.conftest import LogIn


class Seconds:
    """A running clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def admitted(verdict: Verdict | None) -> bool:
    assert verdict is not None
    return verdict.retry_after is None


def test_the_window_slides_request_by_request() -> None:
    seconds = Seconds()
    quotas = Quotas({"heavy": QuotaLimit(2, window=60, penalty=0)}, seconds)
    assert admitted(quotas.count("user", "app", "heavy"))
    seconds.now += 40
    assert admitted(quotas.count("user", "app", "heavy"))
    assert not admitted(quotas.count("user", "app", "heavy"))

    seconds.now += 20
    assert admitted(quotas.count("user", "app", "heavy"))
    assert not admitted(quotas.count("user", "app", "heavy"))
    seconds.now += 39.9
    assert not admitted(quotas.count("user", "app", "heavy"))
    seconds.now += 0.1
    assert admitted(quotas.count("user", "app", "heavy"))


def test_every_request_inside_the_penalty_starts_it_again() -> None:
    seconds = Seconds()
    quotas = Quotas({"heavy": QuotaLimit(1, window=10, penalty=60)}, seconds)
    assert admitted(quotas.count("user", "app", "heavy"))
    assert not admitted(quotas.count("user", "app", "heavy"))

    for _ in range(5):
        seconds.now += 59
        assert not admitted(quotas.count("user", "app", "heavy"))
    seconds.now += 60
    assert admitted(quotas.count("user", "app", "heavy"))


def test_users_applications_and_groups_are_counted_apart() -> None:
    quotas = Quotas({"heavy": QuotaLimit(1), "light": QuotaLimit(1)}, Seconds())

    assert admitted(quotas.count("user", "app", "heavy"))
    assert admitted(quotas.count("user", "app", "light"))
    assert admitted(quotas.count("other", "app", "heavy"))
    assert admitted(quotas.count("user", "other", "heavy"))
    assert not admitted(quotas.count("user", "app", "heavy"))
    assert quotas.count("user", "app", "medium") is None


def test_platform_and_media_share_one_quota(sandbox: Sandbox, log_in: LogIn) -> None:
    api = log_in(sandbox)
    recording = sandbox.truth(datetime(2026, 3, 3, tzinfo=UTC), NOON).recordings[0]
    log = f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log?perPage=1"
    content = f"{sandbox.media_url}/restapi/v1.0/account/~/recording/{recording.id}/content"

    answers = [api.get(url, timeout=10) for url in [log, content] * 5]

    assert {answer.status_code for answer in answers} == {200}
    assert [answer.headers["X-Rate-Limit-Remaining"] for answer in answers] == [str(9 - n) for n in range(10)]
    refused = api.get(content, timeout=10)
    assert refused.status_code == 429
    assert refused.json() == {
        "errorCode": "CMN-301",
        "message": "Request rate exceeded",
        "errors": [{"errorCode": "CMN-301", "message": "Request rate exceeded"}],
    }
    expected = {"Group": "heavy", "Limit": "10", "Remaining": "0", "Window": "60"}
    assert {name: refused.headers[f"X-Rate-Limit-{name}"] for name in expected} == expected
    assert refused.headers["Retry-After"] == "60"
    assert (sandbox.requests[-1].status, sandbox.requests[-1].group) == (429, "heavy")

    sandbox.clock.advance(59)
    assert api.get(log, timeout=10).status_code == 429
    sandbox.clock.advance(59)
    assert api.get(log, timeout=10).status_code == 429
    sandbox.clock.advance(60)
    assert api.get(log, timeout=10).status_code == 200


def test_concurrent_requests_are_counted_exactly(start_sandbox: StartSandbox, log_in: LogIn) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, quotas={"heavy": QuotaLimit(25, window=600, penalty=600)}))
    api = log_in(sandbox)
    headers = dict(api.headers)
    log = f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log?perPage=1"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.get(log, headers=headers, timeout=10), range(40)))

    assert sorted(answer.status_code for answer in answers) == [200] * 25 + [429] * 15
    left = {int(answer.headers["X-Rate-Limit-Remaining"]) for answer in answers if answer.status_code == 200}
    assert left == set(range(25))


def test_logins_count_in_their_own_group(sandbox: Sandbox, log_in: LogIn) -> None:
    for _ in range(5):
        api = log_in(sandbox)

    with pytest.raises(Exception, match="429 Client Error"):
        log_in(sandbox)
    assert api.get(f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log?perPage=1", timeout=10).ok
    assert [request.group for request in sandbox.requests] == ["auth"] * 6 + ["heavy"]


def test_what_is_not_established_about_media_can_be_chosen(start_sandbox: StartSandbox, log_in: LogIn) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, media_group="medium", media_rate_headers=False))
    recording = sandbox.truth(datetime(2026, 3, 3, tzinfo=UTC), NOON).recordings[0]
    url = f"{sandbox.media_url}/restapi/v1.0/account/~/recording/{recording.id}/content"

    answer = log_in(sandbox).get(url, timeout=10)

    assert "X-Rate-Limit-Group" not in answer.headers
    assert sandbox.requests[-1].group == "medium"
