import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from scripted_server import Answer, ScriptedServer, json_answer

from sandbox.ringcentral import CallMix, Fault, QuotaLimit, Sandbox, SandboxConfig
from voxlake.ringcentral.call_log_sync import SyncPage, iter_modified_pages
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import BadReplyError, RequestError, ServerError, SyncTokenRefusedError
from voxlake.ringcentral.sqlite_state import SqliteState

PATH = "/restapi/v1.0/account/~/call-log-extract-sync"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MORNING = NOON - timedelta(hours=6)

StartSandbox = Callable[[SandboxConfig], Sandbox]


def page_answer(issued: Any = "T1", newer: Any = False, **changes: Any) -> Answer:
    body = {
        "uri": "https://h/restapi/v1.0/account/400151109008/call-log-extract-sync",
        "records": [{"id": "A"}],
        "syncInfo": {"syncType": "FSync", "syncToken": issued, "newerRecordsExist": newer},
        **changes,
    }
    return with_quota(json_answer(body))


def refusal(code: str, message: str, status: int = 400) -> Answer:
    body = {"errorCode": code, "message": message, "errors": [{"errorCode": code, "message": message}]}
    return with_quota(json_answer(body, status))


def with_quota(answer: Answer) -> Answer:
    quota = {"Group": "heavy", "Limit": "999", "Remaining": "998", "Window": "60"}
    return replace(
        answer, headers={**answer.headers, **{f"X-Rate-Limit-{name}": value for name, value in quota.items()}}
    )


@pytest.fixture
def busy(start_sandbox: StartSandbox) -> Sandbox:
    mix = CallMix(calls_per_day=600, long_share=0.1, rewritten_share=0.4, rewrite_seconds=(600, 7200))
    quotas = {"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)}
    return start_sandbox(SandboxConfig(now=NOON, mix=mix, quotas=quotas))


@pytest.fixture
def reader(busy: Sandbox, tmp_path: Path) -> RingCentralClient:
    login = Credentials(busy.platform_url, busy.client_id, busy.client_secret, busy.jwt)
    return RingCentralClient(login, SqliteState(tmp_path / "state"))


def versions(pages: list[SyncPage]) -> dict[str, str]:
    """When each record was modified last."""
    return {record["id"]: record["lastModifiedTime"] for one in pages for record in one.records}


def test_all_that_was_modified_since_a_moment_is_read_with_its_legs(busy: Sandbox, reader: RingCentralClient) -> None:
    pages = list(iter_modified_pages(reader, sync_token=None, since=MORNING, record_count=40))

    truth = {call.id: call for call in busy.truth(MORNING - timedelta(days=1), NOON).calls}
    modified = {call_id for call_id, call in truth.items() if call.last_modified_time >= MORNING}
    assert len(modified) > 120
    assert versions(pages).keys() == modified
    assert all(len(record["legs"]) == len(truth[record["id"]].legs) for one in pages for record in one.records)
    assert [one.number for one in pages] == list(range(1, len(pages) + 1))
    assert [json.loads(one.body)["records"] for one in pages] == [one.records for one in pages]
    assert [json.loads(one.body)["syncInfo"]["syncToken"] for one in pages] == [one.sync_token for one in pages]
    assert all(f"/account/{one.account_id}/call-log-extract-sync?" in json.loads(one.body)["uri"] for one in pages)


def test_a_token_goes_on_where_the_last_read_ended(busy: Sandbox, reader: RingCentralClient) -> None:
    before = list(iter_modified_pages(reader, sync_token=None, since=MORNING))
    removed = busy.truth(MORNING, NOON).calls[5].id
    busy.clock.advance(5400)
    busy.delete_call(removed)

    after = list(iter_modified_pages(reader, sync_token=before[-1].sync_token, since=MORNING))

    now = busy.clock.now()
    truth = busy.truth(MORNING - timedelta(days=1), now).calls
    changed = {call.id for call in truth if NOON < call.last_modified_time <= now}
    rewritten = changed & versions(before).keys()
    assert len(rewritten) > 5
    assert versions(after).keys() == changed | {removed}
    assert [record["id"] for one in after for record in one.records if record.get("deleted")] == [removed]
    (nothing,) = iter_modified_pages(reader, sync_token=after[-1].sync_token, since=MORNING)
    assert nothing.records == []


def test_a_token_that_expired_is_told_from_other_errors(busy: Sandbox, reader: RingCentralClient) -> None:
    (*_, last) = iter_modified_pages(reader, sync_token=None, since=MORNING)
    busy.expire_sync_tokens()

    with pytest.raises(SyncTokenRefusedError, match=r"Read anew without a token.* 400 CLG-104 ") as raised:
        list(iter_modified_pages(reader, sync_token=last.sync_token, since=MORNING))
    assert last.sync_token not in str(raised.value)
    assert (raised.value.status, raised.value.error_code) == (400, "CLG-104")

    busy.faults.add(Fault("call_log_extract_sync", "error", times=1))
    with pytest.raises(ServerError):
        list(iter_modified_pages(reader, sync_token=last.sync_token, since=MORNING))


def test_the_first_page_is_asked_for_by_time_and_the_others_by_token(
    client: RingCentralClient, server: ScriptedServer
) -> None:
    server.script(PATH, page_answer("T1", newer=True), page_answer("T2", newer=True), page_answer("T3"))

    pages = list(iter_modified_pages(client, sync_token=None, since=MORNING, record_count=250))

    assert [parse_qs(request.query) for request in server.requests_for(PATH)] == [
        {
            "view": ["Detailed"],
            "syncType": ["FSync"],
            "dateFrom": ["2026-03-04T06:00:00.000Z"],
            "recordCount": ["250"],
        },
        {"view": ["Detailed"], "syncType": ["ISync"], "syncToken": ["T1"]},
        {"view": ["Detailed"], "syncType": ["ISync"], "syncToken": ["T2"]},
    ]
    assert [(one.number, one.sync_token, one.account_id) for one in pages] == [
        (1, "T1", "400151109008"),
        (2, "T2", "400151109008"),
        (3, "T3", "400151109008"),
    ]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        *((f"CLG-10{number}", "Sync token expired, call log was reset") for number in range(1, 6)),
        ("CMN-101", "Parameter [syncToken] is invalid"),
    ],
)
def test_every_way_to_refuse_a_token_is_known(
    client: RingCentralClient, server: ScriptedServer, code: str, message: str
) -> None:
    server.script(PATH, refusal(code, message))

    with pytest.raises(SyncTokenRefusedError, match=code):
        list(iter_modified_pages(client, sync_token="T1", since=MORNING))


