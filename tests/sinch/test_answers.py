"""Whom a call is connected to, and where the instruction to record stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sinch import bodies
from voxlake.sinch.answers import CallPolicy, answer_call, waits
from voxlake.sinch.events import AnsweredCall, IncomingCall, parse_callback
from voxlake.sinch.svaml import RecordingOptions, StartRecording, recording_instructions

OPTIONS = RecordingOptions.from_json(bodies.OPTIONS)
START = StartRecording(OPTIONS)


def incoming(**changed: Any) -> IncomingCall:
    call = parse_callback(json.dumps(bodies.ICE | changed).encode())
    assert isinstance(call, IncomingCall)
    return call


def answered() -> AnsweredCall:
    call = parse_callback(json.dumps(bodies.ACE).encode())
    assert isinstance(call, AnsweredCall)
    return call


@pytest.mark.parametrize(
    ("connect_to", "action"),
    [
        ("", {"name": "connectPstn"}),
        ("+4670000000", {"name": "connectPstn", "number": "+4670000000"}),
        ("sip:desk@pbx.example", {"name": "connectSip", "destination": {"endpoint": "desk@pbx.example"}}),
        ("conference:weekly:1", {"name": "connectConf", "conferenceId": "weekly:1"}),
    ],
)
def test_an_incoming_call_goes_where_the_setting_says(connect_to: str, action: dict[str, Any]) -> None:
    answer = answer_call(incoming(), CallPolicy(connect_to), OPTIONS)
    assert answer.svaml == {"instructions": [START.to_json()], "action": action}
    assert answer.recording is True


@pytest.mark.parametrize(
    ("domain", "to", "action"),
    [
        ("pstn", {"type": "number", "endpoint": "+4670000000"}, {"name": "connectPstn"}),
        ("PSTN", {"type": "conference", "endpoint": "weekly"}, {"name": "connectConf", "conferenceId": "weekly"}),
        ("conference", {"type": "Conference", "endpoint": "weekly"}, {"name": "connectConf", "conferenceId": "weekly"}),
        (
            "sip",
            {"type": "sip", "endpoint": "a@b.example"},
            {"name": "connectSip", "destination": {"endpoint": "a@b.example"}},
        ),
        ("pstn", None, {"name": "connectPstn"}),
        (None, {"type": "conference"}, {"name": "connectPstn"}),
    ],
)
def test_by_default_it_goes_to_whom_the_caller_asked_for(domain: str, to: Any, action: dict[str, Any]) -> None:
    answer = answer_call(incoming(domain=domain, to=to), CallPolicy(), OPTIONS)
    assert answer.svaml["action"] == action
    assert answer.recording is True


def test_a_call_to_a_client_is_connected_without() -> None:
    answer = answer_call(incoming(domain="MXP", to={"type": "username", "endpoint": "anna"}), CallPolicy(), OPTIONS)
    assert (answer.svaml, answer.recording) == ({"action": {"name": "connectMxp"}}, False)


@pytest.mark.parametrize("record_at", ["ice", "ace"])
def test_a_call_is_told_to_record_at_one_of_the_two_callbacks(record_at: Any) -> None:
    policy = CallPolicy(record_at=record_at)
    answers = {"ice": answer_call(incoming(), policy, OPTIONS), "ace": answer_call(answered(), policy, OPTIONS)}
    told = {name: list(recording_instructions(answer.svaml)) for name, answer in answers.items()}
    assert told == {"ice": [], "ace": []} | {record_at: [START]}
    assert {name: answer.recording for name, answer in answers.items()} == {"ice": None, "ace": None} | {
        record_at: True
    }
    assert answers["ace"].svaml["action"] == {"name": "continue"}


def test_without_options_it_is_connected_without() -> None:
    for call in (incoming(), answered()):
        for record_at in ("ice", "ace"):
            assert "instructions" not in answer_call(call, CallPolicy(record_at=record_at), None).svaml
    assert answer_call(incoming(), CallPolicy(), None).recording is False


def test_a_whole_conference_is_recorded_by_the_flag_of_its_action() -> None:
    policy = CallPolicy("conference:weekly", record_conference="conference")
    answer = answer_call(incoming(), policy, OPTIONS)
    assert answer.svaml == {
        "action": {"name": "connectConf", "conferenceId": "weekly", "record": True, "recordingOptions": bodies.OPTIONS}
    }
    # What is no conference is recorded as ever.
    assert "instructions" in answer_call(incoming(), CallPolicy(record_conference="conference"), OPTIONS).svaml


@pytest.mark.parametrize(("name", "waiting"), [("ICE", True), ("ACE", True), ("PIE", True), ("DICE", False)])
def test_who_waits_for_an_answer(name: str, waiting: bool) -> None:
    assert waits(parse_callback(json.dumps(bodies.CALLBACKS[name]).encode())) == waiting
    assert not waits(parse_callback(json.dumps(bodies.RECORDING_FINISHED).encode()))
