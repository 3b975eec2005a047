from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from end_to_end.conftest import CONFIG, Run, RunDag, rows
from end_to_end.truth import assert_lake_holds_the_truth, downloads

from sandbox.ringcentral import Fault, Sandbox, SandboxConfig
from voxlake.lake.schemas import CALLS, RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage

END = datetime(2026, 3, 4, 12, tzinfo=UTC)
START = END - timedelta(hours=24)
WINDOW = {"start": START.isoformat(), "end": END.isoformat()}

StartSandbox = Callable[[SandboxConfig], Sandbox]


def test_a_run_by_hand_archives_its_window_and_a_second_downloads_nothing(
    start_sandbox: StartSandbox, run_dag: RunDag, lake: Storage
) -> None:
    sandbox = start_sandbox(CONFIG)
    first = run_dag(sandbox, **WINDOW)
    assert first.state == "success"
    assert_lake_holds_the_truth(lake, sandbox, START, END)
    truth = sandbox.truth(START, END)
    assert len(downloads(sandbox)) == len(truth.recordings)
    assert_mapped_instances_are_named_after_their_session(first, sandbox)

    second = run_dag(sandbox, **WINDOW)
    assert second.state == "success"
    assert second.states("session.download") == ["skipped"]
    assert len(downloads(sandbox)) == len(truth.recordings)
    assert_lake_holds_the_truth(lake, sandbox, START, END)


def assert_mapped_instances_are_named_after_their_session(run: Run, sandbox: Sandbox) -> None:
    sessions = {session.telephony_session_id for session in sandbox.truth(START, END).sessions if session.recordings}
    for task_id in ("session.download", "session.merge"):
        named = {instance.rendered_map_index for (name, _), instance in run.tasks.items() if name == task_id}
        assert named == sessions


def test_one_session_that_fails_does_not_hold_back_the_others_and_the_run_says_which_and_why(
    start_sandbox: StartSandbox, run_dag: RunDag, lake: Storage, capfd: pytest.CaptureFixture[str]
) -> None:
    sandbox = start_sandbox(CONFIG)
    sessions = [session for session in sandbox.truth(START, END).sessions if session.recordings]
    broken = next(session for session in sessions if len(session.recordings) > 1)
    bad = broken.recordings[0]
    sandbox.faults.add(Fault("content", "html", id=bad.id))

    run = run_dag(sandbox, **WINDOW)

    assert run.state == "failed"
    assert sorted(run.states("session.download")) == ["failed", *["success"] * (len(sessions) - 1)]
    assert set(run.states("session.merge")) == {"success"}
    assert run.states("publish") == ["failed"]
    told = "".join(capfd.readouterr())
    assert f"1 of {len(sessions)} sessions are not archived whole; all others are" in told
    assert broken.telephony_session_id in told
    assert f"recording {bad.id}" in told
    recordings = {row["recording_id"]: row for row in rows(lake, RECORDINGS, START, END)}
    assert recordings[bad.id]["status"] == "failed"
    assert "text/html" in recordings[bad.id]["error"] or "HTML" in recordings[bad.id]["error"]
    assert recordings[bad.id]["audio_path"] is None
    merged = {row["telephony_session_id"]: row for row in rows(lake, SESSIONS, START, END)}
    assert merged[broken.telephony_session_id]["status"] == "partial"
    assert merged[broken.telephony_session_id]["recording_ids"] == [part.id for part in broken.recordings[1:]]

    sandbox.faults.clear()
    again = run_dag(sandbox, **WINDOW)
    assert again.state == "success"
    assert again.states("session.download") == ["success"]
    assert_lake_holds_the_truth(lake, sandbox, START, END)
    assert len(downloads(sandbox)) == len(set(downloads(sandbox))) + 4, "the HTML was answered to each of four tries"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": "wrong-secret-91"}, "OAU-146"),
        ({"login": "nobody"}, "OAU-146"),
        ({"extra": {"jwt": "eyJ.wrong-jwt-91.x"}}, "OAU-331"),
    ],
    ids=["client secret", "client id", "JWT"],
)
def test_a_refused_login_fails_at_once_and_names_the_connection_and_the_code(
    start_sandbox: StartSandbox,
    run_dag: RunDag,
    capfd: pytest.CaptureFixture[str],
    change: dict[str, object],
    code: str,
) -> None:
    sandbox = start_sandbox(CONFIG)
    connection = json.loads(sandbox.connection_json())
    extra = {**connection["extra"], **change.pop("extra", {})}  # type: ignore[dict-item]
    run = run_dag(sandbox, connection=json.dumps(connection | change | {"extra": extra}), **WINDOW)
    assert run.state == "failed"
    assert run.states("extract") == ["failed"]
    assert run.tasks["extract", -1].try_number == 1
    assert len([entry for entry in sandbox.requests if entry.path.endswith("/oauth/token")]) == 1
    printed = "".join(capfd.readouterr())
    assert "Connection ringcentral_default" in printed
    assert code in printed
    for secret in ("wrong-secret-91", "wrong-jwt-91", sandbox.client_secret, sandbox.jwt):
        assert secret not in printed


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({}, "neither a data interval nor params"),
        ({"start": START.isoformat()}, "param `end` is missing"),
        ({"start": END.isoformat(), "end": START.isoformat()}, "is not before param `end`"),
    ],
    ids=["neither", "one param", "exchanged"],
)
def test_a_run_without_a_window_says_what_to_do(
    start_sandbox: StartSandbox, run_dag: RunDag, capfd: pytest.CaptureFixture[str], params: dict[str, str], told: str
) -> None:
    sandbox = start_sandbox(CONFIG)
    run = run_dag(sandbox, **params)
    assert run.state == "failed"
    assert run.states("extract") == ["failed"]
    assert run.tasks["extract", -1].try_number == 1
    printed = "".join(capfd.readouterr())
    assert told in printed
    assert "nothing to publish" in printed
    assert sandbox.requests == ()


def test_a_bad_record_is_set_aside_and_the_page_lands_without_it(
    start_sandbox: StartSandbox, run_dag: RunDag, lake: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(CONFIG)
    bad, *others = sandbox.truth(START, END).calls
    sandbox.faults.add(Fault("record", "no_start_time", id=bad.id))
    with caplog.at_level(logging.INFO):
        run = run_dag(sandbox, **WINDOW)
    assert run.state == "success"
    assert {row["call_id"] for row in rows(lake, CALLS, START, END)} == {call.id for call in others}
    assert "rejected 1 records" in caplog.text
    assert [path for path in lake.list("raw") if "/rejected/" in path]
