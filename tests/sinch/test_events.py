"""Callbacks as Sinch's documents and SDKs have them, and bodies that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.sinch import bodies
from voxlake.sinch.events import (
    AnsweredCall,
    CallbackBodyError,
    DisconnectedCall,
    IncomingCall,
    Notification,
    PromptInput,
    parse_callback,
)

KINDS = {"ice": IncomingCall, "ace": AnsweredCall, "dice": DisconnectedCall, "pie": PromptInput, "notify": Notification}


@pytest.mark.parametrize("name", bodies.CALLBACKS)
def test_every_published_callback_is_read_whole(name: str) -> None:
    body = bodies.CALLBACKS[name]

    callback = parse_callback(json.dumps(body).encode())

    assert type(callback) is KINDS[body["event"]]
    assert callback.call_id == body["callid"]
    assert callback.conference_id == body.get("conferenceId")
    # Nothing of it is left over: each field has a place.
    assert not callback.model_extra


def test_a_call_that_comes_in() -> None:
    call = parse_callback(json.dumps(bodies.ICE).encode())

    assert isinstance(call, IncomingCall)
    assert call.call_resource_url == bodies.ICE["callResourceUrl"]
    assert (call.cli, call.domain, call.origination_type) == ("12015555555", "pstn", "PSTN")
    assert call.to is not None
    assert (call.to.type, call.to.endpoint) == ("did", "+12017777777")
    assert call.timestamp == datetime(2024, 6, 6, 17, 20, 14, tzinfo=UTC)


def test_a_call_that_is_over() -> None:
    call = parse_callback(json.dumps(bodies.DICE_OF_A_PRIVATE_CALLER).encode())

    assert isinstance(call, DisconnectedCall)
    assert (call.from_, call.duration, call.result, call.reason) == ("private", 12, "ANSWERED", "MANAGERHANGUP")
    assert call.debit is not None
    assert call.debit.amount == Decimal("0.0095")


@pytest.mark.parametrize("spelling", ["callid", "callId"])
def test_both_spellings_of_the_call_id(spelling: str) -> None:
    body = json.dumps({"event": "notify", "type": "recording_finished", spelling: "an-id_257"}).encode()

    assert parse_callback(body).call_id == "an-id_257"


def test_an_event_and_a_field_that_nobody_knows_yet_are_kept() -> None:
    callback = parse_callback(b'{"event": "beep", "callid": "a", "pitch": {"hertz": 440}}')

    assert (callback.event, callback.call_id) == ("beep", "a")
    assert callback.model_extra == {"pitch": {"hertz": 440}}


def test_a_time_without_a_zone_is_in_utc() -> None:
    callback = parse_callback(b'{"event": "ace", "callid": "a", "timestamp": "2024-01-08T09:48:12"}')

    assert callback.timestamp == datetime(2024, 1, 8, 9, 48, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "event: Field required"),
        (b'{"event": "ice"}', "callid: missing"),
        (b'{"event": "call.incoming", "call": {"callId": "a"}}', "Voice 2.0"),
        (b'{"event": "notify", "callid": "a"}', "type: Field required"),
        (b'{"event": "dice", "callid": "a", "duration": "long"}', "duration: "),
        (b'{"event": "ice", "callid": "a", "timestamp": "now"}', "timestamp: "),
        (b'{"event": "ice", "callid": "a", "callHeaders": [{}]}', "callHeaders.0.key: "),
    ],
)
def test_a_body_that_is_no_callback_is_refused_by_the_name_of_the_field(body: bytes, named: str) -> None:
    with pytest.raises(CallbackBodyError) as refused:
        parse_callback(body)

    assert named in str(refused.value)
