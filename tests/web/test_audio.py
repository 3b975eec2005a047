"""Audio over real HTTP, from a folder and from S3."""

from __future__ import annotations

import http.client
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.web.conftest import (
    AUDIO,
    CONVERSATION,
    DAY,
    MERGED,
    NUMBER,
    ONE_LEG,
    ORIGINAL,
    PEAKS,
    Serve,
    Site,
    accesses,
    put_conversation,
    token,
)
from voxlake.airflow.lake import open_lake
from voxlake.lake import layout
from voxlake.lake.storage import ObjectStatus, Storage
from voxlake.settings import get_settings

SIZE = len(MERGED)
SESSION_FILE = layout.session_audio("s-a1b2c3", DAY, "audio/mpeg")


@pytest.fixture
def either(storage: Storage, serve: Serve) -> Site:
    """The app over a lake in a folder, and over one in S3."""
    put_conversation(storage)
    return serve(storage)


def test_the_whole_file_says_what_it_is(either: Site) -> None:
    reply = either.get(AUDIO)
    assert (reply.status_code, reply.content) == (200, MERGED)
    assert reply.headers["Content-Type"] == "audio/mpeg"
    assert reply.headers["Content-Length"] == str(SIZE)
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert reply.headers["Content-Disposition"] == 'inline; filename="conversation-2026-03-04-093015-s-a1b2c3.mp3"'
    assert reply.headers["Cache-Control"] == "private, no-store"
    assert reply.headers["ETag"].startswith('"')
    assert abs(datetime.now(UTC) - parsedate_to_datetime(reply.headers["Last-Modified"])) < timedelta(minutes=10)


def test_a_leg_is_given_as_it_was_recorded(either: Site) -> None:
    reply = either.get(f"{ORIGINAL}?download=1")
    assert (reply.status_code, reply.content) == (200, ONE_LEG)
    assert reply.headers["Content-Type"] == "audio/wav"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="recording-2026-03-04-093015-4711.wav"'
    assert NUMBER not in str(reply.headers)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=1000-1999", 1000, 1999),
        ("bytes=1000-", 1000, SIZE - 1),
        ("bytes=-500", SIZE - 500, SIZE - 1),
        (f"bytes=-{SIZE + 1}", 0, SIZE - 1),
        (f"bytes=100-{SIZE + 100}", 100, SIZE - 1),
        ("BYTES = 5 - 9", 5, 9),
    ],
)
def test_a_range_is_those_bytes(either: Site, asked: str, first: int, last: int) -> None:
    reply = either.get(AUDIO, headers={"Range": asked})
    assert reply.status_code == 206
    assert reply.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert reply.headers["Content-Length"] == str(last - first + 1)
    assert reply.content == MERGED[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=9-5", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=1-2,5-9", "bytes=١-٢"])
def test_what_is_no_range_and_several_at_once_get_the_whole(site: Site, asked: str) -> None:
    reply = site.get(AUDIO, headers={"Range": asked.encode()})
    assert (reply.status_code, reply.content) == (200, MERGED)
    assert "Content-Range" not in reply.headers


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0", f"bytes={'9' * 18}-"])
def test_a_range_behind_the_end_cannot_be_given(either: Site, asked: str) -> None:
    reply = either.get(AUDIO, headers={"Range": asked})
    assert reply.status_code == 416
    assert reply.headers["Content-Range"] == f"bytes */{SIZE}"
    assert MERGED[:100] not in reply.content


def test_head_says_the_same_and_gives_nothing(either: Site) -> None:
    whole = either.get(AUDIO)
    head = either.get(AUDIO, method="HEAD", headers={"Range": "bytes=5-9"})
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "Content-Length", "Content-Disposition", "Accept-Ranges", "ETag", "Last-Modified"):
        assert head.headers[name] == whole.headers[name], name


