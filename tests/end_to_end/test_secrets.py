"""Nothing that a run leaves behind holds a secret, whatever went well or wrong in it."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography.fernet import Fernet
from end_to_end.conftest import CONFIG, RunDag
from end_to_end.secret_search import search

from sandbox.airflow_standalone import AirflowStandalone, archive_environment
from sandbox.ringcentral import CallMix, Fault, Sandbox, SandboxConfig
from tests.ringcentral.exposure import everything_shown
from voxlake.airflow import steps

END = datetime(2026, 3, 4, 12, tzinfo=UTC)
START, MIDDLE = END - timedelta(hours=6), END - timedelta(minutes=45)
DAG_ID = "ringcentral_recordings"
WINDOW = {"start": START.isoformat(), "end": END.isoformat()}

StartSandbox = Callable[[SandboxConfig], Sandbox]

# With all that is written in another way in an address, in JSON and in Python.
COMPANY = replace(
    CONFIG,
    client_secret='K7+secret/of "many" signs=%41&\\'.replace(" ", "_"),
    mix=CallMix(calls_per_day=60, recorded_share=1, transferred_share=0, leg_seconds=(30, 31)),
    detailed_per_page_cap=5,
)
FAULTS = ("html", "json", "empty", "truncated", "partial", "redirect", "redirect_foreign", "error", "not_found")


def secrets_of(sandbox: Sandbox, connection: Mapping[str, Any]) -> dict[str, str]:
    """What the sandbox and a connection to it must keep to themselves."""
    tokens = {f"access token {number}": token for number, token in enumerate(sandbox.access_tokens)}
    client_id, secret = connection["login"], connection["password"]
    return {
        "client secret": secret,
        "JWT": connection["extra"]["jwt"],
        "Basic": base64.b64encode(f"{client_id}:{secret}".encode()).decode(),
        **tokens,
    }


@dataclass(frozen=True)
class WholeRun:
    """A run that archived all that there was.

    Attributes:
        run_id: Which run.
        gone: The recording that there was no more.
        requests: How many it sent.
    """

    run_id: str
    gone: str
    requests: int


class Statsd:
    """A StatsD server that adds up counters."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._received: list[str] = []
        # Read all the time: the system keeps a few hundred packets and drops the rest.
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._reader.join()
        self._socket.close()

    def total(self, name: str) -> float:
        values = [line.split(":")[1] for line in self._received if line.split(":")[0] == name]
        assert {value.partition("|")[2] for value in values} == {"c"}, f"{name} was not sent as a counter"
        return sum(float(value.partition("|")[0]) for value in values)

    def _read(self) -> None:
        while packet := self._socket.recv(1 << 16):
            self._received += packet.decode().splitlines()


