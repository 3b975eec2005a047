"""Sessions that belong together, and recordings that stand on more than one record."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import requests

from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig
from sandbox.ringcentral.world import World
from tests.conftest import NOON, StartSandbox
from tests.sandbox.conftest import LogIn

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
DAY = timedelta(days=1)
QUOTAS = {"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)}
JOINED = CallMix(calls_per_day=300, conversation_share=1, transferred_share=0.3, linked_seconds=(60, 3600))
REPEATED = CallMix(calls_per_day=300, recorded_share=1, repeated_record_share=0.5, linked_seconds=(300, 3600))


@pytest.fixture
def joined(start_sandbox: StartSandbox) -> Sandbox:
    return start_sandbox(SandboxConfig(now=NOON, quotas=QUOTAS, mix=JOINED))


def read_log(api: requests.Session, sandbox: Sandbox, date_from: datetime) -> list[dict[str, Any]]:
    url: str | None = f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log"
    query: dict[str, Any] | None = {"view": "Detailed", "perPage": 1000, "dateFrom": date_from.isoformat()}
    records = []
    while url is not None:
        page = api.get(url, params=query, timeout=30).json()
        records += page["records"]
        url, query = page["navigation"].get("nextPage", {}).get("uri"), None
    return records


def links_of(record: dict[str, Any]) -> set[tuple[str, str]]:
    """Every link of a record and its legs: the earlier session, the later one."""
    links = set()
    for part in (record, *record["legs"]):
        if "transferTarget" in part:
            links.add((record["telephonySessionId"], part["transferTarget"]["telephonySessionId"]))
        if "transferee" in part:
            links.add((part["transferee"]["telephonySessionId"], record["telephonySessionId"]))
    return links


def test_links_in_the_log_are_those_of_the_conversations(joined: Sandbox, log_in: LogIn) -> None:
    conversations = joined.truth(MIDNIGHT, MIDNIGHT + DAY).conversations

    records = read_log(log_in(joined), joined, MIDNIGHT)

    found = {link for record in records for link in links_of(record)}
    assert len(conversations) > 80
    assert {len(conversation) for conversation in conversations} == {2, 3}
    assert {pair for conversation in conversations for pair in pairwise(conversation)} <= found
    by_session = {record["telephonySessionId"]: record for record in records}
    for conversation in conversations:
        starts = [by_session[session]["startTime"] for session in conversation]
        assert starts == sorted(starts)


def test_links_stand_on_records_or_legs_and_some_on_one_side(joined: Sandbox, log_in: LogIn) -> None:
    records = read_log(log_in(joined), joined, MIDNIGHT)

    on_record = Counter(name for record in records for name in ("transferTarget", "transferee") if name in record)
    on_leg_alone = [
        record
        for record in records
        if links_of(record) and "transferTarget" not in record and "transferee" not in record
    ]
    sides = Counter(link for record in records for link in links_of(record))
    assert min(on_record["transferTarget"], on_record["transferee"]) > 20
    assert len(on_leg_alone) > 5
    assert set(sides.values()) == {1, 2}
    assert any(record["action"] == "Conference Call" for record in records)


def test_sessions_of_a_conversation_have_records_and_recordings_of_their_own(joined: Sandbox) -> None:
    truth = joined.truth(MIDNIGHT, NOON)
    recordings = {session.telephony_session_id: session.recordings for session in truth.sessions}

    all_recorded = [
        [recording.id for session in conversation for recording in recordings[session]]
        for conversation in truth.conversations
        if all(session in recordings for session in conversation)
    ]

    assert len(all_recorded) > 20
    assert all(len(set(found)) == len(found) >= 2 for found in all_recorded)


def test_a_conversation_crosses_midnight() -> None:
    world = World(SandboxConfig(mix=CallMix(calls_per_day=3000, conversation_share=1, linked_seconds=(3600, 14_400))))
    records = {record.telephony_session_id: record for record in world.records(MIDNIGHT, MIDNIGHT + 2 * DAY)}

    crossing = [
        conversation
        for conversation in world.truth(MIDNIGHT, MIDNIGHT + DAY, NOON + DAY).conversations
        if records[conversation[-1]].start_time >= MIDNIGHT + DAY
    ]

    assert crossing
    for conversation in crossing:
        last = records[conversation[-1]]
        assert last in world.records(MIDNIGHT + DAY, MIDNIGHT + 2 * DAY)
        assert world.find_record(last.id) == last
        assert conversation not in world.truth(MIDNIGHT + DAY, MIDNIGHT + 2 * DAY, NOON + DAY).conversations


def test_a_conversation_is_true_when_its_last_session_is_listed() -> None:
    world = World(SandboxConfig(mix=CallMix(calls_per_day=300, conversation_share=1, rewritten_share=0.5)))
    session = next(session for session in world.sessions(MIDNIGHT, MIDNIGHT + DAY) if session.conversation)
    conversation = session.conversation
    assert conversation is not None
    listed = [
        record.listed_time
        for other in world.sessions(MIDNIGHT, MIDNIGHT + 2 * DAY)
        if other.telephony_session_id in conversation.telephony_session_ids
        for record in other.records
    ]

    before, after = (
        world.truth(MIDNIGHT, MIDNIGHT + DAY, max(listed) + timedelta(milliseconds=shift)).conversations
        for shift in (-1, 0)
    )

    assert conversation.telephony_session_ids not in before
    assert conversation.telephony_session_ids in after


def test_conversations_are_served_with_the_truth(joined: Sandbox) -> None:
    served = requests.get(
        f"{joined.platform_url}/sandbox/truth",
        params={"dateFrom": "2026-03-03T00:00:00Z", "dateTo": "2026-03-04T00:00:00Z"},
        timeout=10,
    ).json()

    expected = joined.truth(MIDNIGHT, MIDNIGHT + DAY).conversations
    assert served["conversations"] == [list(conversation) for conversation in expected]


def test_every_record_leads_back_to_its_session_in_a_conversation() -> None:
    world = World(SandboxConfig(mix=CallMix(calls_per_day=100, conversation_share=0.5, repeated_record_share=0.5)))

    for session in world.sessions(MIDNIGHT, MIDNIGHT + DAY):
        for record in session.records:
            assert world.find_record(record.id) == record
        for recording in session.recordings:
            found = world.find_recording(recording.id)
            assert found == (recording, tuple(record for record in session.records if recording in record.recordings))


def test_a_recording_stands_on_another_extensions_record_too(start_sandbox: StartSandbox, log_in: LogIn) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, quotas=QUOTAS, mix=REPEATED))
    api = log_in(sandbox)

    records = [record for record in read_log(api, sandbox, MIDNIGHT) if "recording" in record]

    carriers: dict[str, list[dict[str, Any]]] = {}
    for record in reversed(records):
        carriers.setdefault(record["recording"]["id"], []).append(record)
    twice = [found for found in carriers.values() if len(found) > 1]
    assert 0.4 < len(twice) / len(carriers) < 0.6
    for first, second in twice:
        assert first["id"] != second["id"]
        assert first["telephonySessionId"] == second["telephonySessionId"]
        assert first["extension"]["id"] != second["extension"]["id"]
        later = datetime.fromisoformat(second["startTime"]) - datetime.fromisoformat(first["startTime"])
        assert timedelta(seconds=300) <= later <= timedelta(seconds=3601)
    identifier = twice[0][0]["recording"]["id"]
    recordings = [recording.id for recording in sandbox.truth(MIDNIGHT, NOON).recordings]
    assert recordings.count(identifier) == 1

    sandbox.delete_recording(identifier)

    left = [record for record in read_log(api, sandbox, MIDNIGHT) if "recording" in record]
    assert len(left) == len(records) - 2


def test_a_repeated_recording_crosses_midnight() -> None:
    mix = CallMix(calls_per_day=2000, recorded_share=1, repeated_record_share=1, linked_seconds=(600, 14_400))
    world = World(SandboxConfig(mix=mix))
    next_day = {record.id: record for record in world.records(MIDNIGHT + DAY, MIDNIGHT + 2 * DAY)}

    crossing = [
        session
        for session in world.sessions(MIDNIGHT, MIDNIGHT + DAY)
        if session.records[0].start_time < MIDNIGHT + DAY and session.records[-1].id in next_day
    ]

    assert crossing
    for session in crossing:
        assert session.records[0].master.recording in session.records[-1].recordings
