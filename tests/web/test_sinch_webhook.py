"""Sinch's callbacks over real HTTP, sent by the sandbox, which does what it is answered."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from botocore.config import Config
from fastapi import FastAPI

from sandbox.served import served
from sandbox.sinch import SinchSandbox, run_sinch_sandbox
from tests.sinch import bodies
from tests.sinch.listening_application import Listening, listening
from voxlake.lake.inbox import draining
from voxlake.lake.local import LocalStorage
from voxlake.lake.s3 import S3Storage
from voxlake.lake.storage import Storage
from voxlake.sinch.answers import CallPolicy
from voxlake.sinch.destinations import BucketCredentials, S3Destination
from voxlake.sinch.signature import Application, verify
from voxlake.sinch.svaml import RecordingOptions
from voxlake.web import passing_on, sinch_webhook
from voxlake.web.passing_on import PassingOn
from voxlake.web.sinch_webhook import ConnectedApplication, SinchCallbacks
from voxlake.web.webhooks import create_webhooks

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CREDENTIALS = BucketCredentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "us-east-1")
PATH = "/voxlake-webhooks/sinch"


@dataclass
class Receiving:
    """A receiver, the sandbox that calls it back, and what it did."""

    sinch: SinchSandbox
    lake: LocalStorage
    running: ExitStack
    applications: dict[str, ConnectedApplication]
    counted: Counter[str] = field(default_factory=Counter)
    told: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    url: str = ""

    def start(self, lake: Storage | None = None, **changed: Any) -> None:
        """Serves it, as Airflow mounts it, and points the sandbox's application there."""
        parts = SinchCallbacks(lambda: dict(self.applications), CallPolicy(), self.told.release, self._count)
        app = create_webhooks(
            lambda: lake or self.lake,
            lambda: "",
            lambda: None,
            lambda provider, became: self._count(f"{provider}/{became}"),
            replace(parts, **changed),
        )
        root = FastAPI()
        root.mount("/voxlake-webhooks", app)
        self.url = self.running.enter_context(served(root)) + PATH
        self.sinch.call_back_to(self.url)

    def post(self, body: bytes, **headers: str) -> requests.Response:
        sent = self.sinch.sign(body) | {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(self.url, data=body, headers=sent, timeout=30)

    def kept(self) -> list[bytes]:
        return events(self.lake)

    def break_inbox(self) -> Path:
        """Has every write to the inbox fail, until the file is removed."""
        inbox = Path(self.lake.url) / "inbox" / "sinch" / "new"
        shutil.rmtree(inbox, ignore_errors=True)
        inbox.parent.mkdir(parents=True, exist_ok=True)
        inbox.write_text("a file where the folder is to be")
        return inbox

    def _count(self, what: str) -> None:
        self.counted[what] += 1


def events(lake: Storage) -> list[bytes]:
    with draining(lake, "sinch", "test") as deliveries:
        return [event.body for delivery in deliveries for event in delivery.events]


@pytest.fixture
def receiving(tmp_path: Path, s3_endpoint: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiving]:
    # However busy the machine is: where time runs out, the test says so.
    monkeypatch.setattr(sinch_webhook, "KEEPING_SECONDS", 60.0)
    monkeypatch.setattr(passing_on, "ANSWER_SECONDS", 60.0)
    with ExitStack() as running:
        sinch = running.enter_context(run_sinch_sandbox(s3_endpoint))
        options = RecordingOptions(S3Destination(s3_bucket, "calls/"), CREDENTIALS)
        connected = ConnectedApplication(Application(sinch.key, sinch.secret), options)
        yield Receiving(sinch, LocalStorage(tmp_path / "lake"), running, {sinch.key: connected})


@pytest.fixture
def team() -> Iterator[Listening]:
    """The team's own program."""
    with listening() as application:
        yield application


def notify(**changed: Any) -> bytes:
    return json.dumps(bodies.RECORDING_AVAILABLE | changed).encode()


def names(kept: list[bytes]) -> list[str]:
    values = [json.loads(body) for body in kept]
    return [value.get("type") or value["event"] for value in values]


@pytest.mark.parametrize("name", bodies.CALLBACKS)
def test_every_callback_is_kept_as_received(receiving: Receiving, name: str) -> None:
    receiving.start()
    body = json.dumps(bodies.CALLBACKS[name], indent=1).encode()
    assert receiving.post(body).status_code == 200
    assert receiving.kept() == [body]
    assert receiving.counted["sinch/accepted"] == 1


def test_the_other_spelling_of_the_call_id_is_read_too(receiving: Receiving) -> None:
    receiving.start()
    value = {"callId" if name == "callid" else name: part for name, part in bodies.ICE.items()}
    body = json.dumps(value).encode()
    answer = receiving.post(body)
    assert answer.json()["instructions"][0]["name"] == "startRecording"
    assert receiving.kept() == [body]


def test_the_inbox_says_which_application_it_came_from(receiving: Receiving) -> None:
    receiving.start()
    receiving.post(notify())
    with draining(receiving.lake, "sinch", "test") as deliveries:
        (event,) = next(deliveries).events
    assert event.source == receiving.sinch.key


def test_a_call_is_answered_recorded_and_told_of(receiving: Receiving, s3_client: S3Client, s3_bucket: str) -> None:
    receiving.start()
    call = receiving.sinch.place_call(10, cli="4670000001", to="+4670000002")

    (made,) = receiving.sinch.recordings
    assert (made.call_id, made.seconds) == (call.call_id, 12), "with the two seconds that it rings"
    assert s3_client.head_object(Bucket=s3_bucket, Key=made.key)["ContentLength"] > 10_000
    assert [sent.status for sent in receiving.sinch.sent] == [200] * 5
    kept = receiving.kept()
    assert kept == [sent.content for sent in receiving.sinch.sent]
    assert names(kept) == ["ice", "ace", "recording_finished", "recording_available", "dice"]
    assert receiving.told.acquire(timeout=60)
    assert receiving.counted == {"sinch/accepted": 5, "recorded": 1}


def test_the_recording_is_started_before_the_call_is_connected(receiving: Receiving, s3_bucket: str) -> None:
    receiving.start()
    answer = receiving.post(json.dumps(bodies.ICE).encode())
    assert answer.json() == {
        "instructions": [
            {
                "name": "startRecording",
                "options": {
                    "destinationUrl": f"s3://{s3_bucket}/calls/",
                    "credentials": CREDENTIALS.reveal(),
                    "format": "mp3",
                    "notificationEvents": True,
                },
            }
        ],
        "action": {"name": "connectPstn"},
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_call_may_be_recorded_from_its_answer_on(receiving: Receiving) -> None:
    receiving.start(policy=CallPolicy(record_at="ace"))
    receiving.sinch.place_call(10)
    receiving.sinch.place_call(10, answered=False)
    assert [made.seconds for made in receiving.sinch.recordings] == [10]
    assert receiving.counted["recorded"] == 1


def test_a_conference_is_recorded_whole_or_by_participant(receiving: Receiving) -> None:
    receiving.start(policy=CallPolicy("conference:weekly", record_conference="conference"))
    first, second = receiving.sinch.open_call(), receiving.sinch.open_call()
    for call, seconds in ((first, 10), (second, 30)):
        call.talk(seconds)
        call.hang_up()
    assert [made.call_id for made in receiving.sinch.recordings] == ["weekly"]

    receiving.start(policy=CallPolicy("conference:weekly"))
    calls = [receiving.sinch.place_call() for _ in range(2)]
    assert [made.call_id for made in receiving.sinch.recordings[1:]] == [call.call_id for call in calls]


def test_who_cannot_be_recorded_is_connected_all_the_same(
    receiving: Receiving, caplog: pytest.LogCaptureFixture
) -> None:
    broken = replace(receiving.applications[receiving.sinch.key], recording=None, problem="Connection c: destination")
    receiving.applications[receiving.sinch.key] = broken
    receiving.start()
    call = receiving.sinch.place_call(10)

    assert json.loads(receiving.kept()[-1])["duration"] == 10
    assert receiving.sinch.recordings == []
    assert receiving.counted["not_recorded"] == 1
    assert f"call {call.call_id} is connected, but is not recorded: Connection c: destination" in caplog.text


def test_calls_between_sinchs_own_clients_are_connected_and_counted(receiving: Receiving) -> None:
    receiving.start()
    receiving.sinch.place_call(10, domain="mxp", to="anna", to_type="username")
    assert json.loads(receiving.kept()[-1])["duration"] == 10
    assert receiving.counted["not_recorded"] == 1


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"Authorization": ""}, 401, "forged"),
        ({"Authorization": "Basic a2V5OnNlY3JldA=="}, 401, "forged"),
        ({"Authorization": "application {key}:AAAA"}, 401, "forged"),
        ({"Authorization": "application another:AAAA"}, 403, "unknown_application"),
        ({"x-timestamp": "2014-09-24T10:59:41Z"}, 401, "forged"),
        ({"x-timestamp": "yesterday"}, 401, "forged"),
        ({"Content-Type": "application/json"}, 401, "forged"),
        ({"Content-Type": "text/plain"}, 415, "content_type"),
    ],
)
def test_what_is_not_signed_by_a_known_application_is_refused(
    receiving: Receiving, headers: dict[str, str], status: int, reason: str
) -> None:
    receiving.start()
    changed = {name: value.format(key=receiving.sinch.key) for name, value in headers.items()}
    refused(receiving, receiving.post(json.dumps(bodies.ICE).encode(), **changed), status, reason)


