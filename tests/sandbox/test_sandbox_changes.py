"""The call log is not append-only: late calls, rewritten records, deletions, retention, pages that shift."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig
from tests.conftest import NOON, StartSandbox
from tests.sandbox.conftest import LogIn

YESTERDAY = (datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))
DAY = {"dateFrom": "2026-03-03T00:00:00Z", "dateTo": "2026-03-04T00:00:00Z"}
QUOTAS = {"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)}

Start = Callable[..., tuple[Sandbox, requests.Session]]


@pytest.fixture
def start(start_sandbox: StartSandbox, log_in: LogIn) -> Start:
    """A sandbox of a mix, whose time stands at noon, with a session of its user."""

    def started(mix: CallMix | None = None, **knobs: Any) -> tuple[Sandbox, requests.Session]:
        sandbox = start_sandbox(SandboxConfig(**{"now": NOON, "quotas": QUOTAS, "mix": mix or CallMix()} | knobs))
        return sandbox, log_in(sandbox)

    return started


def pages(api: requests.Session, sandbox: Sandbox, **params: Any) -> list[list[dict[str, Any]]]:
    url: str | None = f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log"
    query: dict[str, Any] | None = {"view": "Detailed", "perPage": 1000, **params}
    found = []
    while url is not None:
        page = api.get(url, params=query, timeout=30).json()
        found.append(page["records"])
        url, query = page["navigation"].get("nextPage", {}).get("uri"), None
    return found


def log(api: requests.Session, sandbox: Sandbox, **params: Any) -> dict[str, dict[str, Any]]:
    """The call log by id, which holds no record twice."""
    records = [record for page in pages(api, sandbox, **params) for record in page]
    by_id = {record["id"]: record for record in records}
    assert len(by_id) == len(records)
    return by_id


def carried(record: dict[str, Any]) -> set[str]:
    """The ids of the recordings that a record or its legs carry."""
    return {part["recording"]["id"] for part in (record, *record["legs"]) if "recording" in part}


def media_status(api: requests.Session, sandbox: Sandbox, recording_id: str) -> int:
    url = f"{sandbox.media_url}/restapi/v1.0/account/~/recording/{recording_id}/content"
    return api.get(url, timeout=10).status_code


def test_a_call_of_hours_appears_hours_after_its_start(start: Start) -> None:
    sandbox, api = start(CallMix(calls_per_day=1500, long_share=0.3), appearance_delay=30)
    morning = {"dateFrom": "2026-03-04T08:00:00Z", "dateTo": "2026-03-04T11:00:00Z"}
    span = (datetime(2026, 3, 4, 8, tzinfo=UTC), datetime(2026, 3, 4, 11, tzinfo=UTC))
    before = log(api, sandbox, **morning)
    assert before.keys() == {call.id for call in sandbox.truth(*span).calls}

    sandbox.clock.advance(3300)

    after = log(api, sandbox, **morning)
    assert after.keys() == {call.id for call in sandbox.truth(*span).calls}
    late = [after[key] for key in after.keys() - before.keys()]
    assert len(late) > 5
    assert max(record["durationMs"] for record in late) > 7_200_000
    for record in late:
        end = datetime.fromisoformat(record["startTime"]) + timedelta(milliseconds=record["durationMs"])
        assert NOON < end + timedelta(seconds=30) <= NOON + timedelta(seconds=3300)
        modified = datetime.fromisoformat(record["lastModifiedTime"])
        assert timedelta(seconds=30) <= modified - end < timedelta(seconds=31)


def test_recordings_of_long_calls_are_short_and_as_long_as_they_say(start: Start) -> None:
    sandbox, _ = start(CallMix(calls_per_day=100, recorded_share=1, long_share=1, long_seconds=(9000, 12_600)))

    sessions = sandbox.truth(*YESTERDAY).sessions

    assert len(sessions) > 20
    for session in sessions:
        assert timedelta(hours=2.5) <= session.end_time - session.start_time < timedelta(hours=3.6)
        assert all(30_000 <= recording.duration_ms <= 90_000 for recording in session.recordings)


def test_a_record_is_listed_in_the_middle_of_its_call_and_rewritten_later(start: Start) -> None:
    mix = CallMix(calls_per_day=400, rewritten_share=1, rewrite_seconds=(3600, 7200), transferred_share=1)
    sandbox, api = start(mix)
    span = {"dateFrom": "2026-03-04T09:00:00Z", "dateTo": "2026-03-04T12:00:00Z"}
    hours = (datetime(2026, 3, 4, 9, tzinfo=UTC), NOON)
    early = log(api, sandbox, **span)
    early_truth = {call.id: call for call in sandbox.truth(*hours).calls}
    assert early.keys() == early_truth.keys()

    sandbox.clock.advance(3500)
    late = log(api, sandbox, **span)

    assert {key: record["durationMs"] for key, record in early.items()} == {
        key: call.duration_ms for key, call in early_truth.items()
    }
    assert {key: carried(record) for key, record in late.items()} == {
        call.id: {recording.id for recording in call.recordings} for call in sandbox.truth(*hours).calls
    }
    rewritten = [(early[key], late[key]) for key in early if early[key] != late[key]]
    assert len(rewritten) > 20
    for old, new in rewritten:
        assert old["result"] in {"In Progress", "Stopped", "IP Phone Offline"}
        assert (old["direction"], old["action"], old["transport"]) == ("Outbound", "VoIP Call", "VoIP")
        assert new["durationMs"] > old["durationMs"]
        assert len(new["legs"]) >= len(old["legs"])
        assert carried(old) <= carried(new)
        assert "recording" not in old
        assert new["lastModifiedTime"] > old["lastModifiedTime"]
        assert {name: old[name] for name in ("startTime", "sessionId", "telephonySessionId")} == {
            name: new[name] for name in ("startTime", "sessionId", "telephonySessionId")
        }
    assert any((new["direction"], new["action"]) == ("Inbound", "Phone Call") for _, new in rewritten)
    assert any(carried(new) for _, new in rewritten)
    assert any(carried(old) for old, _ in rewritten)


def test_rewriting_leaves_the_calls_of_a_seed_as_they_end(start: Start) -> None:
    plain, _ = start()
    rewritten, api = start(CallMix(rewritten_share=1))

    expected = {call.id: call.legs for call in plain.truth(*YESTERDAY).calls}

    assert {call.id: call.legs for call in rewritten.truth(*YESTERDAY).calls} == expected
    assert log(api, rewritten, **DAY).keys() == expected.keys()


def test_a_single_record_is_read_as_it_is_now(start: Start) -> None:
    sandbox, api = start(CallMix(calls_per_day=600, rewritten_share=1, rewrite_seconds=(600, 600)))
    url = f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log"
    newest = next(
        record for page in pages(api, sandbox) for record in page if record["result"] in {"In Progress", "Stopped"}
    )

    before = api.get(f"{url}/{newest['id']}?view=Detailed", timeout=10).json()
    sandbox.clock.advance(2400)
    after = api.get(f"{url}/{newest['id']}?view=Detailed", timeout=10).json()

    assert before == newest
    assert after["result"] not in {"In Progress", "Stopped"}


def test_a_deleted_recording_leaves_record_and_legs(start: Start) -> None:
    sandbox, api = start()
    session = next(session for session in sandbox.truth(*YESTERDAY).sessions if len(session.recordings) > 1)
    gone, *kept = session.recordings
    before = log(api, sandbox, **DAY)

    sandbox.delete_recording(gone.id)

    after = log(api, sandbox, **DAY)
    changed = {key for key, record in after.items() if record != before[key]}
    assert changed == {record.id for record in session.records if gone in record.recordings}
    ids = {identifier for record in session.records for identifier in carried(after[record.id])}
    assert ids == {recording.id for recording in kept}
    assert {after[key]["lastModifiedTime"] for key in changed} == {"2026-03-04T12:00:00.000Z"}
    assert media_status(api, sandbox, gone.id) == 404
    assert {media_status(api, sandbox, recording.id) for recording in kept} == {200}


def test_a_deleted_call_takes_its_recordings_with_it(start: Start) -> None:
    sandbox, api = start()
    session = next(session for session in sandbox.truth(*YESTERDAY).sessions if len(session.records) == 1)
    call = session.records[0]
    before = log(api, sandbox, **DAY)

    sandbox.delete_call(call.id)

    assert log(api, sandbox, **DAY).keys() == before.keys() - {call.id}
    with_deleted = log(api, sandbox, showDeleted="true", **DAY)
    assert with_deleted.keys() == before.keys()
    assert with_deleted[call.id]["deleted"] is True
    assert carried(with_deleted[call.id]) == set()
    assert with_deleted[call.id].keys() | {"recording"} == before[call.id].keys() | {"deleted"}
    assert {media_status(api, sandbox, recording.id) for recording in call.recordings} == {404}
    with pytest.raises(KeyError):
        sandbox.delete_call("VgLcd1KWffJVzUA")
    with pytest.raises(KeyError):
        sandbox.delete_recording("1662272004")


def test_a_deleted_call_may_be_listed_as_a_stub(start: Start) -> None:
    sandbox, api = start(deleted_records="stub")
    call = sandbox.truth(*YESTERDAY).calls[0]

    sandbox.delete_call(call.id)

    stub = log(api, sandbox, showDeleted="true", **DAY)[call.id]
    assert stub.keys() == {"uri", "id", "sessionId", "startTime", "deleted"}
    assert (stub["sessionId"], stub["deleted"]) == (call.session_id, True)
    assert datetime.fromisoformat(stub["startTime"]) == call.start_time


def test_recordings_vanish_by_themselves_when_they_are_old(start: Start) -> None:
    sandbox, api = start(retention_days=2)
    span = (datetime(2026, 3, 2, 11, tzinfo=UTC), datetime(2026, 3, 2, 13, tzinfo=UTC))
    recordings = {recording.id: recording for recording in sandbox.truth(*span).recordings}
    old = {key for key, recording in recordings.items() if recording.end_time <= NOON - timedelta(days=2)}

    listed = log(api, sandbox, dateFrom=span[0].isoformat(), dateTo=span[1].isoformat())

    found = {identifier for record in listed.values() for identifier in carried(record)}
    assert 0 < len(old) < len(recordings)
    assert found == recordings.keys() - old
    assert {key: media_status(api, sandbox, key) for key in recordings} == {
        key: 404 if key in old else 200 for key in recordings
    }
    expected = {call.id: call.last_modified_time for call in sandbox.truth(*span).calls}
    assert {key: datetime.fromisoformat(record["lastModifiedTime"]) for key, record in listed.items()} == expected
    filtered = log(api, sandbox, dateFrom=span[0].isoformat(), dateTo=span[1].isoformat(), recordingType="All")
    assert filtered == {key: record for key, record in listed.items() if "recording" in record}


def test_calls_that_appear_between_pages_are_seen_twice(start: Start) -> None:
    sandbox, api = start(CallMix(calls_per_day=2000))
    span = {"dateFrom": "2026-03-04T10:00:00Z", "dateTo": "2026-03-04T12:30:00Z", "perPage": 50}
    before = log(api, sandbox, **span)
    sandbox.between_pages(lambda _: sandbox.clock.advance(60))

    read = pages(api, sandbox, **span)

    ids = [record["id"] for page in read for record in page]
    assert len(ids) > len(set(ids))
    assert before.keys() <= set(ids)
    sandbox.between_pages(None)
    assert len(log(api, sandbox, **span)) > len(before)


def test_calls_that_are_deleted_between_pages_push_others_off(start: Start) -> None:
    sandbox, api = start()
    first = [record["id"] for record in pages(api, sandbox, perPage=20, **DAY)[0]]
    before = log(api, sandbox, **DAY)
    seen: list[int] = []

    def delete_three(page: int) -> None:
        seen.append(page)
        if page == 2:
            for identifier in first[:3]:
                sandbox.delete_call(identifier)

    sandbox.between_pages(delete_three)
    read = {record["id"] for page in pages(api, sandbox, perPage=20, **DAY) for record in page}

    assert seen == list(range(2, 2 + len(seen)))
    assert len(before.keys() - read) == 3
    assert (before.keys() - read).isdisjoint(first)


def test_the_log_may_be_ascending(start: Start) -> None:
    sandbox, api = start(call_log_order="ascending")

    read = pages(api, sandbox, perPage=50, **DAY)

    assert len(read) > 3
    assert [record["id"] for page in read for record in page] == [call.id for call in sandbox.truth(*YESTERDAY).calls]


def test_every_answer_takes_its_latency(start: Start) -> None:
    sandbox, api = start(latency=0.3)

    answer = api.get(f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log?perPage=1", timeout=10)

    assert answer.elapsed >= timedelta(seconds=0.3)


@pytest.mark.parametrize(
    "bad",
    [
        {"call_log_order": "random"},
        {"deleted_records": "none"},
        {"sync_token_seconds": 0},
        {"retention_days": -1},
        {"latency": -0.1},
    ],
)
def test_a_knob_out_of_range_is_named(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        SandboxConfig(**bad)
