"""Every fault of the table in docs/operations.md, over real HTTP, as the steps of the archive meet it."""

from __future__ import annotations

import errno
import inspect
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config

from sandbox.ringcentral import Fault, QuotaLimit, Sandbox
from sandbox.ringcentral.faults import AnswerKind
from tests.archive.archived_day import (
    CONFIG,
    DAY,
    NEXT_DAY,
    PATIENCE,
    content_requests,
    downloads,
    ids,
    land_window,
    merges,
    plan_session,
    rows,
    session_with,
    upsert,
)
from tests.archive.conftest import Connect
from tests.archive.full_disk import download_with_room_for
from tests.conftest import StartSandbox
from tests.s3_server import Refusing, s3_server
from voxlake.archive.download import RecordingsFailedError, download_session
from voxlake.archive.extract import extract_call_log
from voxlake.archive.land import land_call_log
from voxlake.archive.merge import merge_session
from voxlake.lake import layout
from voxlake.lake.local import LocalStorage
from voxlake.lake.s3 import S3Storage
from voxlake.lake.schemas import CALLS, RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import (
    BadReplyError,
    ForeignHostError,
    RateLimitedError,
    RingCentralError,
    ServerError,
    TransportError,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"

PASSING: dict[str, AnswerKind] = {
    "connection reset": "reset",
    "stalled body": "stall",
    "truncated body": "truncated",
    "unasked 206": "partial",
    "redirect to the same host": "redirect",
}


@dataclass(frozen=True)
class Lasting:
    """A fault that stays.

    Attributes:
        kind: How the sandbox calls it.
        said: What the row of the recording says.
        answers: How many answers one try gets.
        log_error: What reading the call log ends with; None if it is read all the same.
    """

    kind: AnswerKind
    said: str
    answers: int
    log_error: type[RingCentralError] | None


LASTING = {
    "5xx": Lasting("error", "answered 500 CMN-201", 1, ServerError),
    "503 with Retry-After": Lasting("unavailable", "answered 503 CMN-201", 1, ServerError),
    "connection reset": Lasting("reset", "Connection reset by peer", 4, TransportError),
    "time-out": Lasting("silent", "no data for 0.5 s", 0, TransportError),
    "stalled body": Lasting("stall", "no data for 0.5 s", 4, TransportError),
    "truncated body": Lasting("truncated", "the body broke off", 4, TransportError),
    "redirect to another host": Lasting("redirect_foreign", "leads to https://files.example.net", 1, ForeignHostError),
    "wrong Content-Type": Lasting("wrong_type", "Content-Type 'application/octet-stream'", 1, None),
    "HTML with 200": Lasting("html", "an HTML page: '<!doctype html>", 1, BadReplyError),
    "empty body": Lasting("empty", "an empty body", 1, BadReplyError),
}


@pytest.fixture
def client(sandbox: Sandbox, connect: Connect) -> RingCentralClient:
    """One that has no patience with silence."""
    return connect(sandbox, timeout=(10, 0.5))


def whole_in_lake(sandbox: Sandbox, storage: Storage, *recording_ids: str) -> bool:
    """Whether just these recordings are in the lake, each byte for byte, and nothing half done beside them."""
    paths = {layout.recording_audio(one, DAY.date(), "audio/mpeg"): one for one in recording_ids}
    held = list(storage.list("audio"))
    begun = [path for path in storage.list("") if path.startswith((".scratch", "leases"))]
    return (
        held == sorted(paths)
        and not begun
        and all(storage.read(path).data == sandbox.content_of(paths[path]) for path in held)
    )


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_costs_one_request_more(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, fault: str
) -> None:
    first, second = ids(session_with(sandbox, 2).recordings)
    session = plan_session(client, lake, session_with(sandbox, 2))
    sandbox.faults.add(Fault("content", PASSING[fault], id=first, times=1))

    download_session(client, lake, session, "run", 1, PATIENCE)

    assert content_requests(sandbox) == [first, first, second]
    assert [row["status"] for row in downloads(lake, "run", session)] == ["downloaded"] * 2
    assert whole_in_lake(sandbox, lake, first, second)


@pytest.mark.parametrize("fault", LASTING)
def test_a_fault_that_lasts_fails_its_recording_alone_and_the_next_try_gets_it(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, fault: str
) -> None:
    lasting = LASTING[fault]
    first, second, third = ids(session_with(sandbox, 3).recordings)
    session = plan_session(client, lake, session_with(sandbox, 3))
    sandbox.faults.add(Fault("content", lasting.kind, id=second, retry_after=300))

    with pytest.raises(RecordingsFailedError, match=re.escape(lasting.said)) as raised:
        download_session(client, lake, session, "run", 1, PATIENCE)

    # The retry policy waits for so long.
    assert raised.value.retry_after == (300 if lasting.kind == "unavailable" else None)
    assert content_requests(sandbox) == [first, *[second] * lasting.answers, third]
    found = downloads(lake, "run", session)
    assert [row["status"] for row in found] == ["downloaded", "failed", "downloaded"]
    assert lasting.said in found[1]["error"]
    assert whole_in_lake(sandbox, lake, first, third)

    sandbox.faults.clear()
    download_session(client, lake, session, "run", 2, PATIENCE)

    assert content_requests(sandbox) == [first, *[second] * lasting.answers, third, second]
    assert [row["status"] for row in downloads(lake, "run", session)] == ["downloaded"] * 3
    assert whole_in_lake(sandbox, lake, first, second, third)


@pytest.mark.parametrize("fault", LASTING)
def test_a_call_log_that_cannot_be_read_is_returned_to_nobody_and_the_next_try_is_whole(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, fault: str
) -> None:
    lasting = LASTING[fault]
    sandbox.faults.add(Fault("call_log", lasting.kind, times=1, retry_after=300))

    if lasting.log_error is not None:
        with pytest.raises(lasting.log_error) as raised:
            extract_call_log(client, lake, DAY, NEXT_DAY)
        assert raised.value.retry_after == (300 if lasting.kind == "unavailable" else None)
        assert len([entry for entry in sandbox.requests if entry.path.endswith("/call-log")]) <= 1
        assert list(lake.list("")) == []
    land_call_log(lake, extract_call_log(client, lake, DAY, NEXT_DAY))

    assert [row["call_id"] for row in rows(lake, CALLS)] == ids(sandbox.truth(DAY, NEXT_DAY).calls)


def test_a_call_log_that_is_redirected_on_its_host_is_read(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    sandbox.faults.add(Fault("call_log", "redirect", times=1))

    land_window(client, lake, DAY, NEXT_DAY)

    assert [row["call_id"] for row in rows(lake, CALLS)] == ids(sandbox.truth(DAY, NEXT_DAY).calls)


def test_a_206_for_a_call_log_is_no_call_log(sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage) -> None:
    sandbox.faults.add(Fault("call_log", "partial", times=1))

    with pytest.raises(BadReplyError, match="answered 206"):
        extract_call_log(client, lake, DAY, NEXT_DAY)


def test_a_token_that_expires_between_pages_and_between_recordings_is_replaced(
    start_sandbox: StartSandbox, connect: Connect, lake: LocalStorage
) -> None:
    sandbox = start_sandbox(CONFIG)
    client = connect(sandbox)
    sandbox.between_pages(lambda _: sandbox.clock.advance(3601))

    land_window(client, lake, DAY, NEXT_DAY)

    assert [row["call_id"] for row in rows(lake, CALLS)] == ids(sandbox.truth(DAY, NEXT_DAY).calls)
    statuses = [entry.status for entry in sandbox.requests if entry.path.endswith("/call-log")]
    assert statuses == [200, 200, 401, 200]

    sandbox.between_pages(None)
    first, second = ids(session_with(sandbox, 2).recordings)
    session = plan_session(client, lake, session_with(sandbox, 2))
    sandbox.clock.advance(3601)
    download_session(client, lake, session, "run", 1, PATIENCE)

    assert whole_in_lake(sandbox, lake, first, second)
    assert content_requests(sandbox) == [first, first, second]


def test_a_named_wait_is_kept_also_where_another_recording_is_looked_for_again_sooner(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    first, second = ids(session_with(sandbox, 2).recordings)
    session = plan_session(client, lake, session_with(sandbox, 2))
    sandbox.faults.add(Fault("content", "not_found", id=first))
    sandbox.faults.add(Fault("content", "unavailable", id=second, retry_after=3000))
    patient = replace(PATIENCE, wait=timedelta(days=36500), retention=timedelta(days=36500))

    look_again = download_session(client, lake, session, "run", 1, patient)

    assert look_again is not None
    assert timedelta(seconds=2990) < look_again - datetime.now(UTC) <= timedelta(seconds=3000)


def test_a_quota_that_is_used_up_in_mid_file_is_waited_for_and_nothing_half_done_stays(
    start_sandbox: StartSandbox, connect: Connect, lake: LocalStorage
) -> None:
    # One request for the call log, one for the start of the recording.
    sandbox = start_sandbox(replace(CONFIG, quotas={"heavy": QuotaLimit(2, window=3600)}, detailed_per_page_cap=None))
    client = connect(sandbox, max_wait=0)
    (recording_id,) = ids(session_with(sandbox, 1).recordings)
    session = plan_session(client, lake, session_with(sandbox, 1))
    sandbox.faults.add(Fault("content", "truncated", times=1))

    with pytest.raises(RateLimitedError):
        download_session(client, lake, session, "run", 1, PATIENCE)

    assert content_requests(sandbox) == [recording_id]
    assert whole_in_lake(sandbox, lake)
    assert {row["status"] for row in rows(lake, RECORDINGS)} == {"pending"}


def test_a_host_without_an_address_fails_its_recording_without_a_request(
    sandbox: Sandbox, connect: Connect, lake: LocalStorage
) -> None:
    # No resolver knows a name of this domain: https://www.rfc-editor.org/rfc/rfc6761#section-6.4
    client = connect(sandbox, media_url="https://media.invalid")
    (recording_id,) = ids(session_with(sandbox, 1).recordings)
    session = plan_session(client, lake, session_with(sandbox, 1))
    (row,) = [row for row in rows(lake, RECORDINGS) if row["recording_id"] == recording_id]
    upsert(
        lake, RECORDINGS, row | {"content_uri": "https://media.invalid/it", "extracted_at": NEXT_DAY.replace(year=2099)}
    )

    with pytest.raises(RecordingsFailedError, match=_no_address()):
        download_session(client, lake, session, "run", 1, PATIENCE)

    assert [row["status"] for row in downloads(lake, "run", session)] == ["failed"]
    assert content_requests(sandbox) == []
    assert whole_in_lake(sandbox, lake)


def _no_address() -> str:
    """How this machine says it."""
    with pytest.raises(socket.gaierror) as raised:
        socket.getaddrinfo("media.invalid", 443)
    return re.escape(str(raised.value.strerror))


def test_a_full_disk_leaves_nothing_half_done_and_names_itself(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, tmp_path: Path
) -> None:
    first, second = ids(session_with(sandbox, 2).recordings)
    session = plan_session(client, lake, session_with(sandbox, 2))
    credentials = Credentials(
        sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url
    )

    with pytest.raises(OSError, match=f"File too large: '{lake.url}/.scratch/") as raised:
        download_with_room_for(100_000, credentials, tmp_path, session)

    assert raised.value.errno == errno.EFBIG
    assert content_requests(sandbox) == [first]
    assert whole_in_lake(sandbox, lake)
    assert list(lake.list("outcomes")) == []

    download_session(client, lake, session, "run", 2, PATIENCE)
    assert whole_in_lake(sandbox, lake, first, second)


@pytest.fixture
def refusing_s3() -> Iterator[tuple[Refusing, str]]:
    """An S3 server that can be made to refuse, and its URL."""
    made: list[Refusing] = []

    def around(application: WSGIApplication) -> WSGIApplication:
        made.append(Refusing(application))
        return made[0]

    with s3_server(around) as url:
        yield made[0], url


def s3_lake(url: str, bucket: str, attempts: int) -> S3Storage:
    client = boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )
    return S3Storage(client, bucket)


def test_a_bucket_that_fails_loses_the_recording_in_hand_and_no_other(
    sandbox: Sandbox, client: RingCentralClient, refusing_s3: tuple[Refusing, str], s3_bucket: str
) -> None:
    refusing, url = refusing_s3
    lake = s3_lake(url, s3_bucket, attempts=1)
    first, second, third = ids(session_with(sandbox, 3).recordings)
    session = plan_session(client, lake, session_with(sandbox, 3))
    refusing.code, refusing.status, refusing.left = "InternalError", "500 Internal Server Error", 99
    refusing.only = ("PUT", f"/{second}.mp3")

    with pytest.raises(S3UploadFailedError, match="InternalError"):
        download_session(client, lake, session, "run", 1, PATIENCE)

    assert whole_in_lake(sandbox, lake, first)
    refusing.left = 0
    download_session(client, lake, session, "run", 2, PATIENCE)

    assert content_requests(sandbox) == [first, second, second, third]
    assert whole_in_lake(sandbox, lake, first, second, third)


def test_a_bucket_that_asks_to_slow_down_gets_the_recording_all_the_same(
    sandbox: Sandbox, client: RingCentralClient, refusing_s3: tuple[Refusing, str], s3_bucket: str
) -> None:
    refusing, url = refusing_s3
    lake = s3_lake(url, s3_bucket, attempts=5)
    (recording_id,) = ids(session_with(sandbox, 1).recordings)
    session = plan_session(client, lake, session_with(sandbox, 1))
    refusing.left, refusing.only = 2, ("PUT", f"/{recording_id}.mp3")

    download_session(client, lake, session, "run", 1, PATIENCE)

    assert len(refusing.refused) == 2
    assert content_requests(sandbox) == [recording_id]
    assert whole_in_lake(sandbox, lake, recording_id)


def test_an_mp3_that_plays_shorter_than_it_says_is_kept_as_it_came_and_its_session_is_partial(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    (recording,) = session_with(sandbox, 1).recordings
    session = plan_session(client, lake, session_with(sandbox, 1))
    sandbox.faults.add(Fault("content", "corrupt"))

    download_session(client, lake, session, "run", 1, PATIENCE)

    (row,) = downloads(lake, "run", session)
    sent, content = lake.read(row["audio_path"]).data, sandbox.content_of(recording.id)
    assert (row["status"], row["size_bytes"]) == ("downloaded", len(content))
    # What plays: two thirds and no more.
    assert 0.6 < row["duration_ms"] / recording.duration_ms < 0.7
    third = len(content) // 3
    assert (
        sent == content[:third] + bytes(len(content[third : 2 * len(content) // 3])) + content[2 * len(content) // 3 :]
    )
    download_session(client, lake, session, "run", 2, PATIENCE)
    assert content_requests(sandbox) == [recording.id]
    assert merge_session(lake, session, "run") is not None
    (merged,) = merges(lake, "run", session)
    assert (row["defect"], merged["status"]) == ("truncated", "partial")
    # An encoded frame more or less.
    assert merged["duration_ms"] == pytest.approx(row["duration_ms"], abs=1)
    assert merged["missing"] == [{"recording_id": recording.id, "reason": "truncated", "detail": row["defect_detail"]}]


def test_bytes_that_no_player_plays_are_kept_apart_and_asked_for_once_more(
    sandbox: Sandbox, client: RingCentralClient, storage: Storage
) -> None:
    (recording_id,) = ids(session_with(sandbox, 1).recordings)
    session = plan_session(client, storage, session_with(sandbox, 1))
    sandbox.faults.add(Fault("content", "unplayable"))
    kept = layout.damaged_recording(recording_id, DAY.date(), "audio/mpeg")
    content = sandbox.content_of(recording_id)

    with pytest.raises(RecordingsFailedError, match=f"damaged, as RingCentral sent it: {kept}: "):
        download_session(client, storage, session, "run", 1, PATIENCE)
    assert [row["status"] for row in downloads(storage, "run", session)] == ["failed"]
    download_session(client, storage, session, "run", 2, PATIENCE)

    (row,) = downloads(storage, "run", session)
    assert (row["status"], row["unavailable_reason"], row["audio_path"]) == ("unavailable", "damaged", None)
    assert storage.read(kept).data == content[:16] + bytes(len(content) - 16)
    assert whole_in_lake(sandbox, storage)
    upsert(storage, RECORDINGS, row)
    download_session(client, storage, session, "another run", 1, PATIENCE)
    assert content_requests(sandbox) == [recording_id] * 2


def test_bytes_that_the_provider_mends_meanwhile_are_downloaded(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage
) -> None:
    (recording_id,) = ids(session_with(sandbox, 1).recordings)
    session = plan_session(client, lake, session_with(sandbox, 1))
    sandbox.faults.add(Fault("content", "unplayable", times=1))

    with pytest.raises(RecordingsFailedError):
        download_session(client, lake, session, "run", 1, PATIENCE)
    download_session(client, lake, session, "run", 2, PATIENCE)

    assert whole_in_lake(sandbox, lake, recording_id)


SINGLE = {
    "expired token": test_a_token_that_expires_between_pages_and_between_recordings_is_replaced,
    "DNS failure": test_a_host_without_an_address_fails_its_recording_without_a_request,
    "disk full": test_a_full_disk_leaves_nothing_half_done_and_names_itself,
    "S3 error": test_a_bucket_that_fails_loses_the_recording_in_hand_and_no_other,
    "S3 slow-down": test_a_bucket_that_asks_to_slow_down_gets_the_recording_all_the_same,
    "corrupt MP3": test_an_mp3_that_plays_shorter_than_it_says_is_kept_as_it_came_and_its_session_is_partial,
    "unplayable MP3": test_bytes_that_no_player_plays_are_kept_apart_and_asked_for_once_more,
}


def test_the_operators_table_has_a_row_for_every_fault_and_no_other() -> None:
    _, _, section = OPERATIONS.read_text().partition("## What breaks, and what then\n")
    table = re.findall(r"^\| (.+?) \|", section.partition("\n## ")[0], re.MULTILINE)

    assert table[:2] == ["fault", "---"]
    assert sorted(table[2:]) == sorted({*PASSING, *LASTING, *SINGLE})
    # As the row of the time-out says.
    assert inspect.signature(RingCentralClient).parameters["timeout"].default == (10, 60)
