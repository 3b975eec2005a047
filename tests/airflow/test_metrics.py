"""Metrics as they leave this process: Airflow's own StatsD client, a real socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

from sandbox.ringcentral import Fault, QuotaLimit, Sandbox, SandboxConfig
from tests.airflow.conftest import Connect
from tests.airflow.test_steps import CONTEXT, MIX, QUOTAS, recordings_of
from tests.conftest import NOON, StartSandbox
from voxlake.airflow import metrics, steps
from voxlake.archive.deadlines import Backlog
from voxlake.archive.publish import Published, SessionsFailedError
from voxlake.ringcentral.grants import Grant
from voxlake.ringcentral.transport import Tally
from voxlake.settings import get_settings

Received = Callable[[], dict[str, list[str]]]

# Sent by the API server, and by the DAG that keeps the subscription.
OF_EVENTS = {metrics.WEBHOOK_ACCEPTED, metrics.WEBHOOK_REFUSED, metrics.SINCH_ANSWERS, metrics.SILENT}
GRANT = Grant("a" * 32, "heavy", 10, 60.0, 7, 12.5, 0.4)
NOTHING = Published(sessions=0, recordings={}, merged=0, failed={})
TAGS = {"dag_id": "ringcentral_recordings", "task_id": "session.download"}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setblocking(False)
        yield listening


@pytest.fixture
def received(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """What has been sent since the last call: the values by name. Airflow is set up as in a task's process."""
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(listener.getsockname()[1]))
    stats.initialize(factory=get_stats_factory(), export_legacy_names=True)

    def sent() -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        while True:
            try:
                name, _, value = listener.recv(1 << 16).decode().partition(":")
            except BlockingIOError:
                return values
            values.setdefault(name, []).append(value)

    yield sent
    stats.initialize(factory=NoStatsLogger, export_legacy_names=True)


@pytest.fixture
def ringcentral(start_sandbox: StartSandbox, connect: Connect) -> Sandbox:
    """A company with few calls, each of one recording, as the connection `ringcentral_default`."""
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=MIX, quotas=QUOTAS))
    connect(sandbox.connection())
    return sandbox


def total(sent: dict[str, list[str]], name: str) -> float:
    """The sum of a counter's or a timer's values."""
    return sum(float(value.partition("|")[0]) for value in sent[f"airflow.{name}"])


def last(sent: dict[str, list[str]], name: str) -> float:
    """What a gauge holds in the end."""
    value, kind = sent[f"airflow.{name}"][-1].split("|")
    assert kind == "g"
    return float(value)


