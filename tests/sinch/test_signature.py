"""The signatures of Sinch's own documents, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from voxlake.sinch.signature import FRESHNESS, Application, SignatureRefusedError, sign, string_to_sign, verify


@dataclass(frozen=True)
class Vector:
    """A signed message as https://developers.sinch.com/docs/voice/api-reference/authentication/ prints it."""

    application: Application
    path: str
    timestamp: str
    body: bytes
    digest: str
    signature: str


CALLBACK = Vector(
    Application("669E367E-6BBA-48AB-AF15-266871C28135", "BeIukql3pTKJ8RGL5zo0DA=="),
    "/sinch/callback/ace",
    "2014-09-24T10:59:41Z",
    b'{"event":"ace","callid":"822aa4b7-05b4-4d83-87c7-1f835ee0b6f6_257","timestamp":"2014-09-24T10:59:41Z","version":1}',
    "REWF+X220L4/Gw1spXOU7g==",
    "Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4=",
)
REQUEST = Vector(
    Application("5F5C418A0F914BBC8234A9BF5EDDAD97", "JViE5vDor0Sw3WllZka15Q=="),
    "/v1/sms/+46700000000",
    "2014-06-04T13:41:58Z",
    b'{"message":"Hello world"}',
    "jANzQ+rgAHyf1MWQFSwvYw==",
    "qDXMwzfaxCRS849c/2R0hg0nphgdHciTo7OdM6MsdnM=",
)
NOW = datetime(2014, 9, 24, 11, 0, tzinfo=UTC)
HEADERS = {
    "authorization": f"Application {CALLBACK.application.key}:{CALLBACK.signature}",
    "x-timestamp": CALLBACK.timestamp,
    "content-type": "application/json",
}
KNOWN = {CALLBACK.application.key: CALLBACK.application}


def check(headers: dict[str, str] = HEADERS, body: bytes = CALLBACK.body, path: str = CALLBACK.path) -> Application:
    return verify(KNOWN, "POST", path, headers, body, NOW)


@pytest.mark.parametrize("vector", [CALLBACK, REQUEST], ids=["callback", "request"])
def test_the_documented_messages_have_the_documented_signatures(vector: Vector) -> None:
    arguments = ("POST", vector.path, "application/json", vector.timestamp, vector.body)

    assert string_to_sign(*arguments) == (
        f"POST\n{vector.digest}\napplication/json\nx-timestamp:{vector.timestamp}\n{vector.path}"
    )
    assert sign(vector.application, *arguments) == f"application {vector.application.key}:{vector.signature}"


def test_a_message_without_a_body_has_an_empty_line_for_it() -> None:
    assert string_to_sign("get", "/a", "", "t", b"") == "GET\n\n\nx-timestamp:t\n/a"


@pytest.mark.parametrize("scheme", ["application", "Application", "APPLICATION"])
def test_the_documented_callback_is_accepted(scheme: str) -> None:
    signed = HEADERS | {"authorization": f"{scheme} {CALLBACK.application.key}:{CALLBACK.signature}"}

    assert check(signed) == CALLBACK.application


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("missing", {"authorization": ""}),
        ("malformed", {"authorization": f"Basic {CALLBACK.signature}"}),
        ("malformed", {"authorization": "application " + CALLBACK.application.key}),
        ("malformed", {"x-timestamp": ""}),
        ("malformed", {"x-timestamp": "yesterday"}),
        ("unknown_application", {"authorization": f"application {REQUEST.application.key}:{CALLBACK.signature}"}),
        ("wrong", {"authorization": f"application {CALLBACK.application.key}:{REQUEST.signature}"}),
        ("wrong", {"authorization": f"application {CALLBACK.application.key}:é"}),
        ("wrong", {"content-type": "application/json; charset=utf-8"}),
        ("wrong", {"x-timestamp": "2014-09-24T10:59:42Z"}),
    ],
)
def test_what_is_not_signed_by_sinch_is_refused(reason: str, changes: dict[str, str]) -> None:
    with pytest.raises(SignatureRefusedError) as refused:
        check(HEADERS | changes)

    assert refused.value.reason == reason
    assert CALLBACK.application.secret not in str(refused.value)


@pytest.mark.parametrize(("body", "path"), [(CALLBACK.body + b" ", CALLBACK.path), (CALLBACK.body, "/other")])
def test_another_body_or_path_is_refused(body: bytes, path: str) -> None:
    with pytest.raises(SignatureRefusedError) as refused:
        check(body=body, path=path)

    assert refused.value.reason == "wrong"


@pytest.mark.parametrize("late", [FRESHNESS, -FRESHNESS], ids=["late", "early"])
def test_a_callback_is_good_for_some_minutes(late: timedelta) -> None:
    sent = datetime.fromisoformat(CALLBACK.timestamp)

    verify(KNOWN, "POST", CALLBACK.path, HEADERS, CALLBACK.body, sent + late)
    with pytest.raises(SignatureRefusedError) as refused:
        verify(KNOWN, "POST", CALLBACK.path, HEADERS, CALLBACK.body, sent + late * 1.01)
    assert refused.value.reason == "stale"


def test_seven_digits_of_a_second_are_signed_as_they_came() -> None:
    timestamp = "2014-09-24T10:59:41.1234567Z"
    signed = sign(CALLBACK.application, "POST", CALLBACK.path, "application/json", timestamp, CALLBACK.body)

    assert check(HEADERS | {"authorization": signed, "x-timestamp": timestamp})


@pytest.mark.parametrize(
    ("key", "secret", "named"),
    [("", "AAAA", "key"), ("a key", "AAAA", "key"), ("key", "", "secret"), ("key", "=a", "secret")],
)
def test_a_bad_application_is_refused_by_the_name_of_the_field(key: str, secret: str, named: str) -> None:
    with pytest.raises(ValueError, match=f"application {named}"):
        Application(key, secret)


def test_an_application_does_not_show_its_secret() -> None:
    assert CALLBACK.application.secret not in repr(CALLBACK.application)
