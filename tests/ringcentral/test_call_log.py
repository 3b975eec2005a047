import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

import pytest
from scripted_server import Answer, ScriptedServer, json_answer

from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig
from voxlake.ringcentral.call_log import account_id_of, iter_call_log_pages, iter_session_pages
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import BadReplyError, ForeignHostError
from voxlake.ringcentral.sqlite_state import SqliteState

PATH = "/restapi/v1.0/account/~/call-log"
DAY = datetime(2026, 3, 3, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)


def page_answer(server: ScriptedServer, next_page: str | None = None, **changes: Any) -> Answer:
    navigation = {"firstPage": {"uri": f"{server.url}/restapi/v1.0/account/400151109008/call-log?page=1"}}
    if next_page is not None:
        navigation["nextPage"] = {"uri": next_page}
    body = {"records": [{"id": "A"}], "paging": {"perPage": 100, "page": 1}, "navigation": navigation, **changes}
    answer = json_answer(body)
    quota = {"Group": "heavy", "Limit": "999", "Remaining": "998", "Window": "60"}
    return replace(
        answer, headers={**answer.headers, **{f"X-Rate-Limit-{name}": value for name, value in quota.items()}}
    )


@pytest.mark.parametrize("cap", [None, 250])
def test_a_day_is_read_whole_whatever_the_page_size_of_the_server(
    start_sandbox: Callable[[SandboxConfig], Sandbox], tmp_path: Path, cap: int | None
) -> None:
    sandbox = start_sandbox(
        SandboxConfig(
            now=DAY + timedelta(days=3),
            mix=CallMix(calls_per_day=600),
            quotas={"heavy": QuotaLimit(1000)},
            detailed_per_page_cap=cap,
        )
    )
    credentials = Credentials(
        sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url
    )
    truth = {call.id: call for call in sandbox.truth(DAY, NEXT_DAY).calls}

    with RingCentralClient(credentials, SqliteState(tmp_path)) as client:
        pages = list(iter_call_log_pages(client, DAY, NEXT_DAY, per_page=400))

    records = [record for one in pages for record in one.records]
    assert len(truth) > 600
    assert {record["id"] for record in records if record["startTime"] < "2026-03-04"} == truth.keys()
    assert all(len(record["legs"]) == len(truth[record["id"]].legs) for record in records if record["id"] in truth)
    assert {one.per_page for one in pages} == {cap or 400}
    assert [one.number for one in pages] == list(range(1, len(pages) + 1))
    assert [json.loads(one.body)["records"] for one in pages] == [one.records for one in pages]
    assert all(f"/account/{one.account_id}/call-log/" in one.records[0]["uri"] for one in pages)


@pytest.mark.parametrize("order", ["descending", "ascending"])
def test_no_call_is_missed_while_others_end_and_are_deleted(
    start_sandbox: Callable[[SandboxConfig], Sandbox], tmp_path: Path, order: Literal["descending", "ascending"]
) -> None:
    noon = DAY + timedelta(hours=12)
    sandbox = start_sandbox(
        SandboxConfig(
            now=noon,
            # Long calls are listed among those that began after them, the others at one end.
            mix=CallMix(calls_per_day=600, long_share=0.3),
            quotas={"heavy": QuotaLimit(1000)},
            call_log_order=order,
        )
    )
    credentials = Credentials(sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt)
    listed = {call.id for call in sandbox.truth(DAY, NEXT_DAY).calls}
    read: list[str] = []
    deleted: list[str] = []

    def change(_: int) -> None:
        sandbox.clock.advance(600)
        # More than the calls that end meanwhile, and of those read, so that without them the others would move up.
        for call in [call for call in dict.fromkeys(read) if call not in deleted][:10]:
            sandbox.delete_call(call)
            deleted.append(call)

    sandbox.between_pages(change)
    with RingCentralClient(credentials, SqliteState(tmp_path)) as client:
        for one in iter_call_log_pages(client, DAY, NEXT_DAY, per_page=20):
            read += [record["id"] for record in one.records]

    assert len(deleted) > 100
    assert listed <= set(read)
    # Rows did move: some came twice.
    assert len(read) > len(set(read))


def test_a_day_without_calls_is_one_page(start_sandbox: Callable[[SandboxConfig], Sandbox], tmp_path: Path) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NEXT_DAY, mix=CallMix(calls_per_day=0)))
    credentials = Credentials(sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt)

    with RingCentralClient(credentials, SqliteState(tmp_path)) as client:
        (only,) = iter_call_log_pages(client, DAY, NEXT_DAY)

    assert (only.number, only.records, only.per_page) == (1, [], 1000)


def test_the_window_is_asked_for_in_utc_with_legs(client: RingCentralClient, server: ScriptedServer) -> None:
    path = PATH.replace("~", "37439510")
    server.script(path, page_answer(server))

    list(iter_call_log_pages(client, DAY, NEXT_DAY, per_page=250, account_id="37439510"))

    (request,) = server.requests_for(path)
    assert parse_qs(request.query) == {
        "view": ["Detailed"],
        "dateFrom": ["2026-03-03T00:00:00.000Z"],
        "dateTo": ["2026-03-04T00:00:00.000Z"],
        "showDeleted": ["true"],
        "perPage": ["250"],
    }


