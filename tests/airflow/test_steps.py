"""The steps as the tasks call them: with a connection of the environment, over HTTP, into a local lake."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from sandbox.ringcentral import CallMix, Fault, QuotaLimit, Sandbox, SandboxConfig
from sandbox.ringcentral.config import Group
from tests.airflow.conftest import Connect
from tests.conftest import NOON, StartSandbox
from voxlake.airflow import steps
from voxlake.airflow.hook import shared_state
from voxlake.archive.download import RecordingsFailedError
from voxlake.archive.publish import SessionsFailedError
from voxlake.settings import get_settings

START = NOON - timedelta(hours=2)
MIX = CallMix(calls_per_day=48, recorded_share=1, transferred_share=0, leg_seconds=(30, 31))
QUOTAS: dict[Group, QuotaLimit] = {"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)}

CONTEXT: dict[str, Any] = {
    "params": {"start": START.isoformat(), "end": NOON.isoformat()},
    "run_id": "manual__1",
    "dag_run": SimpleNamespace(run_type="manual", dag_id="ringcentral_recordings", start_date=datetime.now(UTC)),
    "ti": SimpleNamespace(try_number=1, task_id="task", map_index=-1),
}


@pytest.fixture
def ringcentral(start_sandbox: StartSandbox, connect: Connect) -> Sandbox:
    """A company with few calls, each of one recording, as the connection `ringcentral_default`."""
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=MIX, quotas=QUOTAS))
    connect(sandbox.connection())
    return sandbox


@pytest.fixture
def sessions(ringcentral: Sandbox) -> list[dict[str, Any]]:
    """The sessions that `land` plans, in the order they began."""
    planned = [session for batch in steps.land(steps.extract(CONTEXT), 1024, CONTEXT) for session in batch]
    assert len(planned) >= 3
    return planned


def recordings_of(session: dict[str, Any]) -> list[str]:
    recordings: list[str] = session["recording_ids"]
    return recordings


def held(lake: Path) -> set[str]:
    return {file.stem for file in (lake / "audio" / "recordings").rglob("*.mp3")}


def test_the_steps_hand_each_other_what_archives_the_window(ringcentral: Sandbox, tmp_path: Path) -> None:
    truth = ringcentral.truth(START, NOON)
    wanted = {session.telephony_session_id for session in truth.sessions if session.recordings}

    batches = steps.land(steps.extract(CONTEXT), 2, CONTEXT)
    for batch in batches:
        steps.download(batch, CONTEXT)
    merged = [path for batch in batches for path in steps.merge(batch, CONTEXT)]
    steps.publish(batches, CONTEXT)

    assert len(batches) == 2
    assert {Path(path).stem for path in merged} == wanted
    assert all((tmp_path / "lake" / path).is_file() for path in merged)
    assert held(tmp_path / "lake") == {recording.id for recording in truth.recordings}
    assert steps.land(steps.extract(CONTEXT), 2, CONTEXT) == [], "nothing is left to do"


def test_a_session_that_fails_does_not_hold_back_the_next(
    ringcentral: Sandbox, sessions: list[dict[str, Any]], tmp_path: Path
) -> None:
    [broken] = recordings_of(sessions[0])
    ringcentral.faults.add(Fault("content", "html", id=broken))

    with pytest.raises(RecordingsFailedError, match=f"recording {broken}: .*an HTML page"):
        steps.download(sessions, CONTEXT)

    assert held(tmp_path / "lake") == {recording for session in sessions[1:] for recording in recordings_of(session)}


def test_all_that_failed_is_told_at_the_end(
    ringcentral: Sandbox, sessions: list[dict[str, Any]], tmp_path: Path
) -> None:
    broken = [recordings_of(session)[0] for session in (sessions[0], sessions[-1])]
    for recording in broken:
        ringcentral.faults.add(Fault("content", "html", id=recording))

    with pytest.raises(ExceptionGroup, match=f"^2 of {len(sessions)} sessions failed") as raised:
        steps.download(sessions, CONTEXT)

    assert [type(error) for error in raised.value.exceptions] == [RecordingsFailedError] * 2
    assert all(recording in str(error) for recording, error in zip(broken, raised.value.exceptions, strict=True))
    assert len(held(tmp_path / "lake")) == len(sessions) - 2


def test_publish_ends_the_run_failed_and_names_the_session(
    ringcentral: Sandbox, sessions: list[dict[str, Any]]
) -> None:
    ringcentral.faults.add(Fault("content", "html", id=recordings_of(sessions[0])[0]))
    with pytest.raises(RecordingsFailedError):
        steps.download(sessions, CONTEXT)
    steps.merge(sessions, CONTEXT)

    with pytest.raises(SessionsFailedError, match=rf"1 of {len(sessions)} sessions .*\n  .*an HTML page") as raised:
        steps.publish([sessions], CONTEXT)

    assert sessions[0]["telephony_session_id"] in str(raised.value)


def test_a_used_up_quota_stops_the_batch_at_once(start_sandbox: StartSandbox, connect: Connect, tmp_path: Path) -> None:
    # One for the call log, one for the first recording.
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=MIX, quotas={"heavy": QuotaLimit(2), "auth": QuotaLimit(50)}))
    connect(sandbox.connection())
    [sessions] = steps.land(steps.extract(CONTEXT), 1, CONTEXT)

    with pytest.raises(AirflowRescheduleException):
        steps.download(sessions, CONTEXT)

    assert len(sessions) >= 3
    assert held(tmp_path / "lake") == set(recordings_of(sessions[0]))
    assert [entry.status for entry in sandbox.requests if entry.group == "heavy"] == [200, 200]


@pytest.mark.parametrize(
    ("dag_id", "run_type"),
    [
        ("ringcentral_recordings", "manual"),
        ("ringcentral_recordings", "backfill"),
        ("ringcentral_session_events", "asset_triggered"),
    ],
)
def test_a_task_that_waits_has_its_place_in_the_line_by_its_name_and_what_it_fetches(
    start_sandbox: StartSandbox, connect: Connect, tmp_path: Path, dag_id: str, run_type: str
) -> None:
    # One for the call log.
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=MIX, quotas={"heavy": QuotaLimit(1), "auth": QuotaLimit(50)}))
    connect(sandbox.connection())
    [sessions] = steps.land(steps.extract(CONTEXT), 1, CONTEXT)
    run = SimpleNamespace(run_type=run_type, dag_id=dag_id)

    with pytest.raises(AirflowRescheduleException):
        steps.download(sessions, {**CONTEXT, "dag_run": run})

    [key] = shared_state().keys("quota-")
    [(name, waiter)] = json.loads(shared_state().read(key) or b"")["lines"]["heavy"].items()
    first = min(pq.read_table(tmp_path / "lake" / "tables" / "recordings")["start_time"].to_pylist())
    assert name == f"{dag_id}.manual__1.task.-1"
    assert waiter["rank"] == {
        "media": True,
        "backfill": run_type == "backfill",
        "routine": dag_id == "ringcentral_recordings",
        "started": first.timestamp(),
    }


def test_further_connections_take_their_share_of_a_batch(
    start_sandbox: StartSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quotas: dict[Group, QuotaLimit] = {"heavy": QuotaLimit(5), "auth": QuotaLimit(50)}
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=MIX, quotas=quotas, users=3))
    connect(sandbox.connection())
    for user in (1, 2):
        monkeypatch.setenv(f"AIRFLOW_CONN_RINGCENTRAL_DEFAULT__{user + 1}", json.dumps(sandbox.connection(user)))
    [sessions] = steps.land(steps.extract(CONTEXT), 1, CONTEXT)
    assert 5 < len(sessions) <= 11, "more than one user is granted, beside three questions whose account it is"

    steps.download(sessions, CONTEXT)

    assert held(tmp_path / "lake") == {recording for session in sessions for recording in recordings_of(session)}
    assert {entry.status for entry in sandbox.requests if entry.group == "heavy"} == {200}


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ({"app_scopes": ("ReadAccounts",)}, "ReadCallLog"),
        ({"user_permissions": ("ReadCallLog",)}, "FullCompanyCallLog"),
    ],
)
def test_a_call_log_that_may_not_be_read_fails_the_task_and_names_the_connection(
    start_sandbox: StartSandbox, connect: Connect, granted: dict[str, Any], missing: str
) -> None:
    connect(start_sandbox(SandboxConfig(now=NOON, **granted)).connection())

    with pytest.raises(AirflowFailException, match=rf"^Connection ringcentral_default: .* {missing} is missing"):
        steps.extract(CONTEXT)


def test_recordings_that_may_not_be_read_stop_the_batch_at_once(start_sandbox: StartSandbox, connect: Connect) -> None:
    scopes = ("ReadAccounts", "ReadCallLog")
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=MIX, quotas=QUOTAS, app_scopes=scopes))
    connect(sandbox.connection())
    [sessions] = steps.land(steps.extract(CONTEXT), 1, CONTEXT)

    with pytest.raises(AirflowFailException, match=r"^Connection ringcentral_default: .* ReadCallRecording is missing"):
        steps.download(sessions, CONTEXT)

    assert len(sessions) >= 3
    assert [entry.status for entry in sandbox.requests if entry.group == "heavy"] == [200, 403]


def test_a_refused_login_names_the_connection(ringcentral: Sandbox, connect: Connect) -> None:
    connect(ringcentral.connection() | {"password": "not-the-secret-at-all"})

    with pytest.raises(AirflowFailException, match=r"^Connection ringcentral_default: .*OAU-146") as raised:
        steps.extract(CONTEXT)

    assert "not-the-secret-at-all" not in str(raised.value)


def test_sessions_of_which_nothing_is_held_are_skipped_by_the_merge(sessions: list[dict[str, Any]]) -> None:
    with pytest.raises(AirflowSkipException, match="nothing to merge"):
        steps.merge(sessions, CONTEXT)


def test_without_a_plan_there_is_nothing_to_publish() -> None:
    with pytest.raises(AirflowFailException, match="a task before failed, so there is nothing to publish"):
        steps.publish(None, CONTEXT)


def test_a_window_without_calls_is_published_as_such() -> None:
    steps.publish([], CONTEXT)


def scheduled(start: datetime, end: datetime) -> dict[str, Any]:
    """The context of a run of the schedule."""
    interval = {"data_interval_start": start, "data_interval_end": end}
    return (
        CONTEXT
        | interval
        | {"params": {}, "dag_run": SimpleNamespace(run_type="scheduled", dag_id="ringcentral_recordings")}
    )


def test_a_call_that_ends_after_its_hour_is_archived_by_a_later_run(
    start_sandbox: StartSandbox, connect: Connect, tmp_path: Path
) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=CallMix(calls_per_day=4000), quotas=QUOTAS))
    connect(sandbox.connection())
    hour = timedelta(hours=1)
    steps.land(steps.extract(scheduled(NOON - hour, NOON)), 1, CONTEXT)
    first = calls_in(tmp_path / "lake")
    # As late as a run that is cleared once an outage is over.
    sandbox.clock.advance(timedelta(hours=9).total_seconds())
    late = {call.id for call in sandbox.truth(NOON - hour, NOON).calls} - first
    assert late, "a sandbox without a call that crosses the hour proves nothing"
    steps.land(steps.extract(scheduled(NOON, NOON + hour)), 1, CONTEXT)

    assert first | {call.id for call in sandbox.truth(NOON - hour, NOON + hour).calls} <= calls_in(tmp_path / "lake")


def calls_in(lake: Path) -> set[str]:
    return set(pq.read_table(lake / "tables" / "calls", columns=["call_id"])["call_id"].to_pylist())


def test_a_recording_that_is_not_there_yet_gives_the_slot_back_and_holds_back_no_other(
    ringcentral: Sandbox, sessions: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    monkeypatch.setenv("VOXLAKE_RECORDING_WAIT", f"PT{(now - START).total_seconds() + 3600:.0f}S")
    monkeypatch.setenv("VOXLAKE_RECORDING_RETENTION", "P3650D")
    get_settings.cache_clear()
    [not_there, *_] = recordings_of(sessions[0])
    ringcentral.faults.add(Fault("content", "not_found", id=not_there, times=1))

    with pytest.raises(AirflowRescheduleException) as raised:
        steps.download(sessions, CONTEXT)

    assert now + timedelta(minutes=1) <= raised.value.reschedule_date <= now + timedelta(minutes=16)
    others = {recording for session in sessions for recording in recordings_of(session)} - {not_there}
    assert held(tmp_path / "lake") == others

    steps.download(sessions, CONTEXT)
    steps.merge(sessions, CONTEXT)
    steps.publish([sessions], CONTEXT)
    assert held(tmp_path / "lake") == others | {not_there}


def test_a_recording_that_fails_takes_the_wait_from_no_other(
    ringcentral: Sandbox, sessions: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXLAKE_RECORDING_WAIT", "P3650D")
    monkeypatch.setenv("VOXLAKE_RECORDING_RETENTION", "P3650D")
    get_settings.cache_clear()
    [not_there, *_], [broken, *_] = recordings_of(sessions[0]), recordings_of(sessions[1])
    ringcentral.faults.add(Fault("content", "not_found", id=not_there, times=1))
    ringcentral.faults.add(Fault("content", "html", id=broken))

    with pytest.raises(AirflowRescheduleException):
        steps.download(sessions, CONTEXT)
    with pytest.raises(RecordingsFailedError, match=f"recording {broken}: .*an HTML page"):
        steps.download(sessions, CONTEXT)

    assert held(tmp_path / "lake") == {one for session in sessions for one in recordings_of(session)} - {broken}


@pytest.mark.parametrize(("max_wait", "read_whole"), [(0.3, False), (10.0, True)])
def test_a_read_of_more_pages_than_the_quota_grants_at_once_waits_in_place(
    start_sandbox: StartSandbox,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    max_wait: float,
    read_whole: bool,
) -> None:
    quotas: dict[Group, QuotaLimit] = {"heavy": QuotaLimit(3, window=1), "auth": QuotaLimit(50)}
    sandbox = start_sandbox(
        SandboxConfig(now=NOON, mix=CallMix(calls_per_day=60), quotas=quotas, detailed_per_page_cap=2)
    )
    connect(sandbox.connection())
    monkeypatch.setattr(steps, "EXTRACT_MAX_WAIT", max_wait)

    if read_whole:
        [folder] = steps.extract(CONTEXT)
        pages = len(list((tmp_path / "lake" / folder).iterdir()))
        assert pages > 3, "a window within the quota proves nothing"
        assert pages == sum(entry.path.endswith("/call-log") for entry in sandbox.requests)
    else:
        with pytest.raises(AirflowRescheduleException):
            steps.extract(CONTEXT)
    assert {entry.status for entry in sandbox.requests} == {200}


def for_sessions(*telephony_session_ids: str, **params: Any) -> dict[str, Any]:
    return CONTEXT | {"params": {"telephony_session_ids": list(telephony_session_ids), **params}, "run_id": "manual__2"}


def test_a_run_for_one_session_tries_just_what_failed_and_reads_no_call_log(
    ringcentral: Sandbox, sessions: list[dict[str, Any]], tmp_path: Path
) -> None:
    broken = [recordings_of(session)[0] for session in sessions[:2]]
    for recording in broken:
        ringcentral.faults.add(Fault("content", "html", id=recording))
    with pytest.raises(ExceptionGroup):
        steps.download(sessions, CONTEXT)
    steps.merge(sessions, CONTEXT)
    with pytest.raises(SessionsFailedError, match=r"^2 of"):
        steps.publish([sessions], CONTEXT)
    ringcentral.faults.clear()
    before = len(ringcentral.requests)

    session = sessions[0]["telephony_session_id"]
    context = for_sessions(session, session)
    batches = steps.land(steps.extract(context), 1024, context)
    [[planned]] = batches
    steps.download([planned], context)
    [path] = steps.merge([planned], context)
    steps.publish(batches, context)

    assert planned["telephony_session_id"] == session
    assert Path(path).stem == session
    asked = [entry.path for entry in ringcentral.requests[before:] if entry.group == "heavy"]
    assert len(asked) == 1
    assert broken[0] in asked[0]
    rows = pq.read_table(tmp_path / "lake" / "tables" / "sessions").to_pylist()
    made_by = {row["telephony_session_id"]: row["made_by"] for row in rows}
    assert made_by.pop(session) == "ringcentral_recordings/manual__2/task/-1"
    assert set(made_by.values()) == {"ringcentral_recordings/manual__1/task/-1"}
    # The next one is whole by now, so there is nothing to do for it.
    assert steps.land(steps.extract(context), 1024, context) == []


def test_a_run_for_sessions_that_the_lake_does_not_know_names_them(
    ringcentral: Sandbox, sessions: list[dict[str, Any]]
) -> None:
    context = for_sessions(sessions[0]["telephony_session_id"], "s-unknown")
    with pytest.raises(AirflowFailException, match=r"no recording of s-unknown; leave these out"):
        steps.land(steps.extract(context), 1024, context)


def test_a_run_is_for_a_window_or_for_sessions(ringcentral: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="`start` and `end` go without `telephony_session_ids`"):
        steps.extract(for_sessions("s-1", start=START.isoformat(), end=NOON.isoformat()))
