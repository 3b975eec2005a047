"""Bad answers that are switched on, in-process and over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from sandbox.ringcentral import Fault, Sandbox
from tests.conftest import NOON
from tests.sandbox.conftest import LogIn


@pytest.fixture
def url(sandbox: Sandbox) -> str:
    recording = sandbox.truth(datetime(2026, 3, 3, tzinfo=UTC), NOON).recordings[0]
    return f"{sandbox.media_url}/restapi/v1.0/account/~/recording/{recording.id}/content"


def whole(sandbox: Sandbox, url: str) -> bytes:
    return sandbox.content_of(url.split("/")[-2])


@pytest.mark.parametrize(
    ("kind", "status", "content_type", "start"),
    [
        ("html", 200, "text/html", b"<!doctype"),
        ("json", 200, "application/json", b'{"message"'),
        ("empty", 200, "audio/mpeg", b""),
        ("not_found", 404, "application/json", b'{"errorCode":"CMN-102"'),
        ("error", 500, "application/json", b'{"errorCode":"CMN-201"'),
    ],
)
def test_a_recording_is_answered_badly_once(
    sandbox: Sandbox, log_in: LogIn, url: str, kind: Any, status: int, content_type: str, start: bytes
) -> None:
    sandbox.faults.add(Fault("content", kind, times=1))
    api = log_in(sandbox)

    bad, good = api.get(url, timeout=10), api.get(url, timeout=10)

    assert (bad.status_code, bad.headers["Content-Type"].partition(";")[0]) == (status, content_type)
    assert bad.content.startswith(start)
    assert len(bad.content) < 300
    assert good.content == whole(sandbox, url)


def test_an_unavailable_service_says_when_to_come_back(sandbox: Sandbox, log_in: LogIn) -> None:
    sandbox.faults.add(Fault("call_log", "unavailable", retry_after=7))

    answer = log_in(sandbox).get(f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log", timeout=10)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_a_truncated_body_ends_the_connection(sandbox: Sandbox, log_in: LogIn, url: str) -> None:
    sandbox.faults.add(Fault("content", "truncated"))

    with log_in(sandbox).get(url, stream=True, timeout=10) as answer:
        assert int(answer.headers["Content-Length"]) == len(whole(sandbox, url))
        received: list[bytes] = []
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            received.extend(answer.iter_content(1000))
    assert b"".join(received) == whole(sandbox, url)[: len(b"".join(received))]
    assert 0 < len(b"".join(received)) < len(whole(sandbox, url))


def test_a_reset_comes_in_the_middle_of_the_body(sandbox: Sandbox, log_in: LogIn, url: str) -> None:
    sandbox.faults.add(Fault("content", "reset"))

    with log_in(sandbox).get(url, stream=True, timeout=10) as answer:
        received: list[bytes] = []
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="Connection reset by peer"):
            received.extend(answer.iter_content(1000))

    content = whole(sandbox, url)
    assert len(content) // 2 - 1000 < len(b"".join(received)) <= len(content) // 2
    assert content.startswith(b"".join(received))


def test_a_stalled_body_stops_and_leaves_the_connection_open(sandbox: Sandbox, log_in: LogIn, url: str) -> None:
    sandbox.faults.add(Fault("content", "stall"))

    with log_in(sandbox).get(url, stream=True, timeout=(10, 0.3)) as answer:
        received: list[bytes] = []
        with pytest.raises(requests.exceptions.ConnectionError, match="Read timed out"):
            received.extend(answer.iter_content(1000))

    assert len(b"".join(received)) > len(whole(sandbox, url)) // 2 - 1000


def test_a_silent_server_sends_nothing(sandbox: Sandbox, log_in: LogIn, url: str) -> None:
    sandbox.faults.add(Fault("content", "silent", times=1))
    api = log_in(sandbox)

    with pytest.raises(requests.exceptions.ReadTimeout):
        api.get(url, timeout=(10, 0.3))

    assert api.get(url, timeout=10).content == whole(sandbox, url)


def test_the_right_bytes_may_come_under_a_wrong_type(sandbox: Sandbox, log_in: LogIn, url: str) -> None:
    sandbox.faults.add(Fault("content", "wrong_type"))

    answer = log_in(sandbox).get(url, timeout=10)

    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.content == whole(sandbox, url)


@pytest.mark.parametrize(("kind", "kept"), [("corrupt", 1 / 3), ("unplayable", 0)])
def test_bytes_may_be_lost_before_they_are_sent(
    sandbox: Sandbox, log_in: LogIn, url: str, kind: Any, kept: float
) -> None:
    sandbox.faults.add(Fault("content", kind))

    answer = log_in(sandbox).get(url, timeout=10)

    content = whole(sandbox, url)
    assert len(answer.content) == len(content)
    start = max(16, int(kept * len(content)))
    assert answer.content[:start] == content[:start]
    assert answer.content[start : len(content) * 2 // 3] == bytes(len(content) * 2 // 3 - start)
    assert answer.headers["Content-Type"] == "audio/mpeg"


def test_half_a_file_may_come_as_206_without_being_asked_for(sandbox: Sandbox, log_in: LogIn, url: str) -> None:
    sandbox.faults.add(Fault("content", "partial"))

    answer = log_in(sandbox).get(url, timeout=10)

    size = len(whole(sandbox, url))
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes 0-{size // 2 - 1}/{size}"
    assert answer.content == whole(sandbox, url)[: size // 2]


def test_a_redirect_leads_back_to_the_same_host(sandbox: Sandbox, log_in: LogIn, url: str) -> None:
    sandbox.faults.add(Fault("content", "redirect"))

    answer = log_in(sandbox).get(url, timeout=10)

    assert [(hop.status_code, hop.headers["Location"].startswith(sandbox.media_url)) for hop in answer.history] == [
        (302, True)
    ]
    assert answer.content == whole(sandbox, url)


def test_a_redirect_may_lead_to_a_foreign_host(sandbox: Sandbox, log_in: LogIn, url: str) -> None:
    sandbox.faults.add(Fault("content", "redirect_foreign", location="https://storage.example.net/a"))

    answer = log_in(sandbox).get(url, allow_redirects=False, timeout=10)

    assert (answer.status_code, answer.headers["Location"]) == (302, "https://storage.example.net/a")


def test_records_are_spoiled_one_by_one(sandbox: Sandbox, log_in: LogIn) -> None:
    api = log_in(sandbox)
    log = f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log?view=Detailed&perPage=5"
    good = [record["id"] for record in api.get(log, timeout=10).json()["records"]]
    sandbox.faults.add(Fault("record", "no_start_time", id=good[0]))
    sandbox.faults.add(Fault("record", "wrong_type", id=good[1]))
    sandbox.faults.add(Fault("record", "wrong_type", id=good[2], field="sessionId"))
    sandbox.faults.add(Fault("record", "unknown_field", id=good[3]))

    spoiled = api.get(log, timeout=10).json()["records"]

    assert [record["id"] for record in spoiled] == good
    assert "startTime" not in spoiled[0]
    assert spoiled[1]["duration"] == "forty-two"
    assert spoiled[2]["sessionId"] == 42
    assert spoiled[3]["sandboxUnknownField"] == {"nested": [1, 2, 3]}
    assert isinstance(spoiled[4]["duration"], int)


def test_faults_are_switched_over_http(sandbox: Sandbox, log_in: LogIn, url: str) -> None:
    faults = f"{sandbox.platform_url}/sandbox/faults"
    added = requests.post(faults, json={"on": "content", "kind": "html"}, timeout=10)
    refused = requests.post(faults, json={"on": "content", "kind": "smoke"}, timeout=10)
    listed = requests.get(faults, timeout=10).json()
    api = log_in(sandbox)

    assert (added.status_code, refused.status_code) == (201, 400)
    assert "smoke" in refused.json()["message"]
    assert [fault["kind"] for fault in listed] == ["html"]
    assert api.get(url, timeout=10).headers["Content-Type"].startswith("text/html")

    assert requests.delete(faults, timeout=10).status_code == 204
    assert api.get(url, timeout=10).content == whole(sandbox, url)


def test_a_reset_forgets_requests_quotas_faults_and_deletions(sandbox: Sandbox, log_in: LogIn, url: str) -> None:
    api = log_in(sandbox)
    sandbox.faults.add(Fault("content", "html"))
    sandbox.delete_recording(url.split("/")[-2])
    api.get(url, timeout=10)

    assert requests.post(f"{sandbox.media_url}/sandbox/reset", timeout=10).status_code == 204

    assert sandbox.requests == ()
    answer = api.get(url, timeout=10)
    assert answer.content == whole(sandbox, url)
    assert answer.headers["X-Rate-Limit-Remaining"] == "9"
