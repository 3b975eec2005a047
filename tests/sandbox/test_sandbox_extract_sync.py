"""The extract of changes: chains of tokens, what they bring, and which are refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from sandbox.ringcentral import CallMix, Fault, QuotaLimit, Sandbox, SandboxConfig
from sandbox.ringcentral.world import World
from tests.conftest import NOON, StartSandbox
from tests.sandbox.conftest import LogIn

MIDNIGHT = datetime(2026, 3, 4, tzinfo=UTC)
QUOTAS = {"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)}
HOURS = CallMix(calls_per_day=600, long_share=0.2, rewritten_share=0.5, rewrite_seconds=(600, 7200))


def ask(api: requests.Session, sandbox: Sandbox, **params: Any) -> requests.Response:
    return api.get(f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log-extract-sync", params=params, timeout=30)


def extract(api: requests.Session, sandbox: Sandbox, **params: Any) -> dict[str, Any]:
    answer = ask(api, sandbox, **params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def chain(api: requests.Session, sandbox: Sandbox, **params: Any) -> Iterator[dict[str, Any]]:
    """Answers from the first one until no newer records exist."""
    body = extract(api, sandbox, **params)
    yield body
    while body["syncInfo"]["newerRecordsExist"]:
        body = extract(api, sandbox, syncType="ISync", syncToken=body["syncInfo"]["syncToken"])
        yield body


def log(api: requests.Session, sandbox: Sandbox, date_from: datetime, **params: Any) -> dict[str, dict[str, Any]]:
    """The call log from a time on, by id."""
    url: str | None = f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log"
    query: dict[str, Any] | None = {"dateFrom": date_from.isoformat(), "view": "Detailed", "perPage": 1000, **params}
    records = {}
    while url is not None:
        page = api.get(url, params=query, timeout=30).json()
        records |= {record["id"]: record for record in page["records"]}
        url, query = page["navigation"].get("nextPage", {}).get("uri"), None
    return records


def without_links(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "uri"}


@pytest.fixture
def busy(start_sandbox: StartSandbox) -> Sandbox:
    return start_sandbox(SandboxConfig(now=NOON, quotas=QUOTAS, mix=HOURS))


def test_a_first_answer_tells_what_it_is(busy: Sandbox, log_in: LogIn) -> None:
    body = extract(log_in(busy), busy, view="Detailed", recordCount=20)

    assert body["uri"] == (
        f"{busy.platform_url}/restapi/v1.0/account/400144452008/call-log-extract-sync"
        "?syncType=FSync&dateFrom=2026-03-04T11%3A00%3A00.000Z&recordCount=20&view=Detailed"
    )
    assert body.keys() == {"uri", "records", "syncInfo"}
    assert body["syncInfo"].keys() == {"syncType", "syncToken", "syncTime", "newerRecordsExist"}
    assert body["syncInfo"]["syncType"] == "FSync"
    assert body["syncInfo"]["syncTime"] == "2026-03-04T12:00:00.000Z"
    assert body["syncInfo"]["newerRecordsExist"] is True
    assert len(body["records"]) == 20
    assert busy.requests[-1].group == "heavy"


@pytest.mark.parametrize("count", [7, 250, 1000])
def test_a_chain_brings_every_changed_record_once_by_modification_time(
    busy: Sandbox, log_in: LogIn, count: int
) -> None:
    api = log_in(busy)
    since = MIDNIGHT + timedelta(hours=9)

    answers = list(chain(api, busy, dateFrom=since.isoformat(), recordCount=count, view="Detailed"))

    records = [record for answer in answers for record in answer["records"]]
    modified = [record["lastModifiedTime"] for record in records]
    assert modified == sorted(modified)
    assert [answer["syncInfo"]["syncType"] for answer in answers[1:]] == ["ISync"] * (len(answers) - 1)
    assert all(len(answer["records"]) >= count for answer in answers[:-1])
    listed = log(api, busy, MIDNIGHT - timedelta(days=1))
    expected = {key: record for key, record in listed.items() if record["lastModifiedTime"] >= "2026-03-04T09:00"}
    assert len(records) == len(expected) > 150
    assert {record["id"]: without_links(record) for record in records} == {
        key: without_links(record) for key, record in expected.items()
    }
    assert min(record["startTime"] for record in records) < "2026-03-04T08:00"


def test_a_chain_goes_on_as_it_began(busy: Sandbox, log_in: LogIn) -> None:
    api = log_in(busy)
    first = extract(
        api, busy, dateFrom=MIDNIGHT.isoformat(), recordCount=3, view="Detailed", metadataCategory=["Sales", "Other"]
    )

    second = extract(api, busy, syncType="ISync", syncToken=first["syncInfo"]["syncToken"], view="Simple")

    assert len(first["records"]) == len(second["records"]) == 3
    assert {tuple(record["metadataCategories"]) for record in first["records"] + second["records"]} == {("Sales",)}
    assert all("legs" in record for record in second["records"])
    assert extract(api, busy)["records"][0].keys().isdisjoint({"legs", "lastModifiedTime"})


def test_time_brings_new_and_rewritten_records_whenever_they_started(busy: Sandbox, log_in: LogIn) -> None:
    api = log_in(busy)
    *_, last = chain(api, busy, view="Detailed", dateFrom=MIDNIGHT.isoformat())
    before = log(api, busy, MIDNIGHT - timedelta(days=1))
    token = last["syncInfo"]["syncToken"]
    assert extract(api, busy, syncType="ISync", syncToken=token)["records"] == []

    busy.clock.advance(3500)

    brought = {
        record["id"]: without_links(record)
        for answer in chain(api, busy, syncType="ISync", syncToken=token)
        for record in answer["records"]
    }
    after = log(api, busy, MIDNIGHT - timedelta(days=1))
    assert brought == {key: without_links(record) for key, record in after.items() if before.get(key) != record}
    assert sum(key in before for key in brought) > 10
    assert min(record["startTime"] for record in brought.values()) < "2026-03-04T10:00"
    assert (
        extract(api, busy, syncType="ISync", syncToken=token)["records"]
        == extract(api, busy, syncType="ISync", syncToken=token)["records"]
    )


def test_deletions_come_although_the_clock_stands(busy: Sandbox, log_in: LogIn) -> None:
    api = log_in(busy)
    *_, last = chain(api, busy, view="Detailed")
    truth = busy.truth(MIDNIGHT - timedelta(days=2), MIDNIGHT - timedelta(days=1))
    gone = truth.calls[0]
    silent = next(session for session in truth.sessions if session.records[0].id != gone.id)

    busy.delete_call(gone.id)
    busy.delete_recording(silent.recordings[0].id)

    after = extract(api, busy, syncType="ISync", syncToken=last["syncInfo"]["syncToken"])
    records = {record["id"]: record for record in after["records"]}
    assert records.keys() == {gone.id, silent.records[0].id}
    assert records[gone.id]["deleted"] is True
    assert "recording" not in records[silent.records[0].id]
    assert {record["lastModifiedTime"] for record in records.values()} == {"2026-03-04T12:00:00.000Z"}
    again = extract(api, busy, syncType="ISync", syncToken=after["syncInfo"]["syncToken"])
    assert again["records"] == []
    assert gone.id in {record["id"] for answer in chain(api, busy) for record in answer["records"]}


def test_an_answer_grows_over_its_count_for_the_same_millisecond(busy: Sandbox, log_in: LogIn) -> None:
    api = log_in(busy)
    *_, last = chain(api, busy, recordCount=2)
    for call in busy.truth(MIDNIGHT - timedelta(days=1), MIDNIGHT).calls[:5]:
        busy.delete_call(call.id)
    busy.clock.advance(600)

    first = extract(api, busy, syncType="ISync", syncToken=last["syncInfo"]["syncToken"])

    assert [record.get("deleted") for record in first["records"]] == [True] * 5
    assert first["syncInfo"]["newerRecordsExist"] is True
    rest = list(chain(api, busy, syncType="ISync", syncToken=first["syncInfo"]["syncToken"]))
    assert rest[0]["records"]
    assert not any("deleted" in record for answer in rest for record in answer["records"])


def test_a_record_that_changes_between_two_answers_comes_again(busy: Sandbox, log_in: LogIn) -> None:
    api = log_in(busy)
    first = extract(api, busy, recordCount=5, view="Detailed")
    deleted = first["records"][2]["id"]

    busy.delete_call(deleted)

    rest = [
        record
        for answer in chain(api, busy, syncType="ISync", syncToken=first["syncInfo"]["syncToken"])
        for record in answer["records"]
    ]
    assert [record["id"] for record in rest].count(deleted) == 1
    assert rest[-1]["id"] == deleted
    assert rest[-1]["deleted"] is True


def test_a_record_whose_time_does_not_move_never_comes_again(start_sandbox: StartSandbox, log_in: LogIn) -> None:
    mix = CallMix(calls_per_day=600, rewritten_share=1, unmoved_share=1, rewrite_seconds=(1800, 1800))
    sandbox = start_sandbox(SandboxConfig(now=NOON, quotas=QUOTAS, mix=mix))
    api = log_in(sandbox)
    *_, last = chain(api, sandbox, view="Detailed")
    before = log(api, sandbox, NOON - timedelta(minutes=20))

    sandbox.clock.advance(2400)

    after = log(api, sandbox, NOON - timedelta(minutes=20))
    changed = [key for key, record in before.items() if after[key] != record]
    assert len(changed) > 5
    assert all(after[key]["lastModifiedTime"] == before[key]["lastModifiedTime"] for key in changed)
    answers = chain(api, sandbox, syncType="ISync", syncToken=last["syncInfo"]["syncToken"])
    assert {record["id"] for answer in answers for record in answer["records"]}.isdisjoint(changed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whoever_follows_the_chain_holds_the_log(busy: Sandbox, log_in: LogIn, seed: int) -> None:
    api, rng = log_in(busy), random.Random(seed)
    calls = busy.truth(MIDNIGHT - timedelta(days=1), NOON).calls
    recordings = busy.truth(MIDNIGHT - timedelta(days=1), NOON).recordings
    body = extract(api, busy, view="Detailed", recordCount=rng.randint(1, 30), dateFrom="2026-03-04T10:00:00Z")
    held = {record["id"]: record for record in body["records"]}

    def follow() -> bool:
        nonlocal body
        body = extract(api, busy, syncType="ISync", syncToken=body["syncInfo"]["syncToken"])
        held.update((record["id"], record) for record in body["records"])
        return bool(body["syncInfo"]["newerRecordsExist"])

    for _ in range(60):
        step = rng.randrange(4)
        if step == 0:
            busy.clock.advance(rng.choice((0.001, 1, 60)))
        elif step == 1:
            busy.delete_call(rng.choice(calls).id)
        elif step == 2:
            busy.delete_recording(rng.choice(recordings).id)
        else:
            follow()
    while follow():
        pass

    now = busy.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    listed = log(api, busy, MIDNIGHT - timedelta(days=2), showDeleted="true")
    expected = {
        key: without_links(record)
        for key, record in listed.items()
        if "2026-03-04T10:00:00.000Z" <= record["lastModifiedTime"] <= now
    }
    assert sum("deleted" in record for record in expected.values()) > 5
    assert {key: without_links(record) for key, record in held.items()} == expected


@pytest.mark.parametrize("token", ["", "nonsense", "A" * 70])
def test_a_token_that_was_never_issued_is_refused(busy: Sandbox, log_in: LogIn, token: str) -> None:
    answer = ask(log_in(busy), busy, syncType="ISync", syncToken=token)

    assert answer.status_code == 400
    assert answer.json()["errorCode"] == ("CLG-102" if token else "CMN-101")
    assert answer.json()["errors"][0]["parameterName"] == "syncToken"


def test_a_token_is_over_after_its_life(start_sandbox: StartSandbox, log_in: LogIn) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, quotas=QUOTAS, sync_token_seconds=3600))
    api = log_in(sandbox)
    token = extract(api, sandbox)["syncInfo"]["syncToken"]
    assert ask(api, sandbox, syncType="ISync", syncToken=token).status_code == 200

    sandbox.clock.advance(3600)

    api = log_in(sandbox)
    answer = ask(api, sandbox, syncType="ISync", syncToken=token)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "CLG-104")
    assert answer.json()["message"] == ("Parameter [syncToken] is invalid [Sync token expired, call log was reset]")
    assert ask(api, sandbox).status_code == 200


def test_all_tokens_end_when_the_log_is_reset(busy: Sandbox, log_in: LogIn) -> None:
    api = log_in(busy)
    token = extract(api, busy)["syncInfo"]["syncToken"]

    busy.expire_sync_tokens()

    answer = ask(api, busy, syncType="ISync", syncToken=token)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "CLG-104")
    assert extract(api, busy)["syncInfo"]["syncToken"] != token


@pytest.mark.parametrize(
    ("params", "code", "name"),
    [
        ({"syncType": "Sync"}, "CMN-101", "syncType"),
        ({"syncType": "ISync"}, "CMN-101", "syncToken"),
        ({"syncType": "ISync", "syncToken": "x", "recordCount": 10}, "CLG-110", "recordCount"),
        ({"recordCount": 0}, "CMN-101", "recordCount"),
        ({"dateFrom": "yesterday"}, "CMN-101", "dateFrom"),
        ({"dateFrom": "2026-03-04T12:00:01Z"}, "CMN-101", "dateFrom"),
        ({"view": "Full"}, "CMN-101", "view"),
    ],
)
def test_what_is_not_understood_is_named(
    busy: Sandbox, log_in: LogIn, params: dict[str, Any], code: str, name: str
) -> None:
    answer = ask(log_in(busy), busy, **params)

    assert answer.status_code == 400
    assert (answer.json()["errorCode"], answer.json()["parameterName"]) == (code, name)


def test_an_answer_has_at_most_a_thousand_records(start_sandbox: StartSandbox, log_in: LogIn) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, quotas=QUOTAS, mix=CallMix(calls_per_day=4000)))
    api = log_in(sandbox)

    counts = [len(extract(api, sandbox, dateFrom="2026-03-03T00:00:00Z", recordCount=n)["records"]) for n in (1, 5000)]

    times = [time for time, _ in World(sandbox.config).changes(MIDNIGHT - timedelta(days=1, milliseconds=1), NOON)]
    assert counts == [sum(time <= times[n - 1] for time in times) for n in (1, 1000)]


def test_faults_reach_the_extract(busy: Sandbox, log_in: LogIn) -> None:
    api = log_in(busy)
    busy.faults.add(Fault("call_log_extract_sync", "unavailable", times=1))

    assert [ask(api, busy).status_code for _ in range(2)] == [503, 200]