def test_who_has_this_version_already_gets_no_bytes(either: Site) -> None:
    whole = either.get(AUDIO)
    tag, modified = whole.headers["ETag"], whole.headers["Last-Modified"]
    for conditions in (
        {"If-None-Match": tag},
        {"If-None-Match": f'"other", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": modified},
    ):
        reply = either.get(AUDIO, headers=conditions)
        assert (reply.status_code, reply.content, reply.headers["ETag"]) == (304, b"", tag), conditions
    earlier = format_datetime(parsedate_to_datetime(modified) - timedelta(seconds=1), usegmt=True)
    for conditions in (
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": modified},
        {"If-Modified-Since": earlier},
        {"If-Modified-Since": "yesterday"},
    ):
        assert either.get(AUDIO, headers=conditions).content == MERGED, conditions


def test_a_range_of_another_version_gets_the_whole_new_one(either: Site) -> None:
    before = either.get(AUDIO)
    of_before = {"Range": "bytes=0-9", "If-Range": before.headers["ETag"]}
    assert either.get(AUDIO, headers=of_before).status_code == 206

    either.lake.put(SESSION_FILE, MERGED[::-1])
    reply = either.get(AUDIO, headers=of_before)
    assert (reply.status_code, reply.content) == (200, MERGED[::-1])
    assert reply.headers["ETag"] != before.headers["ETag"]


def test_an_empty_file_is_empty(either: Site) -> None:
    either.lake.put(SESSION_FILE, b"")
    assert (either.get(AUDIO).status_code, either.get(AUDIO).content) == (200, b"")
    assert either.get(AUDIO, headers={"Range": "bytes=0-"}).status_code == 416


def test_the_waveform_is_json(either: Site) -> None:
    reply = either.get(f"{CONVERSATION}/peaks")
    assert (reply.content, reply.headers["Content-Type"]) == (PEAKS, "application/json")


def test_the_day_is_only_where_to_look_first(site: Site) -> None:
    for day in (DAY, DAY + timedelta(days=1), DAY - timedelta(days=300)):
        assert site.get(f"{AUDIO}?day={day}").content == MERGED
        assert site.get(f"{ORIGINAL}?day={day}").content == ONE_LEG


@pytest.mark.parametrize(
    "path",
    [
        "/voxlake/conversations/ringcentral/s-unknown/audio",
        "/voxlake/conversations/sinch/s-a1b2c3/audio",
        "/voxlake/conversations/ringcentral/s-unknown/peaks",
        "/voxlake/conversations/ringcentral/s-unknown/recordings/4711/audio",
        f"{CONVERSATION}/recordings/4712/audio",
        f"{CONVERSATION}/recordings/9999/audio",
    ],
)
def test_what_the_lake_does_not_hold_is_not_found(site: Site, path: str) -> None:
    reply = site.get(path)
    assert (reply.status_code, list(reply.json())) == (404, ["detail"])


def test_a_file_that_is_gone_is_not_found(either: Site) -> None:
    either.lake.delete(SESSION_FILE)
    either.lake.delete(layout.session_peaks("s-a1b2c3", DAY))
    assert either.get(AUDIO).status_code == 404
    assert either.get(f"{CONVERSATION}/peaks").status_code == 404


HOSTILE = (
    *(
        "..",
        "../../etc/passwd",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        ".",
        "%2fetc%2fpasswd",
        "..%5c..%5cwin.ini",
    ),
    *("s-a1b2c3%00", "s-a1b2c3%0a", "s%20a", "%C3%A9", "a" * 129, "*", "'%20or%20'1'='1", "<script>"),
)


@pytest.mark.parametrize(
    "where",
    [
        "/voxlake/conversations/{}/s-a1b2c3/audio",
        "/voxlake/conversations/ringcentral/{}/audio",
        "/voxlake/conversations/ringcentral/s-a1b2c3/recordings/{}/audio",
        "/voxlake/conversations/ringcentral/{}/peaks",
        "/voxlake/static/{}",
    ],
)
def test_hostile_ids_reach_nothing(site: Site, where: str) -> None:
    # Not requests: it would tidy the paths up.
    connection = http.client.HTTPConnection(site.url.removeprefix("http://"), timeout=60)
    for hostile in HOSTILE:
        connection.request("GET", where.format(hostile), headers={"Authorization": f"Bearer {token('admin')}"})
        reply = connection.getresponse()
        assert reply.status in {404, 422}, hostile
        assert b"root:" not in reply.read()
    connection.close()
    assert accesses(site.lake) == []


@pytest.mark.parametrize(
    "path",
    [
        "tables/sessions/date=2026-03-04/sessions.parquet",
        "audio/../tables/sessions/date=2026-03-04/sessions.parquet",
        "/etc/passwd",
        "audio/sessions/provider=ringcentral/date=2026-03-04/../../../../../../etc/passwd",
        "audio/sessions/provider=ringcentral/date=2026-03-04/.hidden.mp3",
        "raw/ringcentral/recordings/date=2026-03-04/rejected/4711.mp3",
    ],
)
def test_a_table_that_names_another_file_gives_none_out(site: Site, path: str) -> None:
    put_conversation(site.lake, audio_path=path, peaks_path=path, merged_at=datetime.now(UTC))
    assert site.get(AUDIO).status_code == 404
    assert site.get(f"{CONVERSATION}/peaks").status_code == 404


def test_a_bad_day_is_named(site: Site) -> None:
    reply = site.get(f"{AUDIO}?day=<script>")
    assert reply.status_code == 422
    assert "day" in reply.json()["detail"]
    assert "<script>" not in reply.text


def test_a_file_that_is_replaced_between_look_and_read_is_given_as_it_is_now(
    either: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = either.lake.status

    def look_and_be_overtaken(path: str) -> ObjectStatus:
        found = status(path)
        if replacements:
            either.lake.put(path, replacements.pop())
        return found

    monkeypatch.setattr(either.lake, "status", look_and_be_overtaken)
    replacements = [MERGED[:1000]]
    assert either.get(AUDIO, headers={"Range": "bytes=990-"}).content == MERGED[990:1000]

    # One that is replaced all the time is not given in a mixture.
    replacements = [MERGED[:size] for size in range(1, 20)]
    assert either.get(AUDIO).status_code == 409


def test_a_long_file_is_never_in_memory_as_a_whole(site: Site) -> None:
    long = 64 * 1024 * 1024
    site.lake.put(SESSION_FILE, bytes(long))
    got = 0
    tracemalloc.start()
    with site.get(AUDIO, stream=True) as reply:
        for piece in reply.iter_content(1024 * 1024):
            got += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert got == long
    assert peak < 16 * 1024 * 1024


def test_a_bucket_gives_its_audio_out_itself(
    s3_endpoint: str, s3_bucket: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("VOXLAKE_LAKE_URL", f"s3://{s3_bucket}/voxlake")
    monkeypatch.setenv("VOXLAKE_AUDIO_DELIVERY", "redirect")
    get_settings.cache_clear()
    lake = open_lake()
    put_conversation(lake)
    site = serve(lake)

    reply = site.get(f"{AUDIO}?download=1")
    assert (reply.status_code, reply.content) == (307, b"")
    assert reply.headers["Cache-Control"] == "private, no-store"
    location = urlsplit(reply.headers["Location"])
    assert parse_qs(location.query)["X-Amz-Expires"] == ["900"]
    from_bucket = requests.get(reply.headers["Location"], headers={"Range": "bytes=10-19"}, timeout=60)
    assert (from_bucket.status_code, from_bucket.content) == (206, MERGED[10:20])
    assert from_bucket.headers["Content-Type"] == "audio/mpeg"
    assert from_bucket.headers["Content-Disposition"].startswith("attachment; ")
    # The policy lets a page load audio from there, and from nowhere else.
    origin = f"{location.scheme}://{location.netloc}"
    assert f"media-src 'self' {origin};" in reply.headers["Content-Security-Policy"]
    assert reply.headers["Content-Security-Policy"].count("http") == 1
    assert [access["action"] for access in accesses(lake)] == ["download"]


def test_a_folder_gives_out_audio_here_whatever_the_setting(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXLAKE_AUDIO_DELIVERY", "redirect")
    get_settings.cache_clear()
    assert site.get(AUDIO).content == MERGED
