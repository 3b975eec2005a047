"""A call ends, RingCentral tells of it, and the session is archived without the call log of its hour."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, Session
from sandbox.ringcentral.telephony_events import TelephonyEvent
from sandbox.served import served
from tests.conftest import StartSandbox
from tests.end_to_end.conftest import RunDag, rows
from voxlake.airflow import session_steps
from voxlake.airflow.hook import RingCentralHook
from voxlake.archive import open_sessions
from voxlake.archive.open_sessions import OpenSession
from voxlake.archive.session_events import Listed, complete
from voxlake.archive.subscription import Wanted, keep_subscribed
from voxlake.lake.schemas import RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings
from voxlake.web.webhooks import create_webhooks

# By the real time, as the receiver takes no notification of another day.
CONFIG = SandboxConfig(
    quotas={"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)},
    mix=CallMix(calls_per_day=300, conversation_share=0.3),
    audio_format="mixed",
)

EVENTS_DAG = "ringcentral_session_events"
HOUR = timedelta(hours=1)

Order = Callable[[list[TelephonyEvent]], list[TelephonyEvent]]


@pytest.fixture
def subscribed(start_sandbox: StartSandbox, lake: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that tells a receiver of its calls."""
    # Its calls have been over for a while when they are told of.
    monkeypatch.setattr(open_sessions, "FIRST_LOOK", timedelta())
    sandbox = start_sandbox(CONFIG)
    monkeypatch.setenv("AIRFLOW_CONN_RINGCENTRAL_DEFAULT", sandbox.connection_json())
    (credentials,) = RingCentralHook().credentials(spread=False)
    root = FastAPI()
    root.mount(
        "/voxlake-webhooks",
        create_webhooks(lambda: lake, lambda: credentials.verification_token, lambda: None, lambda *_: None),
    )
    with served(root) as url, RingCentralHook().get_conn(spread=False) as client:
        address = f"{url}/voxlake-webhooks/ringcentral"
        wanted = Wanted(get_settings().event_filter, address, credentials.verification_token)
        keep_subscribed(client, lake, wanted, datetime.now(UTC))
        yield sandbox


def just_over(sandbox: Sandbox, is_wanted: Callable[[Session], bool] = lambda _: True) -> Session:
    """The last session with recordings that is over."""
    now = datetime.now(UTC)
    over = [one for one in sandbox.truth(now - 12 * HOUR, now - HOUR / 60).sessions if one.end_time < now]
    return next(one for one in reversed(over) if is_wanted(one))


def fetched(sandbox: Sandbox) -> list[str]:
    return [entry.path for entry in sandbox.requests if entry.path.endswith("/content")]


def as_sent(events: list[TelephonyEvent]) -> list[TelephonyEvent]:
    return events


def shuffled_and_repeated(events: list[TelephonyEvent]) -> list[TelephonyEvent]:
    sent = [*events, *events[::2]]
    random.Random(1).shuffle(sent)
    return sent


def without_some(events: list[TelephonyEvent]) -> list[TelephonyEvent]:
    """Nothing is told of the middle."""
    return [
        event for event in events if event.body["parties"][0]["status"]["code"] in ("Setup", "Disconnected", "Gone")
    ]


@pytest.mark.parametrize("order", [as_sent, shuffled_and_repeated, without_some])
def test_a_session_that_is_over_is_archived_and_the_hourly_run_finds_it_whole(
    subscribed: Sandbox, lake: Storage, run_dag: RunDag, order: Order
) -> None:
    session = just_over(subscribed, lambda one: len(one.recordings) > 1)
    assert set(subscribed.send_events(session, order=order)) == {200}

    run = run_dag(subscribed, dag_id=EVENTS_DAG)

    assert run.state == "success"
    assert len(fetched(subscribed)) == len(session.recordings)
    (row,) = held(lake, session)
    assert row["status"] == "complete"
    assert row["recording_ids"] == [recording.id for recording in session.recordings]
    assert lake.version(row["audio_path"]) is not None

    hour = session.start_time.replace(minute=0, second=0, microsecond=0)
    before = len(fetched(subscribed))
    hourly = run_dag(subscribed, interval=(hour, hour + HOUR), run_type="backfill")
    assert hourly.state == "success"
    again = [path for path in fetched(subscribed)[before:] if any(one.id in path for one in session.recordings)]
    assert again == []
    assert held(lake, session) == [row]


