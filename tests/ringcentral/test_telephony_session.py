from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxlake.ringcentral.notifications import MalformedNotificationError, Notification, parse_notification
from voxlake.ringcentral.telephony_session import TelephonySession, begin, may_end_a_session, observe

CAPTURED = Path(__file__).with_name("events")
STREAMS = {path.stem: path.read_bytes().splitlines() for path in sorted(CAPTURED.glob("*.ndjson"))}
AN_EVENT: dict[str, Any] = json.loads((CAPTURED / "with_a_recording.json").read_bytes())


def after(notifications: Sequence[Notification]) -> TelephonySession:
    return reduce(observe, notifications[1:], begin(notifications[0]))


@pytest.fixture(params=sorted(STREAMS))
def stream(request: pytest.FixtureRequest) -> list[Notification]:
    return [parse_notification(line) for line in STREAMS[request.param]]


def test_a_session_is_over_with_its_last_notification_and_not_before(stream: list[Notification]) -> None:
    told = [after(stream[:number]).is_over for number in range(1, len(stream) + 1)]
    assert told == [False] * (len(stream) - 1) + [True]


@given(data=st.data(), name=st.sampled_from(sorted(STREAMS)))
def test_any_order_and_any_repetition_give_the_same_verdict(data: st.DataObject, name: str) -> None:
    stream = [parse_notification(line) for line in STREAMS[name]]
    again = data.draw(st.lists(st.sampled_from(stream)))
    told = data.draw(st.permutations([*stream, *again]))
    assert after(told) == after(stream)
    assert after(told).is_over


@given(data=st.data(), name=st.sampled_from(sorted(STREAMS)))
def test_while_a_party_is_still_there_no_order_ends_the_session(data: st.DataObject, name: str) -> None:
    """All but the last notification have come: the party that it is about has been heard of, and has not left."""
    stream = [parse_notification(line) for line in STREAMS[name]][:-1]
    told = data.draw(st.permutations(stream))
    assert not after(told).is_over


@given(data=st.data(), name=st.sampled_from(sorted(STREAMS)))
def test_without_what_was_in_between_the_ends_alone_tell(data: st.DataObject, name: str) -> None:
    stream = [parse_notification(line) for line in STREAMS[name]]
    ends = [one for one in stream if may_end_a_session(one)]
    rest = [one for one in stream if not may_end_a_session(one)]
    kept = data.draw(st.lists(st.sampled_from(rest), unique_by=lambda one: one.uuid))
    told = [*ends, *kept]
    random.Random(len(kept)).shuffle(told)
    assert after(told).is_over


def test_a_blind_transfer_disconnects_one_party_while_the_others_talk_on() -> None:
    told = [
        event(2, "p-1", "Answered"),
        event(3, "p-2", "Answered"),
        event(4, "p-2", "Disconnected", reason="BlindTransfer"),
    ]
    assert not after(told).is_over
    told += [event(5, "p-3", "Answered"), event(6, "p-1", "Disconnected")]
    assert not after(told).is_over
    assert after([*told, event(7, "p-3", "Disconnected")]).is_over


def test_a_party_that_went_to_a_conference_has_left_this_session() -> None:
    told = [event(2, "p-1", "Answered"), event(3, "p-2", "Answered"), event(4, "p-1", "Gone")]
    assert not after(told).is_over
    assert after([*told, event(5, "p-2", "Gone")]).is_over


def test_a_status_that_nobody_knows_is_kept_and_does_not_end_the_session() -> None:
    told = [event(2, "p-1", "Teleported"), event(3, "p-2", "Disconnected")]
    assert after(told).parties["p-1"].status == "Teleported"
    assert not after(told).is_over
    assert after([*told, event(4, "p-1", "Disconnected")]).is_over


def test_recordings_that_are_named_are_known() -> None:
    assert begin(parse_notification(json.dumps(AN_EVENT).encode())).recording_ids == {"44444444"}


def test_the_session_began_and_ended_with_its_earliest_and_latest_event(stream: list[Notification]) -> None:
    session = after(stream[::-1])
    assert (session.began_at, session.ended_at) == (stream[0].event_time, stream[-1].event_time)
    assert session.session_id == stream[0].session_id
    assert session.last_sequence == stream[-1].sequence


def test_fields_that_nobody_knows_are_left_alone() -> None:
    changed = {**AN_EVENT, "new": [1], "body": {**AN_EVENT["body"], "newer": {}}}
    assert parse_notification(json.dumps(changed).encode()) == parse_notification(json.dumps(AN_EVENT).encode())


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("uuid",), None, "uuid"),
        (("subscriptionId",), 7, "subscriptionId"),
        (("timestamp",), "yesterday", "timestamp"),
        (("timestamp",), "2019-03-08T22:30:40.059", "timestamp"),
        (("body",), [], "body"),
        (("body", "telephonySessionId"), "", "body.telephonySessionId"),
        (("body", "sessionId"), 5, "body.sessionId"),
        (("body", "sequence"), True, "body.sequence"),
        (("body", "eventTime"), 5, "body.eventTime"),
        (("body", "parties"), {}, "body.parties"),
        (("body", "parties", 0), "p-1", "body.parties[0]"),
        (("body", "parties", 0, "id"), None, "body.parties[0].id"),
        (("body", "parties", 0, "status"), "Answered", "body.parties[0].status"),
        (("body", "parties", 0, "status", "code"), 4, "body.parties[0].status.code"),
        (("body", "parties", 0, "recordings"), "none", "body.parties[0].recordings"),
        (("body", "parties", 0, "recordings", 0), "44444444", "body.parties[0].recordings"),
        (("body", "parties", 0, "recordings", 0, "id"), 44444444, "body.parties[0].recordings.id"),
    ],
)
def test_the_field_that_is_wrong_is_named(path: tuple[str | int, ...], value: object, named: str) -> None:
    changed = json.loads(json.dumps(AN_EVENT))
    holder = reduce(lambda inner, key: inner[key], path[:-1], changed)
    holder[path[-1]] = value
    with pytest.raises(MalformedNotificationError, match=rf"^{named.replace('[', '.').replace(']', '.')} "):
        parse_notification(json.dumps(changed).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_object_is_no_notification(body: bytes) -> None:
    with pytest.raises(MalformedNotificationError, match="a notification is a JSON object"):
        parse_notification(body)


def event(sequence: int, party_id: str, code: str, **status: str) -> Notification:
    (party,) = AN_EVENT["body"]["parties"]
    told = {**party, "id": party_id, "recordings": [], "status": {"code": code, **status}}
    body = {**AN_EVENT["body"], "sequence": sequence, "parties": [told]}
    return parse_notification(json.dumps({**AN_EVENT, "uuid": f"{sequence}", "body": body}).encode())