def test_another_body_or_path_than_was_signed_is_refused(receiving: Receiving) -> None:
    receiving.start()
    signed = receiving.sinch.sign(notify())
    other = requests.post(receiving.url, data=notify(callid="another"), headers=signed, timeout=30)
    refused(receiving, other, 401, "forged")
    receiving.sinch.call_back_to("https://example.com/before/the/proxy")
    moved = receiving.post(notify())
    assert moved.status_code == 401


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_callback_of_another_time_is_refused(receiving: Receiving, minutes: int) -> None:
    receiving.start()
    signed = receiving.sinch.sign(notify(), datetime.now(UTC) + timedelta(minutes=minutes))
    refused(receiving, requests.post(receiving.url, data=notify(), headers=signed, timeout=30), 403, "stale")


@pytest.mark.parametrize("spaces", [" ", "   "])
def test_a_callback_that_was_listened_to_gets_no_second_answer(receiving: Receiving, spaces: str) -> None:
    receiving.start()
    body = json.dumps(bodies.ICE).encode()
    signed = receiving.sinch.sign(body)
    assert requests.post(receiving.url, data=body, headers=signed, timeout=30).status_code == 200
    signed["Authorization"] = signed["Authorization"].replace("application ", f"APPLICATION{spaces}")
    again = requests.post(receiving.url, data=body, headers=signed, timeout=30)
    assert (again.status_code, again.content) == (403, b"")
    assert receiving.kept() == [body]
    assert receiving.counted["sinch/replayed"] == 1


