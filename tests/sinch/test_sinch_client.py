"""The client over real HTTP: what is signed, what is read, and what is said of what goes wrong."""

from __future__ import annotations

import pickle
import socket
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sandbox.sinch import SinchSandbox
from tests.sinch import bodies
from voxlake.sinch.client import SinchClient
from voxlake.sinch.errors import (
    ApplicationRefusedError,
    BadReplyError,
    ForeignHostError,
    NotFoundError,
    RateLimitedError,
    RequestError,
    ServerError,
    SinchError,
    TransportError,
)
from voxlake.sinch.regions import server_url_of
from voxlake.sinch.signature import Application
from voxlake.sinch.svaml import RecordingOptions, StartRecording, StopRecording

START = StartRecording(RecordingOptions.from_json(bodies.OPTIONS))


def test_a_call_is_read_with_all_that_is_said_of_it(sinch: SinchSandbox, client: SinchClient) -> None:
    known = sinch.add_call({name: value for name, value in bodies.CALL.items() if name != "callId"}, ongoing=False)

    call = client.get_call(known.call_id)

    assert (call.call_id, call.status, call.result) == (known.call_id, "FINAL", "ANSWERED")
    assert call.timestamp == datetime(2024, 1, 8, 9, 48, 12, tzinfo=UTC)
    assert call.from_ is not None
    assert call.from_.endpoint == "user name endpoint validation"
    assert call.debit is not None
    assert call.debit.amount == Decimal("0.5274")
    assert not call.model_extra


def test_a_call_of_which_nothing_but_its_id_is_said(sinch: SinchSandbox, client: SinchClient) -> None:
    known = sinch.add_call()

    call = client.get_call(known.call_id, f"{sinch.url}/calling/v1/calls/id/{known.call_id}")

    assert (call.call_id, call.duration, call.from_) == (known.call_id, None, None)


def test_a_recording_is_started_and_stopped(sinch: SinchSandbox, client: SinchClient) -> None:
    call = sinch.add_call()

    client.manage_call(call.call_id, [START])
    client.manage_call(call.call_id, [StopRecording()])

    assert call.instructions == [{"name": "startRecording", "options": bodies.OPTIONS}, {"name": "stopRecording"}]


def test_a_call_that_is_over_cannot_be_managed(sinch: SinchSandbox, client: SinchClient) -> None:
    call = sinch.add_call(ongoing=False)

    with pytest.raises(NotFoundError, match=r"PATCH .*40400: Call not found") as refused:
        client.manage_call(call.call_id, [START])

    assert (refused.value.status, refused.value.error_code) == (404, 40400)
    assert refused.value.reference == "38188074-abcd-56ab-ab64-daf82fada8e8"


def test_ids_are_part_of_the_path_whatever_is_in_them(sinch: SinchSandbox, client: SinchClient) -> None:
    with pytest.raises(NotFoundError):
        client.get_call("a b/../c?d#e")


@pytest.mark.parametrize(
    ("key", "secret"), [(None, "AAAAAAAAAAAAAAAAAAAAAA=="), ("another-key", None)], ids=["secret", "key"]
)
def test_another_key_or_secret_is_refused_with_what_to_check(
    sinch: SinchSandbox, key: str | None, secret: str | None
) -> None:
    application = Application(key or sinch.key, secret or sinch.secret)
    with (
        SinchClient(application, sinch.url) as client,
        pytest.raises(ApplicationRefusedError, match="Check app") as refused,
    ):
        client.get_call("any")

    assert refused.value.error_code == 40102
    assert application.secret not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestError),
        (403, ApplicationRefusedError),
        (429, RateLimitedError),
        (500, ServerError),
        (503, ServerError),
        (307, RequestError),
    ],
)
def test_each_status_is_an_error_of_its_kind(
    sinch: SinchSandbox, client: SinchClient, status: int, kind: type[SinchError]
) -> None:
    sinch.fail_next(status, Retry_After="7", Location="https://elsewhere.example/")

    with pytest.raises(SinchError) as refused:
        client.get_call("any")

    assert type(refused.value) is kind
    assert refused.value.status == status
    assert refused.value.retry_after == (None if status == 307 else 7.0)
    copy = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 - our own
    assert str(copy) == str(refused.value)


def test_a_reply_that_is_no_call_is_said_to_be_none(sinch: SinchSandbox, client: SinchClient) -> None:
    call = sinch.add_call({"duration": {}})

    with pytest.raises(BadReplyError, match="see duration"):
        client.get_call(call.call_id)
    sinch.fail_next(200)
    with pytest.raises(BadReplyError, match="no JSON"):
        client.get_call(call.call_id)


def test_where_nobody_listens_the_error_holds_nothing_secret() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with SinchClient(Application("key", "AAAA"), url) as client, pytest.raises(TransportError) as refused:
        client.manage_call("any", [START])

    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    assert bodies.CREDENTIALS.split(":")[1] not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/calling/v1/calls/id/a",
        "http://calling-euc1.api.sinch.com/calling/v1/calls/id/a",
        "https://calling-euc1.api.sinch.com.evil.example/a",
        "https://calling-euc1.api.sinch.com@evil.example/a",
        "https://calling-euc1.api.sinch.com:8443/a",
        "file:///etc/passwd",
        "",
    ],
)
def test_nothing_is_sent_to_another_host_than_sinchs(client: SinchClient, url: str) -> None:
    with pytest.raises(ForeignHostError, match="nothing was sent"):
        client.manage_call("a", [START], url)


@pytest.mark.parametrize("region", ["", "use1", "euc1"])
def test_each_region_has_a_host(region: str) -> None:
    expected = f"https://calling{'-' if region else ''}{region}.api.sinch.com"
    assert server_url_of(region) == expected


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(ValueError, match="region: expected one of use1"):
        server_url_of("mars1")


@pytest.mark.parametrize(
    "url", ["", "sinch", "http://sinch.example", "https://sinch.example/path", "https://a:b@sinch.example"]
)
def test_a_bad_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="host of the Sinch connection"):
        SinchClient(Application("key", "AAAA"), url)
