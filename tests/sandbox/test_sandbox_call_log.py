"""The call log: views, paging, filters and the errors of its parameters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from sandbox.ringcentral import CallMix, Sandbox, SandboxConfig
from tests.conftest import NOON, StartSandbox
from tests.sandbox.conftest import LogIn

ACCOUNT = "/restapi/v1.0/account/400144452008"
DAY = {"dateFrom": "2026-03-03T00:00:00Z", "dateTo": "2026-03-04T00:00:00Z"}


def read(api: requests.Session, sandbox: Sandbox, path: str = "/account/~/call-log", **params: Any) -> dict[str, Any]:
    answer = api.get(f"{sandbox.platform_url}/restapi/v1.0{path}", params=params, timeout=10)
    answer.raise_for_status()
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    body: dict[str, Any] = answer.json()
    return body


def read_all(api: requests.Session, sandbox: Sandbox, **params: Any) -> list[dict[str, Any]]:
    page = read(api, sandbox, **params)
    records: list[dict[str, Any]] = page["records"]
    while "nextPage" in page["navigation"]:
        page = api.get(page["navigation"]["nextPage"]["uri"], timeout=10).json()
        records = records + page["records"]
    return records


def refused(api: requests.Session, sandbox: Sandbox, **params: Any) -> dict[str, Any]:
    answer = api.get(f"{sandbox.platform_url}/restapi/v1.0/account/~/call-log", params=params, timeout=10)
    assert answer.status_code == 400
    body: dict[str, Any] = answer.json()
    assert body["errorCode"] == body["errors"][0]["errorCode"]
    return body


@pytest.mark.parametrize("per_page", [7, 100, 1000])
def test_following_next_page_yields_every_call_once_latest_first(
    api: requests.Session, unlimited: Sandbox, per_page: int
) -> None:
    truth = unlimited.truth(datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))

    records = read_all(api, unlimited, perPage=per_page, **DAY)

    assert len(truth.calls) >= 250
    assert [record["id"] for record in records] == [call.id for call in reversed(truth.calls)]
    starts = [record["startTime"] for record in records]
    assert starts == sorted(starts, reverse=True)


def test_a_page_tells_its_place_and_the_effective_query(api: requests.Session, unlimited: Sandbox) -> None:
    page = read(api, unlimited, view="Detailed", withRecording="true", page=2, perPage=10)

    assert page["paging"] == {"page": 2, "perPage": 10, "pageStart": 10, "pageEnd": 19}
    assert page["navigation"].keys() == {"firstPage", "previousPage", "nextPage"}
    assert page["navigation"]["nextPage"]["uri"] == (
        f"{unlimited.platform_url}{ACCOUNT}/call-log?view=Detailed&recordingType=All"
        "&dateFrom=2026-03-03T12%3A00%3A00.000Z&dateTo=2026-03-04T12%3A00%3A00.000Z&page=3&perPage=10"
    )


def test_the_last_page_has_no_next_one_and_an_empty_page_no_place(api: requests.Session, unlimited: Sandbox) -> None:
    last = read(api, unlimited, perPage="max")
    beyond = read(api, unlimited, perPage=1000, page=2)

    assert last["paging"]["perPage"] == 1000
    assert "nextPage" not in last["navigation"]
    assert beyond["records"] == []
    assert beyond["paging"] == {"perPage": 1000}


def test_page_sizes_are_clamped(start_sandbox: StartSandbox, log_in: LogIn) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, detailed_per_page_cap=250))
    api = log_in(sandbox)

    assert read(api, sandbox, perPage=5000)["paging"]["perPage"] == 1000
    assert read(api, sandbox, perPage=5000, view="Detailed")["paging"]["perPage"] == 250


def test_the_default_range_is_the_last_24_hours(api: requests.Session, unlimited: Sandbox) -> None:
    records = read_all(api, unlimited, perPage="max")

    calls = unlimited.truth(NOON - timedelta(days=1), NOON).calls
    assert {record["id"] for record in records} == {call.id for call in calls}


def test_only_ended_calls_appear_and_only_after_the_delay(start_sandbox: StartSandbox, log_in: LogIn) -> None:
    sandbox = start_sandbox(
        SandboxConfig(now=NOON, quotas=None, appearance_delay=60, mix=CallMix(calls_per_day=5000, leg_seconds=(60, 90)))
    )
    api = log_in(sandbox)
    recent = {"dateFrom": "2026-03-04T11:55:00Z", "dateTo": "2026-03-04T12:00:00Z", "perPage": "max"}
    before = {record["id"] for record in read_all(api, sandbox, **recent)}

    sandbox.clock.advance(1800)

    after = read_all(api, sandbox, **recent)
    assert before < {record["id"] for record in after}
    for record in after:
        start = datetime.fromisoformat(record["startTime"])
        visible_at_noon = start + timedelta(milliseconds=record["durationMs"], seconds=60) <= NOON
        assert (record["id"] in before) is visible_at_noon


def test_the_detailed_view_adds_legs_billing_and_modification(api: requests.Session, unlimited: Sandbox) -> None:
    simple = read_all(api, unlimited, perPage="max", **DAY)
    detailed = read_all(api, unlimited, perPage="max", view="Detailed", **DAY)

    for short, full in zip(simple, detailed, strict=True):
        added = {"legs", "billing", "lastModifiedTime"}
        assert {**short, "uri": ""} == {key: value for key, value in full.items() if key not in added} | {"uri": ""}
        assert [leg["master"] for leg in full["legs"]] == [True] + [False] * (len(full["legs"]) - 1)
        assert all(leg["legType"] and "id" not in leg for leg in full["legs"])
        master = full["legs"][0]
        assert all(master.get(name) == full.get(name) for name in ("startTime", "from", "to", "result", "recording"))
        assert isinstance(full["extension"]["id"], int)
        assert full["sessionId"].isdecimal()
        assert full["telephonySessionId"].startswith("s-")


def test_single_records_are_read_by_id(api: requests.Session, unlimited: Sandbox) -> None:
    listed = read(api, unlimited, view="Detailed", perPage=1)["records"][0]

    assert read(api, unlimited, f"/account/~/call-log/{listed['id']}", view="Detailed") == listed
    user = read(api, unlimited, f"/account/~/extension/{listed['extension']['id']}/call-log/{listed['id']}")
    assert user["uri"].endswith(f"/extension/{listed['extension']['id']}/call-log/{listed['id']}?view=Simple")
    missing = api.get(f"{unlimited.platform_url}{ACCOUNT}/call-log/VgLcd1KWffJVzUA", timeout=10)
    assert (missing.status_code, missing.json()["errorCode"]) == (404, "CMN-102")
    assert missing.json()["parameterName"] == "callRecordId"


@pytest.mark.parametrize(
    ("params", "holds"),
    [
        ({"direction": "Inbound"}, lambda record: record["direction"] == "Inbound"),
        ({"direction": ["Inbound", "Outbound"]}, lambda record: True),
        ({"type": "Fax"}, lambda record: record["type"] == "Fax"),
        ({"type": ["Voice", "Fax"]}, lambda record: True),
        ({"withRecording": "true"}, lambda record: "recording" in record),
        ({"recordingType": "All"}, lambda record: "recording" in record),
        ({"recordingType": "OnDemand"}, lambda record: record.get("recording", {}).get("type") == "OnDemand"),
        ({"recordingType": "Automatic", "withRecording": "false"}, lambda record: _type_of(record) == "Automatic"),
        ({"metadataCategory": ["Sales", "Other"]}, lambda record: record.get("metadataCategories") == ["Sales"]),
    ],
)
def test_filters_keep_what_they_name(
    api: requests.Session, unlimited: Sandbox, params: dict[str, Any], holds: Any
) -> None:
    everything = read_all(api, unlimited, perPage="max", **DAY)

    kept = read_all(api, unlimited, perPage=50, **DAY, **params)

    assert kept
    assert [record["id"] for record in kept] == [record["id"] for record in everything if holds(record)]


def _type_of(record: dict[str, Any]) -> str | None:
    recording: dict[str, str] = record.get("recording", {})
    return recording.get("type")


def test_filters_find_one_call_by_its_identifiers(api: requests.Session, unlimited: Sandbox) -> None:
    sessions = unlimited.truth(datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)).sessions
    split = next(session for session in sessions if len(session.records) == 2)
    expected = {record.id for record in split.records}
    number = split.records[0].master.from_.phone_number
    assert number is not None

    by_telephony = read_all(api, unlimited, telephonySessionId=split.telephony_session_id, **DAY)
    by_legacy = read_all(api, unlimited, sessionId=split.records[0].session_id, **DAY)
    by_number = read_all(api, unlimited, phoneNumber=number.removeprefix("+"), **DAY)
    by_extension = read_all(api, unlimited, extensionNumber=split.records[0].master.extension.number, **DAY)

    assert {record["id"] for record in by_telephony} == {record["id"] for record in by_legacy} == expected
    assert split.records[0].id in {record["id"] for record in by_number}
    assert split.records[0].id in {record["id"] for record in by_extension}
    assert len(by_extension) < 250
    assert read_all(api, unlimited, phoneNumber=number, **DAY) == []
    assert read_all(api, unlimited, type="Voice,Fax", **DAY) == []


def test_the_log_of_an_extension_has_its_own_filters(api: requests.Session, unlimited: Sandbox) -> None:
    path = "/account/~/extension/~/call-log"
    everything = read(api, unlimited, path, perPage="max", dateFrom="2026-02-01T00:00:00Z")["records"]

    voip = read(api, unlimited, path, perPage="max", dateFrom="2026-02-01T00:00:00Z", transport="VoIP")["records"]
    unblocked = read(api, unlimited, path, perPage="max", dateFrom="2026-02-01T00:00:00Z", showBlocked="false")

    assert all("/extension/400144455008/call-log/" in record["uri"] for record in everything)
    assert {record["transport"] for record in voip} == {"VoIP"}
    blocked = [record for record in everything if record["result"] == "Blocked"]
    assert blocked
    assert [record for record in everything if record not in blocked] == unblocked["records"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dateFrom", "yesterday"),
        ("dateFrom", "2026-03-03T00:00:00"),
        ("dateTo", "2026-03-03T00:00:00 00:00"),
        ("dateFrom", "2026-03-05T00:00:00.000Z"),
        ("view", "Full"),
        ("direction", "Sideways"),
        ("type", "Video"),
        ("recordingType", "Some"),
        ("withRecording", "maybe"),
        ("page", "0"),
        ("perPage", "all"),
        ("sessionId", "s-a0d178729c49dz1876d9b9d11z19269ec0000"),
        ("telephonySessionId", ""),
    ],
)
def test_a_value_that_is_not_understood_is_named(
    api: requests.Session, unlimited: Sandbox, name: str, value: str
) -> None:
    body = refused(api, unlimited, **{name: value})

    assert body["errorCode"] == "CMN-101"
    assert body["errors"][0]["parameterName"] == body["parameterName"] == name
    assert body["parameterValue"] == value


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"extensionNumber": "101"}, {"phoneNumber": "16505550100"}),
        ({"extensionNumber": "101"}, {"sessionId": "420000000001016"}),
        ({"withRecording": "true"}, {"sessionId": "420000000001016"}),
        ({"recordingType": "All"}, {"sessionId": "420000000001016"}),
    ],
)
def test_filters_that_exclude_each_other_are_refused(
    api: requests.Session, unlimited: Sandbox, first: dict[str, str], second: dict[str, str]
) -> None:
    body = refused(api, unlimited, **first, **second)

    assert body["errorCode"] == "CLG-110"
    assert body["parameterName"] in first


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/account/1/call-log", "accountId"),
        ("/account/~/extension/1/call-log", "extensionId"),
        ("/account/~/recording/1662272004", "recordingId"),
    ],
)
def test_what_does_not_exist_is_named(api: requests.Session, unlimited: Sandbox, path: str, parameter: str) -> None:
    answer = api.get(f"{unlimited.platform_url}/restapi/v1.0{path}", timeout=10)

    assert answer.status_code == 404
    assert answer.json()["errors"] == [
        {
            "errorCode": "CMN-102",
            "message": f"Resource for parameter [{parameter}] is not found",
            "parameterName": parameter,
        }
    ]


def test_an_unknown_path_is_an_invalid_uri(api: requests.Session, unlimited: Sandbox) -> None:
    answer = api.get(f"{unlimited.platform_url}/restapi/v1.0/nothing", timeout=10)

    assert (answer.status_code, answer.json()["errorCode"]) == (404, "CMN-120")
    assert unlimited.requests[-1].status == 404


def test_deleted_calls_are_listed_only_when_asked_for(sandbox: Sandbox, log_in: LogIn) -> None:
    api = log_in(sandbox)
    deleted = read(api, sandbox, perPage=1, **DAY)["records"][0]["id"]

    sandbox.delete_call(deleted)

    assert deleted not in {record["id"] for record in read_all(api, sandbox, perPage="max", **DAY)}
    shown = {record["id"]: record for record in read_all(api, sandbox, perPage="max", showDeleted="true", **DAY)}
    assert shown[deleted]["deleted"] is True
    assert sum("deleted" in record for record in shown.values()) == 1