def test_what_was_not_kept_may_come_again(receiving: Receiving) -> None:
    receiving.start()
    inbox = receiving.break_inbox()
    body = notify()
    signed = receiving.sinch.sign(body)
    assert requests.post(receiving.url, data=body, headers=signed, timeout=30).status_code == 503
    inbox.unlink()
    assert requests.post(receiving.url, data=body, headers=signed, timeout=30).status_code == 200
    assert receiving.kept() == [body]
    assert receiving.counted == {"sinch/not_kept": 1, "sinch/accepted": 1}


def test_a_notification_that_is_signed_anew_is_another_one(receiving: Receiving) -> None:
    receiving.start()
    answers = [receiving.post(notify(), **receiving.sinch.sign(notify(), at)) for at in two_moments()]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert receiving.kept() == [notify(), notify()]


def two_moments() -> list[datetime]:
    now = datetime.now(UTC)
    return [now - timedelta(seconds=2), now]


def test_people_can_talk_while_the_lake_cannot_be_written(receiving: Receiving) -> None:
    receiving.start()
    receiving.break_inbox()
    receiving.sinch.place_call(10)
    assert [sent.status for sent in receiving.sinch.sent] == [200, 200, 503, 503, 503]
    assert [made.seconds for made in receiving.sinch.recordings] == [12]
    assert receiving.counted == {"not_kept": 2, "recorded": 1, "sinch/not_kept": 3}