def test_a_run_sends_what_it_did_and_what_is_left_to_do(
    ringcentral: Sandbox, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXLAKE_RECORDING_RETENTION", "P3650D")
    get_settings.cache_clear()
    [sessions] = steps.land(steps.extract(CONTEXT), 1, CONTEXT)
    [[gone], [broken], *others] = [recordings_of(session) for session in sessions]
    ringcentral.faults.add(Fault("content", "not_found", id=gone))
    ringcentral.faults.add(Fault("content", "html", id=broken))
    with pytest.raises(Exception, match="an HTML page"):
        steps.download(sessions, CONTEXT)
    steps.merge(sessions, CONTEXT)
    with pytest.raises(SessionsFailedError):
        steps.publish([sessions], CONTEXT)

    sent = received()
    assert set(sent) == {
        f"airflow.{metric.name}".replace("<group>", group)
        for metric in metrics.METRICS
        if metric not in OF_EVENTS
        for group in (("auth", "heavy") if "<group>" in metric.name else ("",))
    }
    for metric in set(metrics.METRICS) - OF_EVENTS:
        kind = {"counter": "c", "gauge": "g", "timer": "ms"}[metric.kind]
        values = sent[f"airflow.{metric.name}".replace("<group>", "heavy")]
        assert {value.partition("|")[2] for value in values} == {kind}, metric.name
    assert total(sent, "voxlake.requests") == len(ringcentral.requests)
    assert total(sent, "voxlake.requests_refused") == 0
    fetched = sum(len(ringcentral.content_of(recording)) for [recording] in others)
    assert fetched < total(sent, "voxlake.received") < fetched + 100_000
    assert total(sent, "voxlake.recordings.downloaded") == len(others)
    assert total(sent, "voxlake.recordings.unavailable") == 1
    assert total(sent, "voxlake.recordings.failed") == 1
    assert total(sent, "voxlake.sessions.merged") == len(others)
    assert total(sent, "voxlake.sessions.not_whole") == 1
    assert last(sent, "voxlake.quota.heavy.limit") == 6000
    assert last(sent, "voxlake.quota.heavy.per_second") == 100
    assert last(sent, "voxlake.quota.heavy.used") == len([one for one in ringcentral.requests if one.group == "heavy"])
    assert last(sent, "voxlake.quota.heavy.blocked") == 0
    assert last(sent, "voxlake.backlog.recordings") == 1
    (call,) = [call for call in ringcentral.truth(NOON - timedelta(hours=2), NOON).recordings if call.id == broken]
    age = (datetime.now(UTC) - call.start_time).total_seconds()
    assert last(sent, "voxlake.backlog.oldest") == pytest.approx(age, abs=60)
    assert last(sent, "voxlake.backlog.at_risk") == 0


def test_a_task_that_fails_sends_what_it_did(ringcentral: Sandbox, connect: Connect, received: Received) -> None:
    connect(ringcentral.connection() | {"password": "not-the-secret-at-all"})
    with pytest.raises(AirflowFailException):
        steps.extract(CONTEXT)
    assert total(received(), "voxlake.requests") == len(ringcentral.requests) == 1


def test_a_task_that_gives_its_slot_back_sends_what_it_did(
    start_sandbox: StartSandbox, connect: Connect, received: Received
) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=MIX, quotas={"heavy": QuotaLimit(2), "auth": QuotaLimit(50)}))
    connect(sandbox.connection())
    [sessions] = steps.land(steps.extract(CONTEXT), 1, CONTEXT)
    before = len(sandbox.requests)
    received()
    with pytest.raises(AirflowRescheduleException):
        steps.download(sessions, CONTEXT)
    assert total(received(), "voxlake.requests") == len(sandbox.requests) - before == 1


def test_a_penalty_and_a_wait_are_sent(received: Received) -> None:
    metrics.send_requests(Tally(requests=3, refused=1, waited=1.5, received=10), [GRANT], TAGS)
    sent = received()
    assert total(sent, "voxlake.requests_refused") == 1
    assert sent["airflow.voxlake.waited"] == ["1500.000000|ms"]
    assert last(sent, "voxlake.quota.heavy.used") == 7
    assert last(sent, "voxlake.quota.heavy.blocked") == 12.5


def test_what_became_of_webhook_requests_is_counted_by_reason(
    monkeypatch: pytest.MonkeyPatch, received: Received
) -> None:
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    metrics.count_webhook("ringcentral", "accepted")
    metrics.count_webhook("ringcentral", "forged")
    metrics.count_sinch_answer("recorded")
    metrics.send_silence(timedelta(minutes=2))
    metrics.send_silence(None)
    assert received() == {
        "airflow.voxlake.webhook.accepted,provider=ringcentral": ["1|c"],
        "airflow.voxlake.webhook.refused,provider=ringcentral,reason=forged": ["1|c"],
        "airflow.voxlake.sinch.answers,outcome=recorded": ["1|c"],
        "airflow.voxlake.events.silent": ["120.0|g"],
    }


def test_an_empty_backlog_has_no_age(received: Received) -> None:
    metrics.send_published(NOTHING, Backlog(0, 0, None, None), datetime.now(UTC), {"dag_id": "ringcentral_reconcile"})
    assert last(received(), "voxlake.backlog.oldest") == 0


def test_tags_tell_the_task_and_the_credential_where_airflow_sends_tags(
    monkeypatch: pytest.MonkeyPatch, received: Received
) -> None:
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    metrics.send_requests(Tally(requests=3), [GRANT], TAGS)
    metrics.send_published(NOTHING, Backlog(0, 0, None, None), datetime.now(UTC), {"dag_id": "ringcentral_reconcile"})
    tags_of = {name.split(",")[0]: dict(tag.split("=") for tag in name.split(",")[1:]) for name in received()}
    for metric in set(metrics.METRICS) - OF_EVENTS:
        tags = tags_of[f"airflow.{metric.name}".replace("<group>", "heavy")]
        assert set(tags) == set(metric.tags), metric.name
        assert tags.get("dag_id") in {None, "ringcentral_recordings", "ringcentral_reconcile"}
        assert tags.get("credential") in {None, GRANT.credential}
