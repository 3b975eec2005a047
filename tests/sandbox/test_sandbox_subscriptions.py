from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.ringcentral import CallMix, Sandbox, SandboxConfig, Session
from sandbox.ringcentral.telephony_events import events_of
from sandbox.served import served
from tests.conftest import NOON, StartSandbox

CONFIG = SandboxConfig(now=NOON, mix=CallMix(calls_per_day=300, conversation_share=0.4))
RECORDED = "/restapi/v1.0/account/~/telephony/sessions?withRecordings=true"


@dataclass
class Receiver:
    """An address that notifications are sent to, and what came."""

    url: str = ""
    consents: bool = True
    status: int = 200
    came: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    async def receive(request: Request) -> Response:
        if "validation-token" in request.headers:
            echoed = {"Validation-Token": request.headers["validation-token"]} if state.consents else {}
            return Response(headers=echoed)
        state.came.append((dict(request.headers), json.loads(await request.body())))
        return Response(status_code=state.status)

    with served(Starlette(routes=[Route("/hook", receive, methods=["POST"])])) as url:
        state.url = f"{url}/hook"
        yield state


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> Sandbox:
    return start_sandbox(CONFIG)


def api(sandbox: Sandbox, method: str, path: str = "", **content: Any) -> requests.Response:
    login = requests.post(
        f"{sandbox.platform_url}/restapi/oauth/token",
        {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": sandbox.jwt},
        auth=(sandbox.client_id, sandbox.client_secret),
        timeout=30,
    )
    return requests.request(
        method,
        f"{sandbox.platform_url}/restapi/v1.0/subscription{path}",
        json=content or None,
        headers={"Authorization": f"Bearer {login.json()['access_token']}"},
        timeout=30,
    )


def subscribed(sandbox: Sandbox, receiver: Receiver, event_filter: str = RECORDED) -> requests.Response:
    mode = {"transportType": "WebHook", "address": receiver.url, "verificationToken": "proof"}
    return api(sandbox, "POST", eventFilters=[event_filter], deliveryMode=mode, expiresIn=600)


def recorded(sandbox: Sandbox) -> Session:
    return sandbox.truth(NOON - timedelta(hours=6), NOON).sessions[0]


def test_a_subscription_is_shown_without_its_proof(sandbox: Sandbox, receiver: Receiver) -> None:
    made = subscribed(sandbox, receiver)
    assert made.status_code == 200
    assert made.headers["X-Rate-Limit-Group"] == "medium"
    shown = made.json()
    assert (shown["status"], shown["expiresIn"]) == ("Active", 600)
    assert "~" not in shown["eventFilters"][0]
    assert shown["deliveryMode"] == {"transportType": "WebHook", "encryption": False, "address": receiver.url}
    listed = api(sandbox, "GET")
    assert listed.headers["X-Rate-Limit-Group"] == "light"
    assert listed.json()["records"] == [shown]
    assert api(sandbox, "DELETE", f"/{shown['id']}").status_code == 204
    assert api(sandbox, "DELETE", f"/{shown['id']}").status_code == 404


def test_an_address_that_does_not_consent_is_refused(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.consents = False
    refused = subscribed(sandbox, receiver)
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "SUB-525")


def test_it_tells_of_each_event_with_the_proof(sandbox: Sandbox, receiver: Receiver) -> None:
    made = subscribed(sandbox, receiver).json()
    session = recorded(sandbox)
    sandbox.send_events(session)
    assert [told["body"] for _, told in receiver.came] == [event.body for event in events_of(session)]
    assert {headers["verification-token"] for headers, _ in receiver.came} == {"proof"}
    assert {told["subscriptionId"] for _, told in receiver.came} == {made["id"]}
    assert len({told["uuid"] for _, told in receiver.came}) == len(receiver.came)


def test_the_same_event_has_the_same_name_when_it_is_sent_again(sandbox: Sandbox, receiver: Receiver) -> None:
    subscribed(sandbox, receiver)
    sandbox.send_events(recorded(sandbox), order=lambda events: [events[0], events[1], events[0]])
    first, second, again = (told["uuid"] for _, told in receiver.came)
    assert first == again != second


def test_an_extension_is_told_of_its_own_parties_only(sandbox: Sandbox, receiver: Receiver) -> None:
    subscribed(sandbox, receiver, "/restapi/v1.0/account/~/extension/~/telephony/sessions")
    for session in sandbox.truth(NOON - timedelta(hours=12), NOON).sessions:
        sandbox.send_events(session)
    assert receiver.came
    assert {told["body"]["parties"][0].get("extensionId") for _, told in receiver.came} == {"400144455008"}


def test_an_address_that_fails_is_blacklisted_and_told_nothing_more(sandbox: Sandbox, receiver: Receiver) -> None:
    subscribed(sandbox, receiver)
    receiver.status = 404
    sandbox.send_events(recorded(sandbox))
    assert len(receiver.came) == 5
    (shown,) = api(sandbox, "GET").json()["records"]
    assert shown["status"] == "Blacklisted"
    assert "code: [404]" in shown["blacklistedData"]["reason"]
    assert api(sandbox, "POST", f"/{shown['id']}/renew").json()["errorCode"] == "SUB-512"


def test_it_ends_by_itself_unless_it_is_renewed(sandbox: Sandbox, receiver: Receiver) -> None:
    made = subscribed(sandbox, receiver).json()
    sandbox.clock.advance(500)
    assert api(sandbox, "POST", f"/{made['id']}/renew").json()["expiresIn"] == 600
    sandbox.clock.advance(599)
    assert len(api(sandbox, "GET").json()["records"]) == 1
    sandbox.clock.advance(2)
    assert api(sandbox, "GET").json()["records"] == []


def test_there_are_transfers_queues_and_conferences_among_its_events(sandbox: Sandbox) -> None:
    told = [event.body for one in sandbox.sessions(NOON - timedelta(days=1), NOON) for event in events_of(one)]
    parties = [party for body in told for party in body["parties"]]
    assert {"BlindTransfer", "AttendedTransfer"} <= {party["status"].get("reason") for party in parties}
    assert any(party.get("queueCall") for party in parties)
    assert {"Call", "Conference"} == {body["origin"]["type"] for body in told}


def test_no_session_is_over_before_its_last_event(sandbox: Sandbox) -> None:
    for session in sandbox.sessions(NOON - timedelta(days=1), NOON):
        *before, last = events_of(session)
        statuses: dict[str, str] = {}
        for event in before:
            (party,) = event.body["parties"]
            statuses[party["id"]] = party["status"]["code"]
            assert not set(statuses.values()) <= {"Disconnected", "Gone"}
        (party,) = last.body["parties"]
        statuses[party["id"]] = party["status"]["code"]
        assert set(statuses.values()) <= {"Disconnected", "Gone"}