@dataclass
class Seen:
    """What the tasks raised, with all that could be read from it."""

    errors: list[BaseException] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        return {type(error).__name__ for error in self.errors}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    seen = Seen()

    def watched(step: Callable[..., Any]) -> Callable[..., Any]:
        def watch(*args: Any) -> Any:
            try:
                return step(*args)
            except BaseException as error:
                seen.errors.append(error)
                raise

        return watch

    for name in ("extract", "land", "download", "merge", "publish"):
        monkeypatch.setattr(steps, name, watched(getattr(steps, name)))
    return seen


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for name in ("voxlake", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_runs_that_go_well_and_wrong_in_many_ways_leave_no_secret_behind(
    start_sandbox: StartSandbox,
    run_dag: RunDag,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    everything_logged: pytest.LogCaptureFixture,
    seen: Seen,
) -> None:
    fernet_key = Fernet.generate_key().decode()
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", fernet_key)
    sandbox = start_sandbox(COMPANY)
    right = sandbox.connection()
    secrets = {"Fernet key": fernet_key}

    for wrong in ({"password": "wrong-secret-of-91"}, {"extra": right["extra"] | {"jwt": "eyJ.wrong-jwt-91.x"}}):
        assert run_dag(sandbox, connection=json.dumps(right | wrong), **WINDOW).state == "failed"
        secrets |= {f"wrong {name}": value for name, value in secrets_of(sandbox, right | wrong).items()}
    # The recordings lie on a host that is neither of the connection's.
    astray = right | {"extra": right["extra"] | {"media_host": "https://media.example.com"}}
    assert run_dag(sandbox, connection=json.dumps(astray), **WINDOW).state == "failed"
    assert "it leads to" in shown(seen)
    assert not [entry for entry in sandbox.requests if entry.path.endswith("/content")]

    recordings = [recording for session in sandbox.truth(START, END).sessions for recording in session.recordings]
    assert len(recordings) > len(FAULTS) + 1
    for kind, recording in zip(FAULTS, recordings, strict=False):
        sandbox.faults.add(Fault("content", kind, id=recording.id))  # type: ignore[arg-type]
    # The token ends between two pages, before its time as the client sees it.
    sandbox.between_pages(lambda page: sandbox.clock.advance(COMPANY.token_seconds) if page == 2 else None)
    mixed = run_dag(sandbox, **WINDOW)
    assert mixed.state == "failed"
    assert {"success", "failed"} <= set(mixed.states("session.download"))
    assert len(sandbox.access_tokens) > 1

    forbidden = start_sandbox(replace(COMPANY, app_scopes=("ReadAccounts", "ReadCallLog")))
    assert run_dag(forbidden, **WINDOW).state == "failed"
    assert "ReadCallRecording is missing" in shown(seen)

    secrets |= secrets_of(sandbox, right)
    secrets |= {f"another {name}": secret for name, secret in secrets_of(forbidden, forbidden.connection()).items()}
    assert {"AirflowFailException", "RecordingsFailedError", "SessionsFailedError"} <= seen.names
    logged = everything_logged.text
    assert "GET /restapi/v1.0/account/~/call-log" in logged, "urllib3 does not log its requests"
    homes = [tmp_path, Path(os.environ["AIRFLOW_HOME"])]
    assert find(secrets, homes, ["".join(capfd.readouterr()), logged, shown(seen)]) == []


def test_airflows_own_processes_leave_no_secret_behind_and_tell_what_they_did(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    """The connection is entered as in the UI: Airflow keeps it, encrypted, and a log of who changed it."""
    fernet_key = Fernet.generate_key().decode()
    sandbox = start_sandbox(COMPANY)
    right = sandbox.connection()
    wrong = right | {"password": "wrong-secret-of-91"}
    with Statsd() as statsd:
        environment = archive_environment("", tmp_path) | {
            "AIRFLOW__CORE__FERNET_KEY": fernet_key,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
            "AIRFLOW__METRICS__METRICS_ALLOW_LIST": "voxlake",
        }
        del environment["AIRFLOW_CONN_RINGCENTRAL_DEFAULT"]
        airflow = AirflowStandalone(tmp_path / "airflow", environment)
        airflow.prepare()
        with airflow:
            told = [airflow.send("POST", "/connections", as_entered(right))]
            whole = archive_with_one_recording_gone(airflow, sandbox)
            archive_with_recordings_that_fail(airflow, sandbox)
            told.append(airflow.send("PATCH", "/connections/ringcentral_default", as_entered(wrong)))
            refused = trigger(airflow, MIDDLE, END)
            wait_for(lambda: state_of(airflow, refused) == "failed")
    logs = tmp_path / "airflow" / "logs"

    assert_summary_is_true(logs, whole, sandbox)
    assert statsd.total("airflow.voxlake.requests") == len(sandbox.requests)
    assert statsd.total("airflow.voxlake.recordings.unavailable") == 1

    assert len(sandbox.access_tokens) > 1
    secrets = {"Fernet key": fernet_key, **secrets_of(sandbox, right)}
    secrets |= {f"wrong {name}": value for name, value in secrets_of(sandbox, wrong).items()}
    texts = [file.read_text() for file in logs.rglob("attempt=1.log")]
    assert any("GET /restapi/v1.0/account/~/call-log" in text for text in texts), "urllib3 does not log its requests"
    assert any("OAU-146" in text for text in texts)
    assert find(secrets, [tmp_path], [json.dumps(told)]) == []


def archive_with_one_recording_gone(airflow: AirflowStandalone, sandbox: Sandbox) -> WholeRun:
    """Archives the end of the window."""
    gone = sandbox.truth(MIDDLE, END).recordings[0]
    sandbox.faults.add(Fault("content", "not_found", id=gone.id))
    run_id = trigger(airflow, MIDDLE, END)
    wait_for(lambda: state_of(airflow, run_id) in {"success", "failed"})
    assert state_of(airflow, run_id) == "success"
    return WholeRun(run_id, gone.id, len(sandbox.requests))


def archive_with_recordings_that_fail(airflow: AirflowStandalone, sandbox: Sandbox) -> None:
    """Archives the rest, each download once: its next try would come minutes later."""
    for kind, recording in zip(("html", "redirect_foreign"), sandbox.truth(START, MIDDLE).recordings, strict=False):
        sandbox.faults.add(Fault("content", kind, id=recording.id))  # type: ignore[arg-type]
    sandbox.between_pages(lambda page: sandbox.clock.advance(COMPANY.token_seconds) if page == 2 else None)
    run_id = trigger(airflow, START, MIDDLE)

    def tried() -> bool:
        found = airflow.get(f"/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances", limit=1000)["task_instances"]
        states = [task["state"] for task in found if task["task_id"] == "session.download" and task["map_index"] >= 0]
        return bool(states) and set(states) <= {"success", "failed", "up_for_retry"}

    wait_for(tried)


def assert_summary_is_true(logs: Path, whole: WholeRun, sandbox: Sandbox) -> None:
    """The table at the end of the log of `publish` says what the sandbox knows."""
    (log,) = logs.glob(f"dag_id={DAG_ID}/run_id={whole.run_id}/task_id=publish/attempt=1.log")
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    (table,) = [event for event in events if event.startswith("what the run came to:")]
    told = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in table.splitlines()[1:])
    truth = sandbox.truth(MIDDLE, END)
    held = [recording.id for recording in truth.recordings if recording.id != whole.gone]
    size = sum(len(sandbox.content_of(recording)) for recording in held)
    sessions = [session for session in truth.sessions if session.recordings]
    assert told["calls"] == f"{len(truth.calls)} landed, 0 rejected"
    assert told["sessions to archive"] == str(len(sessions))
    assert told["recordings of these"] == str(len(truth.recordings))
    assert told["downloaded now"] == f"{len(held)} ({size:,} bytes)"
    assert told["held otherwise"].startswith("0 ")
    assert told["unavailable"] == "1 (expired 1)"
    assert (told["failed"], told["sessions not whole"]) == ("0", "0")
    assert told["sessions merged"] == f"{len(held)} ({len(held)} complete, 0 partial)"
    assert told["requests"] == f"{whole.requests}, 0 of them answered with 429"
    assert told["granted (heavy)"] == "6,000 in 60 s (100 a second)"
    assert told["still to fetch"].startswith("0 in all")
    assert told["next"].startswith("nothing")


def as_entered(connection: Mapping[str, Any]) -> dict[str, Any]:
    """The connection as the UI sends it."""
    return {"connection_id": "ringcentral_default", **connection, "extra": json.dumps(connection["extra"])}


def trigger(airflow: AirflowStandalone, start: datetime, end: datetime) -> str:
    window = {"start": start.isoformat(), "end": end.isoformat()}
    run = airflow.send("POST", f"/dags/{DAG_ID}/dagRuns", {"logical_date": None, "conf": window})
    return str(run["dag_run_id"])


def state_of(airflow: AirflowStandalone, run_id: str) -> str:
    return str(airflow.get(f"/dags/{DAG_ID}/dagRuns/{run_id}")["state"])


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not done():
        assert time.monotonic() < deadline, "Airflow did not get there in time"
        time.sleep(0.5)


def shown(seen: Seen) -> str:
    return "\n".join(everything_shown(error) for error in seen.errors)


def find(secrets: Mapping[str, str], folders: list[Path], printed: list[str]) -> list[str]:
    """What `search` finds, after it has shown that it finds one planted among just these folders and texts."""
    planted = folders[0] / "planted.log"
    planted.write_text("\n".join(secrets.values()))
    assert {line.split(" (")[0] for line in search(secrets, folders)} >= set(secrets)
    planted.unlink()
    return search(secrets, folders, printed)