@pytest.mark.parametrize(
    ("token", "answer"),
    [
        ("T1", refusal("CMN-101", "Parameter [view] is invalid")),
        ("T1", refusal("CLG-110", "Parameter [view] is not allowed")),
        (None, refusal("CLG-101", "Parameter [syncToken] is invalid")),
        ("T1", refusal("CLG-101", "Parameter [syncToken] is invalid", 409)),
    ],
)
def test_another_refusal_is_not_laid_on_the_token(
    client: RingCentralClient, server: ScriptedServer, token: str | None, answer: Answer
) -> None:
    server.script(PATH, answer)

    with pytest.raises(RequestError) as raised:
        list(iter_modified_pages(client, sync_token=token, since=MORNING))
    assert not isinstance(raised.value, SyncTokenRefusedError)


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (page_answer(records=None), "records is not a list"),
        (page_answer(records={"id": "A"}), "records is not a list"),
        (page_answer(syncInfo=None), "syncInfo is not an object"),
        (page_answer(None), "syncInfo.syncToken is not a text"),
        (page_answer(""), "syncInfo.syncToken is not a text"),
        (page_answer(7), "syncInfo.syncToken is not a text"),
        (page_answer(newer=None), "syncInfo.newerRecordsExist is not true or false"),
        (page_answer(newer="true"), "syncInfo.newerRecordsExist is not true or false"),
    ],
)
def test_a_page_that_is_none_names_the_field(
    client: RingCentralClient, server: ScriptedServer, answer: Answer, field: str
) -> None:
    server.script(PATH, answer)

    with pytest.raises(BadReplyError, match=f"GET {PATH}.* whose field {field}"):
        list(iter_modified_pages(client, sync_token=None, since=MORNING))


@pytest.mark.parametrize(
    ("answers", "pages", "told"),
    [
        ([page_answer("T1", newer=True, records=[])], 1, "newerRecordsExist is true, though the page has no records"),
        ([page_answer("T1", newer=True)], 2, "syncToken leads back to a page"),
        ([page_answer("T0", newer=True)], 1, "syncToken leads back to a page"),
        (
            [page_answer("T1", newer=True), page_answer("T2", newer=True), page_answer("T1", newer=True)],
            3,
            "leads back",
        ),
    ],
)
def test_pages_that_lead_nowhere_are_noticed(
    client: RingCentralClient, server: ScriptedServer, answers: list[Answer], pages: int, told: str
) -> None:
    server.script(PATH, *answers)
    read = iter_modified_pages(client, sync_token="T0", since=MORNING)

    for _ in range(pages):
        next(read)
    with pytest.raises(BadReplyError, match=told):
        next(read)


def test_a_moment_without_a_zone_is_refused_before_any_request(
    client: RingCentralClient, server: ScriptedServer
) -> None:
    with pytest.raises(ValueError, match=r"since .* has no time zone"):
        iter_modified_pages(client, sync_token=None, since=MORNING.replace(tzinfo=None))

    assert server.received == []
