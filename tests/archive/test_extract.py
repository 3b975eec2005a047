from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs

import pytest
import requests

from sandbox.ringcentral import Fault, RequestEntry, Sandbox
from tests.archive.archived_day import DAY, NEXT_DAY, ids, rows
from voxlake.archive.extract import extract_call_log, extract_modified
from voxlake.archive.land import land_call_log
from voxlake.archive.sync_token import sync_token_of
from voxlake.lake import layout, tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.errors import ServerError, SyncTokenRefusedError

HALF_AN_HOUR = timedelta(minutes=30)


def call_log_requests(sandbox: Sandbox) -> list[RequestEntry]:
    return [entry for entry in sandbox.requests if entry.path.endswith("/call-log")]


def fetched_again(sandbox: Sandbox, entries: list[RequestEntry]) -> list[bytes]:
    """The bodies of the same pages, by a login and a client of our own."""
    login = requests.post(
        f"{sandbox.platform_url}/restapi/oauth/token",
        data={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": sandbox.jwt},
        auth=(sandbox.client_id, sandbox.client_secret),
        timeout=10,
    )
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    urls = [f"{sandbox.platform_url}{entry.path}?{entry.query}" for entry in entries]
    return [requests.get(url, headers=headers, timeout=10).content for url in urls]


def test_every_page_is_kept_byte_for_byte(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> None:
    (folder,) = extract_call_log(client, lake, DAY, NEXT_DAY)

    pages = [gzip.decompress(lake.read(path).data) for path in lake.list(folder)]
    assert list(lake.list("")) == [f"{folder}/{number:05d}.json.gz" for number in (1, 2, 3)]
    assert pages == fetched_again(sandbox, call_log_requests(sandbox))


def test_the_same_pages_make_the_same_files(client: RingCentralClient, lake: LocalStorage) -> None:
    (first,) = extract_call_log(client, lake, DAY, NEXT_DAY)
    (second,) = extract_call_log(client, lake, DAY, NEXT_DAY)

    assert first != second
    files = [lake.read(path).data for path in lake.list(first)]
    assert files == [lake.read(path).data for path in lake.list(second)]
    # No time in the header (RFC 1952, MTIME): also in another second they would be the same.
    assert {file[4:8] for file in files} == {bytes(4)}


def test_a_window_is_split_where_a_day_of_utc_ends(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    before = datetime.now(UTC)
    in_kolkata = timezone(timedelta(hours=5, minutes=30))
    start, end = DAY - HALF_AN_HOUR, NEXT_DAY + HALF_AN_HOUR

    folders = extract_call_log(client, lake, start.astimezone(in_kolkata), end.astimezone(in_kolkata))

    named = [re.fullmatch(r"raw/ringcentral/call_log/(.+)--(\d{8}T\d{6}\.\d{3}Z)", folder) for folder in folders]
    assert [name and name[1] for name in named] == [
        "date=2024-05-13/20240513T233000.000Z--20240514T000000.000Z",
        "date=2024-05-14/20240514T000000.000Z--20240515T000000.000Z",
        "date=2024-05-15/20240515T000000.000Z--20240515T003000.000Z",
    ]
    read_at = [layout.extracted_at(folder) for folder in folders]
    assert before - timedelta(milliseconds=1) <= read_at[0] <= read_at[1] <= read_at[2] <= datetime.now(UTC)
    asked = [parse_qs(entry.query) for entry in call_log_requests(sandbox)]
    assert {(query["dateFrom"][0], query["dateTo"][0]) for query in asked} == {
        ("2024-05-13T23:30:00.000Z", "2024-05-14T00:00:00.000Z"),
        ("2024-05-14T00:00:00.000Z", "2024-05-15T00:00:00.000Z"),
        ("2024-05-15T00:00:00.000Z", "2024-05-15T00:30:00.000Z"),
    }
    land_call_log(lake, folders)
    assert [row["call_id"] for row in rows(lake, CALLS)] == ids(sandbox.truth(start, end).calls)


def test_a_window_without_calls_leaves_the_page_that_says_so(client: RingCentralClient, lake: LocalStorage) -> None:
    (folder,) = extract_call_log(client, lake, DAY, DAY + timedelta(seconds=1))

    (page,) = lake.list(folder)
    assert b'"records":[]' in gzip.decompress(lake.read(page).data)


def test_a_read_that_fails_midway_returns_nothing_and_the_next_is_whole(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = lake.put

    def put_and_fail_the_next_page(path: str, data: bytes) -> None:
        put(path, data)
        if path.endswith("/00002.json.gz") and "date=2024-05-14" in path:
            sandbox.faults.add(Fault("call_log", "error"))

    monkeypatch.setattr(lake, "put", put_and_fail_the_next_page)
    start = DAY - HALF_AN_HOUR
    with pytest.raises(ServerError, match="CMN-201"):
        extract_call_log(client, lake, start, NEXT_DAY)
    left_behind = {path.rsplit("/", 1)[0] for path in lake.list("raw")}
    assert len(left_behind) == 2
    monkeypatch.undo()
    sandbox.faults.clear()

    folders = extract_call_log(client, lake, start, NEXT_DAY)

    assert left_behind.isdisjoint(folders)
    land_call_log(lake, folders)
    assert [row["call_id"] for row in rows(lake, CALLS)] == ids(sandbox.truth(start, NEXT_DAY).calls)


def test_modifications_are_kept_like_a_window_and_land_like_it(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    before = datetime.now(UTC)
    folder = extract_modified(client, lake, None, DAY, NEXT_DAY)

    name = "date=2024-05-14/20240514T000000.000Z--20240515T000000.000Z--"
    assert folder.startswith(f"raw/ringcentral/call_log/{name}")
    assert before - timedelta(milliseconds=1) <= layout.extracted_at(folder) <= datetime.now(UTC)
    paths = list(lake.list(folder))
    bodies = [gzip.decompress(lake.read(path).data) for path in paths]
    assert paths == [f"{folder}/{number:05d}.json.gz" for number in range(1, len(bodies) + 1)]
    entries = [entry for entry in sandbox.requests if entry.path.endswith("/call-log-extract-sync")]
    again = [json.loads(body) for body in fetched_again(sandbox, entries)]
    assert [json.loads(body)["records"] for body in bodies] == [page["records"] for page in again]

    land_call_log(lake, [folder])
    truth = [call for call in sandbox.truth(DAY, sandbox.clock.now()).calls if call.last_modified_time >= DAY]
    days = [(DAY + timedelta(days=shift)).date() for shift in range(3)]
    landed = tables.read(lake, CALLS, days)
    assert landed["call_id"].to_pylist() == ids(truth)
    assert set(landed["account_id"].to_pylist()) == {"400144452008"}


def test_modifications_since_a_token_go_on_where_it_ends(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    first = extract_modified(client, lake, None, DAY, NEXT_DAY)
    removed = sandbox.truth(DAY, NEXT_DAY).calls[0].id
    sandbox.delete_call(removed)

    second = extract_modified(client, lake, sync_token_of(lake, [first]), DAY, NEXT_DAY)

    (page,) = [json.loads(gzip.decompress(lake.read(path).data)) for path in lake.list(second)]
    assert [(record["id"], record["deleted"]) for record in page["records"]] == [(removed, True)]


def test_a_token_that_is_refused_is_told(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> None:
    folder = extract_modified(client, lake, None, DAY, NEXT_DAY)
    sandbox.expire_sync_tokens()

    with pytest.raises(SyncTokenRefusedError, match="CLG-104"):
        extract_modified(client, lake, sync_token_of(lake, [folder]), DAY, NEXT_DAY)
    assert {path.rsplit("/", 1)[0] for path in lake.list("raw")} == {folder}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (DAY, DAY),
        (NEXT_DAY, DAY),
        (DAY.replace(tzinfo=None), NEXT_DAY),
        (DAY, NEXT_DAY.replace(tzinfo=None)),
    ],
)
def test_what_is_no_window_is_refused_before_any_request(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, start: datetime, end: datetime
) -> None:
    with pytest.raises(ValueError, match="expected start before end, both with their zone; got 2024-05-1"):
        extract_call_log(client, lake, start, end)
    with pytest.raises(ValueError, match="expected start before end, both with their zone; got 2024-05-1"):
        extract_modified(client, lake, None, start, end)
    assert sandbox.requests == ()