def test_a_session_that_goes_on_is_left_alone_until_it_is_over(
    subscribed: Sandbox, lake: Storage, run_dag: RunDag
) -> None:
    session = just_over(subscribed)
    subscribed.send_events(session, order=lambda events: events[:-1])
    first = run_dag(subscribed, dag_id=EVENTS_DAG)
    assert (first.state, first.states("publish"), first.states("look_again")) == ("success", ["skipped"], ["skipped"])
    assert held(lake, session) == []
    assert [entry for entry in subscribed.requests if entry.path.endswith("/call-log")] == []

    subscribed.send_events(session, order=lambda events: events[-1:])
    assert run_dag(subscribed, dag_id=EVENTS_DAG).state == "success"
    assert len(held(lake, session)) == 1


def test_a_late_event_of_a_session_that_is_archived_makes_no_new_work(subscribed: Sandbox, run_dag: RunDag) -> None:
    session = just_over(subscribed)
    subscribed.send_events(session, order=lambda events: events[1:])
    run_dag(subscribed, dag_id=EVENTS_DAG)
    asked = len(subscribed.requests)
    subscribed.send_events(session, order=lambda events: events[:3])
    assert run_dag(subscribed, dag_id=EVENTS_DAG).state == "success"
    assert len(subscribed.requests) == asked


@pytest.mark.parametrize("param", ["telephony_session_id", "session_id"])
def test_one_session_by_hand(subscribed: Sandbox, lake: Storage, run_dag: RunDag, param: str) -> None:
    session = just_over(subscribed)
    given = {"telephony_session_id": session.telephony_session_id, "session_id": session.records[0].session_id}
    assert run_dag(subscribed, dag_id=EVENTS_DAG, **{param: given[param]}).state == "success"
    assert [row["status"] for row in held(lake, session)] == ["complete"]


def test_a_session_that_there_is_not_is_named(subscribed: Sandbox, run_dag: RunDag) -> None:
    run = run_dag(subscribed, dag_id=EVENTS_DAG, telephony_session_id="s-none")
    assert run.state == "failed"
    assert run.states("extract") == ["failed"]


def test_many_that_are_over_are_looked_for_in_one_stretch(subscribed: Sandbox, lake: Storage, run_dag: RunDag) -> None:
    now = datetime.now(UTC)
    sessions = [one for one in subscribed.truth(now - 3 * HOUR, now).sessions if one.end_time < now][:12]
    for session in sessions:
        subscribed.send_events(session)
    assert run_dag(subscribed, dag_id=EVENTS_DAG).state == "success"
    assert [len(held(lake, session)) for session in sessions] == [1] * len(sessions)
    pages = [entry for entry in subscribed.requests if entry.path.endswith("/call-log")]
    assert len(pages) <= 2


def held(lake: Storage, session: Session) -> list[dict[str, Any]]:
    found = rows(lake, SESSIONS, session.start_time - HOUR, session.end_time + HOUR)
    return [row for row in found if row["telephony_session_id"] == session.telephony_session_id]


def test_nothing_of_other_sessions_is_fetched(subscribed: Sandbox, lake: Storage, run_dag: RunDag) -> None:
    session = just_over(subscribed)
    subscribed.send_events(session)
    run_dag(subscribed, dag_id=EVENTS_DAG)
    found = rows(lake, RECORDINGS, session.start_time - HOUR, session.end_time + HOUR)
    assert {row["telephony_session_id"] for row in found} == {session.telephony_session_id}


def test_with_the_setting_recordings_come_before_their_call_is_listed(
    subscribed: Sandbox, lake: Storage, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXLAKE_EVENT_MEDIA", "id")
    get_settings.cache_clear()
    fetched_by_look: list[int] = []

    def late(sessions: Iterable[OpenSession], listed: dict[str, Listed]) -> list[str]:
        fetched_by_look.append(len(fetched(subscribed)))
        # As if the call log did not have it at the first look.
        return complete(sessions, listed) if len(fetched_by_look) > 1 else []

    monkeypatch.setattr(session_steps, "complete", late)
    session = just_over(subscribed, lambda one: len(one.recordings) > 1)
    assert set(subscribed.send_events(session)) == {200}

    assert run_dag(subscribed, dag_id=EVENTS_DAG).state == "success"

    assert fetched_by_look[:2] == [0, len(session.recordings)]
    assert len(fetched(subscribed)) == len(session.recordings)
    (row,) = held(lake, session)
    assert row["status"] == "complete"