def test_people_can_talk_while_the_lake_does_not_answer(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinch_webhook, "KEEPING_SECONDS", 1.0)
    # Takes connections, and never answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )
        receiving.start(lake=S3Storage(client, "lake"))
        answer = receiving.post(json.dumps(bodies.ICE).encode())
    assert answer.json()["action"] == {"name": "connectPstn"}
    assert receiving.counted == {"not_kept": 1, "recorded": 1}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"event": "notify"}', b'{"event": "notify", "callid": "c"}', b'{"callid": "c"}']
)
def test_what_is_no_callback_is_refused(receiving: Receiving, body: bytes) -> None:
    receiving.start()
    refused(receiving, receiving.post(body), 400, "malformed")


def test_a_body_that_is_too_long_is_refused(receiving: Receiving) -> None:
    receiving.start()
    refused(receiving, receiving.post(notify(custom="x" * (1 << 18))), 413, "oversized")
    pieces = iter([b"x" * (1 << 16)] * 5)
    headers = receiving.sinch.sign(b"")
    assert requests.post(receiving.url, data=pieces, headers=headers, timeout=30).status_code == 413


def test_a_new_connection_or_secret_counts_at_once(receiving: Receiving) -> None:
    known, receiving.applications = receiving.applications, {}
    receiving.start()
    assert receiving.post(notify()).status_code == 403
    receiving.applications = known
    # The old reading is a second old by the time that it is asked again.
    statuses = [403]
    while statuses[-1] == 403:
        statuses.append(receiving.post(notify(custom=uuid.uuid4().hex)).status_code)
    assert statuses[-1] == 200


def test_several_applications_are_told_apart(receiving: Receiving, s3_endpoint: str) -> None:
    with run_sinch_sandbox(s3_endpoint) as other:
        options = RecordingOptions(S3Destination("another-bucket"), CREDENTIALS)
        receiving.applications[other.key] = ConnectedApplication(Application(other.key, other.secret), options)
        receiving.start()
        other.call_back_to(receiving.url)
        answer = other.send(bodies.ICE).answer
    assert answer["instructions"][0]["options"]["destinationUrl"] == "s3://another-bucket/"


def test_callbacks_are_passed_on_and_the_answers_back(receiving: Receiving, team: Listening, s3_bucket: str) -> None:
    receiving.start(passing_on=PassingOn(team.url))
    theirs = {"destinationUrl": f"s3://{s3_bucket}/theirs/", "credentials": CREDENTIALS.reveal()}
    team.answers = [
        {"instructions": [{"name": "startRecording", "options": theirs}], "action": {"name": "connectPstn"}},
        {"action": {"name": "continue"}},
    ]
    receiving.sinch.place_call(10)

    (made,) = receiving.sinch.recordings
    assert made.key.startswith("theirs/")
    assert team.contents == [sent.content for sent in receiving.sinch.sent] == receiving.kept()
    assert receiving.counted == {"sinch/accepted": 5, "passed_on": 5}
    # Their own check of the signature still works.
    application = Application(receiving.sinch.key, receiving.sinch.secret)
    for content, headers in zip(team.contents, team.headers, strict=True):
        verify({application.key: application}, "POST", "/sinch/callback", headers, content, datetime.now(UTC))
    sent = receiving.sinch.sent[0].headers
    assert team.headers[0]["x-timestamp"] == sent["x-timestamp"]
    assert team.headers[0]["content-type"] == sent["Content-Type"]


def test_under_the_same_path_the_signature_is_passed_on_as_it_came(receiving: Receiving, team: Listening) -> None:
    receiving.start(passing_on=PassingOn(team.url.replace("/sinch/callback", PATH)))
    sent = receiving.sinch.send(bodies.DICE)
    assert team.headers[0]["authorization"] == sent.headers["Authorization"]


