from __future__ import annotations

import http.client
import json
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from fastapi import FastAPI

from sandbox.served import served
from voxlake.archive.subscription import SubscriptionNote, write_note
from voxlake.lake.inbox import draining
from voxlake.lake.local import LocalStorage
from voxlake.lake.storage import Storage
from voxlake.web.webhooks import create_webhooks

TOKEN = "a-token-that-is-derived"
SUBSCRIPTION = "dd2f0ff2-580e-4581-a277-76f9c9a54bc9"


@dataclass
class Receiving:
    """A receiver, and what it did."""

    url: str = ""
    lake: Storage = field(default_factory=lambda: LocalStorage(Path()))
    counted: Counter[str] = field(default_factory=Counter)
    told: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    token: str = TOKEN

    def post(self, body: bytes, **headers: str) -> requests.Response:
        sent = {"Content-Type": "application/json", "Verification-Token": TOKEN}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(f"{self.url}/voxlake-webhooks/ringcentral", data=body, headers=sent, timeout=30)

    def kept(self) -> list[bytes]:
        with draining(self.lake, "ringcentral", "test") as deliveries:
            return [event.body for delivery in deliveries for event in delivery.events]


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[Receiving]:
    state = Receiving(lake=LocalStorage(tmp_path / "lake"))
    write_note(state.lake, SubscriptionNote((SUBSCRIPTION,)))

    def count(provider: str, became: str) -> None:
        state.counted[f"{provider}/{became}"] += 1

    app = create_webhooks(lambda: state.lake, lambda: state.token, state.told.release, count)
    # As Airflow mounts it.
    root = FastAPI()
    root.mount("/voxlake-webhooks", app)
    with served(root) as state.url:
        yield state


def notification(code: str = "Answered", **changed: Any) -> bytes:
    value = {
        "uuid": uuid.uuid4().hex,
        "event": "/restapi/v1.0/account/400144452008/telephony/sessions",
        "timestamp": datetime.now(UTC).isoformat(),
        "subscriptionId": SUBSCRIPTION,
        "ownerId": "400144455008",
        "body": {
            "sequence": 4,
            "sessionId": "402936341008",
            "telephonySessionId": "s-1",
            "eventTime": datetime.now(UTC).isoformat(),
            "parties": [{"id": "p-1", "status": {"code": code}}],
        },
    }
    return json.dumps(value | changed).encode()


def test_the_challenge_is_echoed_in_a_small_answer(receiving: Receiving) -> None:
    challenge = "d6a1f0ab-2d58-4c4e-9d5e-0b6b7f3a91c4"
    connection = http.client.HTTPConnection(urlsplit(receiving.url).netloc, timeout=30)
    connection.request("POST", "/voxlake-webhooks/ringcentral", headers={"Validation-Token": challenge})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200
    assert answer.headers["Validation-Token"] == challenge
    size = len(f"HTTP/1.1 200 OK\r\n{answer.headers}") + len(body)
    assert size < 512
    assert receiving.kept() == []


def test_a_challenge_may_have_a_body_which_is_not_kept(receiving: Receiving) -> None:
    url = f"{receiving.url}/voxlake-webhooks/ringcentral"
    answer = requests.post(url, data=notification(), headers={"Validation-Token": "challenge"}, timeout=30)
    assert (answer.status_code, answer.headers["Validation-Token"]) == (200, "challenge")
    assert receiving.kept() == []


def test_an_event_is_kept_as_received_before_it_is_answered(receiving: Receiving) -> None:
    body = notification()
    assert receiving.post(body).status_code == 200
    assert receiving.kept() == [body]
    assert receiving.counted == {"ringcentral/accepted": 1}


def test_the_other_spelling_of_the_header_is_a_proof_too(receiving: Receiving) -> None:
    body = notification()
    assert receiving.post(body, Verification_Token="", Validation_Token=TOKEN).status_code == 200
    assert receiving.kept() == [body]


def test_airflow_is_told_of_what_may_end_a_session_and_of_nothing_else(receiving: Receiving) -> None:
    assert receiving.post(notification("Answered")).status_code == 200
    assert not receiving.told.acquire(timeout=1)
    assert receiving.post(notification("Disconnected")).status_code == 200
    assert receiving.told.acquire(timeout=60)
    assert receiving.post(notification("Gone")).status_code == 200
    assert receiving.told.acquire(timeout=60)


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "ä"])
def test_a_forged_event_is_refused(receiving: Receiving, token: str) -> None:
    answer = receiving.post(notification(), Verification_Token=token.encode().decode("latin-1"))
    refused(receiving, answer, 401, "forged")