def test_next_page_alone_decides_and_totals_are_not_believed(client: RingCentralClient, server: ScriptedServer) -> None:
    wrong_totals = {"perPage": 1, "totalPages": 1, "totalElements": 1}
    second, third = f"{server.url}{PATH}/2", f"{server.url}{PATH}/3"
    server.script(PATH, page_answer(server, second, paging=wrong_totals))
    server.script(f"{PATH}/2", page_answer(server, third, records=[], paging=wrong_totals))
    server.script(f"{PATH}/3", page_answer(server, records=[{"id": "B"}, 3]))

    pages = list(iter_call_log_pages(client, DAY, NEXT_DAY))

    assert [one.records for one in pages] == [[{"id": "A"}], [], [{"id": "B"}, 3]]
    assert {one.account_id for one in pages} == {"400151109008"}


@pytest.mark.parametrize(
    ("page", "account_id"),
    [
        ({"uri": "https://h/restapi/v1.0/account/123/call-log?page=1", "records": []}, "123"),
        ({"navigation": {"firstPage": {"uri": "https://h/account/123"}}, "records": []}, "123"),
        ({"uri": "https://h/account/~/call-log", "records": [3, {}, {"uri": "/account/123/call-log/A"}]}, "123"),
        ({"uri": 5, "navigation": [], "records": [{"uri": "https://h/account/12x/call-log"}]}, None),
    ],
)
def test_the_account_is_known_by_the_addresses_of_a_page(page: dict[str, Any], account_id: str | None) -> None:
    assert account_id_of(page) == account_id


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"records": None}, "records is not a list"),
        ({"records": {"id": "A"}}, "records is not a list"),
        ({"paging": None}, "paging.perPage is not a whole number"),
        ({"paging": {"perPage": "100"}}, "paging.perPage is not a whole number"),
        ({"paging": {"perPage": True}}, "paging.perPage is not a whole number"),
        ({"navigation": None}, "navigation is not an object"),
        ({"navigation": {"nextPage": "page 2"}}, "navigation.nextPage.uri is not a text"),
        ({"navigation": {"nextPage": {}}}, "navigation.nextPage.uri is not a text"),
    ],
)
def test_a_page_that_is_none_names_the_field(
    client: RingCentralClient, server: ScriptedServer, changes: dict[str, Any], field: str
) -> None:
    server.script(PATH, page_answer(server, **changes))

    with pytest.raises(BadReplyError, match=f"GET {PATH}.*dateFrom=2026-03-03T.*whose field {field}"):
        list(iter_call_log_pages(client, DAY, NEXT_DAY))


def test_pages_in_a_circle_are_noticed(client: RingCentralClient, server: ScriptedServer) -> None:
    second, third = f"{server.url}{PATH}/2", f"{server.url}{PATH}/3"
    server.script(PATH, page_answer(server, second))
    server.script(f"{PATH}/2", page_answer(server, third))
    server.script(f"{PATH}/3", page_answer(server, second))

    with pytest.raises(BadReplyError, match=r"navigation\.nextPage\.uri leads back to a page"):
        list(iter_call_log_pages(client, DAY, NEXT_DAY))


def test_a_next_page_elsewhere_is_refused(
    client: RingCentralClient, server: ScriptedServer, foreign: ScriptedServer
) -> None:
    server.script(PATH, page_answer(server, f"{foreign.url}{PATH}?page=2"))

    with pytest.raises(ForeignHostError):
        list(iter_call_log_pages(client, DAY, NEXT_DAY))

    assert foreign.received == []


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (datetime(2026, 3, 3), NEXT_DAY, "start .* has no time zone"),  # noqa: DTZ001 - the mistake under test
        (DAY, datetime(2026, 3, 4), "end .* has no time zone"),  # noqa: DTZ001 - the mistake under test
        (DAY, DAY, "is not before end"),
        (NEXT_DAY, DAY, "is not before end"),
    ],
)
def test_a_window_that_is_none_is_refused_before_any_request(
    client: RingCentralClient, server: ScriptedServer, start: datetime, end: datetime, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        iter_call_log_pages(client, start, end)

    assert server.received == []


def test_a_session_is_asked_for_by_either_id_with_what_goes_with_it(
    client: RingCentralClient, server: ScriptedServer
) -> None:
    server.script(PATH, page_answer(server))
    for which in ({"telephony_session_id": "s-1"}, {"session_id": "42"}):
        assert [page.records for page in iter_session_pages(client, DAY, **which)] == [[{"id": "A"}]]
    by_telephony_session_id, by_session_id = (parse_qs(request.query) for request in server.requests_for(PATH))
    since = ["2026-03-03T00:00:00.000Z"]
    both = {"view": ["Detailed"], "dateFrom": since, "perPage": ["1000"]}
    assert by_telephony_session_id == {**both, "telephonySessionId": ["s-1"], "showDeleted": ["true"]}
    # CLG-110: the numeric id goes with no other filter.
    assert by_session_id == {**both, "sessionId": ["42"]}


@pytest.mark.parametrize("which", [{}, {"telephony_session_id": "s-1", "session_id": "42"}])
def test_a_session_is_asked_for_by_one_id(client: RingCentralClient, which: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="either a telephonySessionId or a sessionId"):
        list(iter_session_pages(client, DAY, **which))
