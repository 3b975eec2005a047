import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from voxlake.ringcentral import replies
from voxlake.ringcentral.errors import (
    BadReplyError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RequestError,
    RingCentralError,
    ServerError,
)
from voxlake.ringcentral.sliding_window import QuotaHeaders

# Quoted from the guide: https://developers.ringcentral.com/guide/voice/call-log/access
MISSING_PERMISSION = json.dumps(
    {
        "errorCode": "InsufficientPermissions",
        "message": "In order to call this API endpoint, application needs to have [ReadCallLog] permission",
        "errors": [
            {
                "errorCode": "CMN-401",
                "message": "In order to call this API endpoint, application needs to have [ReadCallLog] permission",
                "permissionName": "ReadCallLog",
            }
        ],
        "permissionName": "ReadCallLog",
    }
).encode()


def refusal(status: int, body: bytes = b"{}", **headers: str) -> replies.Refusal:
    named = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    return replies.Refusal("GET", "/restapi/v1.0/account/~/call-log", status, named, body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestError),
        (401, RequestError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (416, RequestError),
        (429, RateLimitedError),
        (500, ServerError),
        (503, ServerError),
        (304, BadReplyError),
    ],
)
def test_the_status_decides_the_type(status: int, kind: type[RingCentralError]) -> None:
    error = replies.error_from(refusal(status), ())

    assert type(error) is kind
    assert (error.status, error.method, error.url) == (status, "GET", "/restapi/v1.0/account/~/call-log")
    assert f"answered {status} to GET /restapi/v1.0/account/~/call-log" in str(error)


def test_a_missing_permission_is_named_with_the_remedy() -> None:
    error = replies.error_from(refusal(403, MISSING_PERMISSION), ())

    assert isinstance(error, PermissionDeniedError)
    assert (error.permission_name, error.error_code) == ("ReadCallLog", "CMN-401")
    assert "permission ReadCallLog is missing: in the developer console" in error.message


def test_secrets_in_the_servers_words_are_hidden() -> None:
    body = b'{"errors": [{"errorCode": "OAU-1", "message": "Parameter [assertion] value is invalid: geheim"}]}'

    error = replies.error_from(refusal(400, body), ("geheim",))

    assert "geheim" not in str(error)
    assert "value is invalid: ***" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        {"errorCode": "geheim", "message": "no"},
        {"errors": [{"errorCode": "CMN-408", "permissionName": "Read geheim"}]},
        {"error": "geheim", "error_description": "geheim"},
    ],
)
@pytest.mark.parametrize("status", [400, 403, 500])
def test_no_field_of_an_error_shows_a_secret(body: dict[str, Any], status: int) -> None:
    error = replies.error_from(refusal(status, json.dumps(body).encode()), ("geheim",))

    assert "geheim" not in f"{error} {vars(error)}"


@pytest.mark.parametrize("length", [10, 100, 500, 5000])
@pytest.mark.parametrize("before", ["", "<html>", "ä" * 70])
def test_a_secret_is_hidden_also_where_only_its_start_would_be_shown(length: int, before: str) -> None:
    secret = "".join(chr(ord("A") + number % 26) for number in range(length))

    told = replies.describe(f"{before}{secret}<p>".encode(), (secret,))

    assert secret[:5] not in told
    assert "***" in told


@pytest.mark.parametrize(
    "body", [b"", b"<html>\n<title>Bad gateway", b"[]", b'{"errors": [3]}', b"\xff\xfb\x90", b"[" * 99999]
)
def test_any_body_makes_an_error(body: bytes) -> None:
    error = replies.error_from(refusal(502, body), ())

    assert isinstance(error, ServerError)
    assert error.error_code is None
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "an empty body"),
        (b"\n <!DOCTYPE html><html>", "an HTML page: '<!DOCTYPE html><html>'"),
        (b'{"a":\n 1}', "JSON: '{\"a\": 1}'"),
        (b"<?xml?>", "XML: '<?xml?>'"),
        (b"no audio", "text: 'no audio'"),
        ("ä".encode() * 150, "text: '" + "ä" * 80 + "'"),
        (b"\x00\x01\x02", "the bytes 00 01 02"),
        (b"\xff\xfe\x00", "the bytes ff fe 00"),
    ],
)
def test_a_body_is_described_in_a_few_words(body: bytes, told: str) -> None:
    assert replies.describe(body) == told


def test_quota_headers_are_read_whatever_their_case() -> None:
    headers = CaseInsensitiveDict(
        {
            "x-rate-limit-group": "Heavy",
            "X-RATE-LIMIT-LIMIT": "10",
            "x-rate-limit-remaining": "7",
            "x-rate-limit-window": "60",
        }
    )

    assert replies.quota_headers(headers) == QuotaHeaders("heavy", 10, 7, 60.0)


@pytest.mark.parametrize("limit", [None, "", "0", "-1", "ten", "nan", "inf"])
def test_quota_headers_that_make_no_sense_are_left_aside(limit: str | None) -> None:
    headers = {"X-Rate-Limit-Group": "heavy", "X-Rate-Limit-Remaining": "7", "X-Rate-Limit-Window": "60"}
    if limit is not None:
        headers["X-Rate-Limit-Limit"] = limit

    assert replies.quota_headers(headers) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("60", 60.0), ("0", 0.0), ("", None), ("soon", None), ("-5", None), ("inf", None)]
)
def test_retry_after_in_seconds(text: str, seconds: float | None) -> None:
    assert replies.retry_after({"Retry-After": text}) == seconds


def test_retry_after_as_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)

    assert replies.retry_after({"Retry-After": soon}) == pytest.approx(90, abs=5)
    assert replies.retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


def test_a_429_without_retry_after_means_half_a_minute() -> None:
    assert replies.penalty(429, {}) == 30
    assert replies.penalty(429, {"Retry-After": "61"}) == 61
    assert replies.penalty(503, {"Retry-After": "61"}) is None
    assert replies.error_from(refusal(429), ()).retry_after == 30
    assert replies.error_from(refusal(503, Retry_After="7"), ()).retry_after == 7