def test_an_event_of_another_subscription_is_refused(receiving: Receiving) -> None:
    answer = receiving.post(notification(subscriptionId=uuid.uuid4().hex))
    refused(receiving, answer, 403, "unknown_subscription")


def test_the_first_events_of_a_subscription_that_is_being_made_are_kept(receiving: Receiving) -> None:
    write_note(receiving.lake, SubscriptionNote(opening_until=datetime.now(UTC) + timedelta(minutes=1)))
    body = notification(subscriptionId=uuid.uuid4().hex)
    assert receiving.post(body).status_code == 200
    assert receiving.kept() == [body]


def test_a_new_secret_of_the_connection_counts_at_once(receiving: Receiving) -> None:
    assert receiving.post(notification()).status_code == 200
    receiving.token = "another"
    # The old value is a second old by the time that it is asked again.
    answers = []
    while not answers or answers[-1] == 401:
        answers.append(receiving.post(notification(), Verification_Token="another").status_code)
    assert answers[-1] == 200


def test_an_event_of_hours_ago_is_refused_as_replayed(receiving: Receiving) -> None:
    old = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    refused(receiving, receiving.post(notification(timestamp=old)), 403, "replayed")


def test_an_event_that_is_delivered_again_is_kept_once(receiving: Receiving) -> None:
    body = notification()
    assert [receiving.post(body).status_code for _ in range(3)] == [200, 200, 200]
    assert receiving.kept() == [body]
    assert receiving.counted == {"ringcentral/accepted": 1, "ringcentral/repeated": 2}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"uuid": "1"}', notification(body={"sequence": 1})])
def test_what_is_no_notification_is_refused(receiving: Receiving, body: bytes) -> None:
    refused(receiving, receiving.post(body), 400, "malformed")


def test_a_body_that_is_too_long_is_refused(receiving: Receiving) -> None:
    long = notification(padding="x" * (1 << 18))
    refused(receiving, receiving.post(long), 413, "oversized")


def test_a_body_that_is_too_long_is_refused_also_where_its_length_is_not_said(receiving: Receiving) -> None:
    headers = {"Content-Type": "application/json", "Verification-Token": TOKEN}
    pieces = iter([b"x" * (1 << 16)] * 5)
    url = f"{receiving.url}/voxlake-webhooks/ringcentral"
    refused(receiving, requests.post(url, data=pieces, headers=headers, timeout=30), 413, "oversized")


def test_what_proves_nothing_is_refused(receiving: Receiving) -> None:
    url = f"{receiving.url}/voxlake-webhooks/ringcentral"
    answer = requests.post(url, data=notification(), headers={"Content-Type": "application/json"}, timeout=30)
    refused(receiving, answer, 401, "forged")


def test_another_content_type_is_refused(receiving: Receiving) -> None:
    answer = receiving.post(notification(), Content_Type="text/plain")
    refused(receiving, answer, 415, "content_type")
    assert receiving.post(notification(), Content_Type="application/json; charset=utf-8").status_code == 200


def test_a_challenge_that_is_none_is_refused(receiving: Receiving) -> None:
    url = f"{receiving.url}/voxlake-webhooks/ringcentral"
    answer = requests.post(url, headers={"Validation-Token": "x" * 1000}, timeout=30)
    refused(receiving, answer, 400, "malformed")


def test_fields_and_a_status_that_nobody_knows_are_kept(receiving: Receiving) -> None:
    body = notification("Teleported", newer={"a": 1})
    assert receiving.post(body).status_code == 200
    assert receiving.kept() == [body]


def test_an_event_that_cannot_be_kept_is_not_answered_as_if_it_were(receiving: Receiving) -> None:
    inbox = Path(receiving.lake.url) / "inbox" / "ringcentral" / "new"
    inbox.write_text("a file where the folder is to be")
    body = notification()
    refused_answer = receiving.post(body)
    assert refused_answer.status_code == 503
    assert receiving.counted == {"ringcentral/not_kept": 1}
    inbox.unlink()
    assert receiving.post(body).status_code == 200
    assert receiving.kept() == [body]


def test_many_at_once_are_all_kept(receiving: Receiving) -> None:
    bodies = [notification() for _ in range(300)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(receiving.post, bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(receiving.kept()) == sorted(bodies)
    assert receiving.counted["ringcentral/accepted"] == 300


def refused(receiving: Receiving, answer: requests.Response, status: int, reason: str) -> None:
    assert answer.status_code == status
    assert answer.content == b""
    assert receiving.counted == {f"ringcentral/{reason}": 1}
    assert receiving.kept() == []
