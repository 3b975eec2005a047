"""The access log: what makes a row, what does not, and what happens where it cannot be written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException

from tests.web.access_writer import PROCESSES, export, reader, request
from tests.web.conftest import AUDIO, CONVERSATION, NUMBER, ORIGINAL, Serve, Site, accesses, put_conversation, today
from voxlake.lake import layout, tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import ACCESS_LOG
from voxlake.lake.storage import Storage
from voxlake.web import access
from voxlake.web.access import log_export, read_accesses


def what(lake: Storage) -> list[tuple[Any, ...]]:
    return [(row["action"], row["telephony_session_id"], row["recording_id"]) for row in accesses(lake)]


def test_a_play_says_who_what_when_and_from_where(storage: Storage, serve: Serve) -> None:
    put_conversation(storage)
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    serve(storage).get(AUDIO, "user", headers={"User-Agent": "Listening/1 <script>" + "x" * 1000})
    [row] = accesses(storage)
    assert row["access_id"]
    assert before <= row["accessed_at"] <= datetime.now(UTC)
    assert (row["user_id"], row["user_name"]) == (f"user {NUMBER}", f"user {NUMBER}")
    assert (row["action"], row["provider"], row["telephony_session_id"]) == ("play", "ringcentral", "s-a1b2c3")
    assert (row["recording_id"], row["query"]) == (None, None)
    assert row["address"] == "127.0.0.1"
    assert row["user_agent"] == ("Listening/1 <script>" + "x" * 1000)[:500]


@pytest.mark.parametrize(("proxy_headers", "address"), [(False, "127.0.0.1"), (True, "203.0.113.9")])
def test_an_address_that_anybody_can_send_counts_only_where_the_server_is_told_to(
    archive: LocalStorage, serve: Serve, proxy_headers: bool, address: str
) -> None:
    serve(archive, proxy_headers=proxy_headers).get(AUDIO, headers={"X-Forwarded-For": "203.0.113.9"})
    assert [row["address"] for row in accesses(archive)] == [address]


def test_the_ranges_of_one_play_are_one_row_whichever_comes_first(site: Site) -> None:
    for asked in ("bytes=5000-5999", "bytes=0-99", "bytes=-100"):
        assert site.get(AUDIO, headers={"Range": asked}).status_code == 206
    assert what(site.lake) == [("play", "s-a1b2c3", None)]


def test_the_ranges_that_a_player_asks_for_at_once_are_one_row_too(site: Site) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda first: site.get(AUDIO, headers={"Range": f"bytes={first}-"}), range(16)))
    assert {reply.status_code for reply in replies} == {206}
    assert what(site.lake) == [("play", "s-a1b2c3", None)]


def test_another_file_another_reader_another_program_and_a_download_are_rows_of_their_own(site: Site) -> None:
    site.get(AUDIO)
    site.get(ORIGINAL)
    site.get(f"{AUDIO}?download=1")
    site.get(AUDIO, "user")
    site.get(AUDIO, headers={"User-Agent": "another"})
    assert what(site.lake) == [
        ("play", "s-a1b2c3", None),
        ("play", "s-a1b2c3", "4711"),
        ("download", "s-a1b2c3", None),
        ("play", "s-a1b2c3", None),
        ("play", "s-a1b2c3", None),
    ]


def test_a_play_after_the_window_is_another_row(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "PLAY_WINDOW", timedelta(0))
    site.get(AUDIO)
    site.get(AUDIO)
    assert len(what(site.lake)) == 2


def test_who_has_the_file_already_is_noted_too_but_not_who_only_asks_about_it(site: Site) -> None:
    head = site.get(AUDIO, method="HEAD")
    assert accesses(site.lake) == []
    assert site.get(AUDIO, headers={"If-None-Match": head.headers["ETag"]}).status_code == 304
    assert len(accesses(site.lake)) == 1


@pytest.mark.parametrize(
    "path", [CONVERSATION + "/peaks", "/voxlake/static/none", CONVERSATION.replace("s-a", "s-b") + "/audio"]
)
def test_what_gives_out_no_audio_makes_no_row(site: Site, path: str) -> None:
    site.get(path)
    site.get(path, None)
    site.get(path, "viewer")
    assert accesses(site.lake) == []


def test_nobody_hears_what_cannot_be_written_down(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(site.lake, "compare_and_swap", _disk_full)
        for path in (AUDIO, ORIGINAL, f"{AUDIO}?download=1"):
            reply = site.get(path)
            assert reply.status_code == 503
            assert "nothing is given out" in reply.json()["detail"]
        # It is not taken for written down the next time either.
        assert site.get(AUDIO, headers={"Range": "bytes=5-9"}).status_code == 503
    assert accesses(site.lake) == []
    assert site.get(AUDIO).status_code == 200
    assert len(accesses(site.lake)) == 1


def _disk_full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_the_row_is_there_before_the_first_byte(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    rows_when_read = []
    read_range = site.lake.read_range

    def looked_at(*arguments: Any) -> Any:
        rows_when_read.append(len(accesses(site.lake)))
        return read_range(*arguments)

    monkeypatch.setattr(site.lake, "read_range", looked_at)
    site.get(AUDIO)
    assert rows_when_read == [1]


def test_an_export_is_noted_with_its_query_each_time(storage: Storage) -> None:
    for _ in range(2):
        log_export(request("number=%2B16505550101&name=A+B"), storage, reader())
    assert [(row["action"], row["query"]) for row in accesses(storage)] == [
        ("export", "number=+16505550101&name=A B"),
    ] * 2


def test_an_export_that_cannot_be_noted_is_refused(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "compare_and_swap", _disk_full)
    with pytest.raises(HTTPException) as refused:
        log_export(request(), storage, reader())
    assert refused.value.status_code == 503


def test_the_log_is_read_newest_first_by_page_and_day(storage: Storage) -> None:
    days = [today() - timedelta(days=number) for number in range(3)]
    rows = [
        {
            "access_id": f"{day} {number}",
            "user_id": f"{number}",
            "user_name": "",
            "action": "play",
            "address": "",
            "user_agent": "",
            "accessed_at": datetime(day.year, day.month, day.day, number, tzinfo=UTC),
        }
        for day in days
        for number in range(4)
    ]
    tables.upsert(storage, ACCESS_LOG, tables.to_arrow(ACCESS_LOG, rows))

    page = read_accesses(storage, days[1], days[0], numbers=True, offset=2, limit=4)
    assert page.total == 8
    assert [(found.accessed_at.date(), found.user_id) for found in page.accesses] == [
        (days[0], "1"),
        (days[0], "0"),
        (days[1], "3"),
        (days[1], "2"),
    ]
    assert read_accesses(storage, days[1], days[0], numbers=True, offset=8).accesses == ()
    assert read_accesses(storage, days[2] - timedelta(days=9), days[2] - timedelta(days=1), numbers=True).total == 0


def test_a_number_that_was_searched_for_is_masked_for_who_may_not_see_it(storage: Storage) -> None:
    log_export(request("number=%2B16505550101"), storage, reader())
    [seen] = read_accesses(storage, today(), today(), numbers=True).accesses
    [masked] = read_accesses(storage, today(), today(), numbers=False).accesses
    assert seen.query == "number=+16505550101"
    assert masked.query == "number=+1650•••••01"


def test_processes_that_write_at_a_time_keep_all_rows(tmp_path: Path) -> None:
    writers = [PROCESSES.Process(target=export, args=(tmp_path, f"process {number}", 5)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = {(row["user_id"], row["query"]) for row in accesses(LocalStorage(tmp_path))}
    assert found == {(f"process {process}", f"number={number}") for process in range(3) for number in range(5)}


def test_the_file_lies_where_tables_lie(storage: Storage) -> None:
    log_export(request(), storage, reader())
    assert list(storage.list("tables")) == [layout.table_file("access_log", today())]