def test_an_answer_of_theirs_is_given_as_it_is(receiving: Receiving, team: Listening) -> None:
    receiving.start(passing_on=PassingOn(team.url))
    team.status = 404
    team.answers = [{"because": "ä"}]
    answer = receiving.post(json.dumps(bodies.PIE).encode())
    assert (answer.status_code, answer.content) == (404, b'{"because": "\\u00e4"}')
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("stands_in", [False, True])
def test_where_they_fail_the_setting_says_what_is_answered(
    receiving: Receiving, team: Listening, stands_in: bool
) -> None:
    receiving.start(passing_on=PassingOn(team.url), stands_in=stands_in)
    team.status = 500
    receiving.sinch.place_call(10)
    assert len(receiving.sinch.recordings) == stands_in
    assert json.loads(receiving.kept()[-1])["result"] == ("ANSWERED" if stands_in else "FAILED")
    assert {sent.status for sent in receiving.sinch.sent} == ({200} if stands_in else {500})
    assert receiving.counted["not_passed_on"] == len(receiving.sinch.sent)


def test_where_they_cannot_be_reached_sinch_hears_of_it(receiving: Receiving) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    receiving.start(passing_on=PassingOn(f"http://127.0.0.1:{port}/callback"))
    assert receiving.post(notify()).status_code == 502
    assert receiving.kept() == [notify()]


def test_they_are_not_waited_for_as_long_as_they_like(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing_on, "ANSWER_SECONDS", 1.0)
    # Takes the connection, and never answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/callback"
        receiving.start(passing_on=PassingOn(url), stands_in=True)
        answer = receiving.post(json.dumps(bodies.ICE).encode())
    assert answer.json()["action"] == {"name": "connectPstn"}
    assert receiving.counted["not_passed_on"] == 1


def test_no_secret_is_in_a_log_or_in_the_inbox(
    receiving: Receiving, team: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiving.start()
    receiving.sinch.place_call(1)
    receiving.post(b"{")
    receiving.post(notify(), Authorization="application another:AAAA")
    files = [path.read_text() for path in Path(receiving.lake.url).rglob("*") if path.is_file()]
    receiving.break_inbox()
    receiving.start(passing_on=PassingOn(team.url), stands_in=True)
    team.status = 500
    receiving.sinch.place_call(1)

    written = "\n".join([caplog.text, *files, *(repr(one) for one in receiving.applications.values())])
    assert "is answered, but its ice was not kept in time" in written
    secrets = [CREDENTIALS.secret_access_key, receiving.sinch.secret]
    signatures = [sent.headers["Authorization"].rpartition(":")[2] for sent in receiving.sinch.sent]
    assert [secret for secret in (*secrets, *signatures) if secret in written] == []


_DIES_TELLING = """
import os, sys
from pathlib import Path
import uvicorn
from fastapi import FastAPI
from voxlake.lake.local import LocalStorage
from voxlake.sinch.answers import CallPolicy
from voxlake.sinch.signature import Application
from voxlake.web.sinch_webhook import ConnectedApplication, SinchCallbacks
from voxlake.web.webhooks import create_webhooks

lake, key, secret, descriptor = sys.argv[1:]
application = ConnectedApplication(Application(key, secret), None)

def tell():
    sys.stdin.read()
    os._exit(9)

sinch = SinchCallbacks(lambda: {key: application}, CallPolicy(), tell, lambda what: None)
root = FastAPI()
root.mount("/voxlake-webhooks", create_webhooks(
    lambda: LocalStorage(Path(lake)), lambda: "", lambda: None, lambda *_: None, sinch))
uvicorn.run(root, fd=int(descriptor), lifespan="off", log_level="warning")
"""


def test_a_server_that_dies_before_it_tells_airflow_has_lost_nothing(receiving: Receiving, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        receiving.url = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
        receiving.sinch.call_back_to(receiving.url)
        arguments = [str(tmp_path / "lake"), receiving.sinch.key, receiving.sinch.secret, str(listener.fileno())]
        command = [sys.executable, "-c", _DIES_TELLING, *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listener.fileno()])
        headers = receiving.sinch.sign(notify())
        answer = requests.post(receiving.url, data=notify(), headers=headers, timeout=120)
        process.communicate(timeout=120)
    assert (answer.status_code, process.returncode) == (200, 9)
    assert names(receiving.kept()) == ["recording_available"]


def refused(receiving: Receiving, answer: requests.Response, status: int, reason: str) -> None:
    assert answer.status_code == status
    assert answer.content == b""
    assert receiving.counted == {f"sinch/{reason}": 1}
    assert receiving.kept() == []
