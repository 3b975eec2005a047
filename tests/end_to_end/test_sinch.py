"""Sinch's DAGs as they are shipped: a call that Voxlake had recorded is in the catalogue, whatever of it was told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from airflow.dag_processing.dagbag import DagBag
from end_to_end.conftest import PROJECT, Run, _creating

from tests.archive.sinch_landing import CREDENTIALS, NOON, Team, running_team
from tests.s3_server import Refusing, s3_server
from voxlake.lake.schemas import CALLS, RECONCILIATION, RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings
from voxlake.sinch.answers import CallPolicy, answer_call
from voxlake.sinch.destinations import BucketCredentials, parse_destination
from voxlake.sinch.events import IncomingCall
from voxlake.sinch.svaml import RecordingOptions

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from mypy_boto3_s3 import S3Client

RunSinch = Callable[..., Run]


@pytest.fixture
def team(s3_endpoint: str, s3_client: S3Client, s3_bucket: str, lake: Storage) -> Iterator[Team]:
    with running_team(s3_endpoint, s3_client, s3_bucket, lake) as running:
        yield running


@pytest.fixture
def run_sinch(airflow_db: None, team: Team, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> RunSinch:
    """Runs a DAG of Sinch's with the connection of the team; a scheduled run unless it is one by hand."""
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    bucket = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(bucket))
    connection = team.sinch.connection_json(
        destination=f"s3://{team.bucket}/calls/", recording_secret="test:secret-91-of-the-bucket:us-east-1"
    )
    monkeypatch.setenv("AIRFLOW_CONN_SINCH_DEFAULT", connection)

    def run(dag_id: str = "sinch_recordings", *, run_type: str = "scheduled", **conf: Any) -> Run:
        dag = DagBag(PROJECT / "dags").dags[dag_id]
        for task in dag.tasks:
            task.retry_delay = timedelta(0)
        end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        with monkeypatch.context() as patch:
            if not conf:
                interval = (end - timedelta(hours=1), end)
                patch.setattr("airflow.models.dagrun.get_or_create_dagrun", _creating(interval, run_type))
            dag_run = dag.test(logical_date=None, run_conf=conf)
        instances = {(instance.task_id, instance.map_index): instance for instance in dag_run.get_task_instances()}
        return Run(str(dag_run.state), instances)

    return run


def place(team: Team, **plan: Any) -> str:
    """A call that comes in and is answered as Voxlake's receiver answers it; its id."""
    options = RecordingOptions(
        parse_destination(f"s3://{team.bucket}/calls/"),
        BucketCredentials.parse("test:secret-91-of-the-bucket:us-east-1"),
    )
    asked = IncomingCall.model_validate({"event": "ice", "callid": "any", "domain": "pstn"})
    team.application.answers.append(answer_call(asked, CallPolicy(), options).svaml)
    return team.sinch.place_call(6, **{"start": NOON} | plan).call_id


@pytest.mark.parametrize("told", [True, False], ids=["with its callbacks", "with every callback suppressed"])
def test_a_recorded_call_is_archived(
    team: Team, run_sinch: RunSinch, lake: Storage, capfd: pytest.CaptureFixture[str], *, told: bool
) -> None:
    call_id = place(team)
    if told:
        team.receive_all()

    run = run_sinch()

    assert run.state == "success"
    assert run.states("merge") == ["success"]
    (call,), (recording,), (session,) = (team.rows(table) for table in (CALLS, RECORDINGS, SESSIONS))
    assert (call["provider"], call["call_id"], call["result"]) == ("sinch", call_id, "ANSWERED")
    assert (recording["call_id"], recording["status"]) == (call_id, "downloaded")
    assert (session["telephony_session_id"], session["status"]) == (call_id, "complete")
    assert session["made_by"].startswith("sinch_recordings/")
    assert lake.read(session["audio_path"]).data
    assert "secret-91" not in "".join(capfd.readouterr())

    second = run_sinch()
    assert (second.state, second.states("merge")) == ("success", ["skipped"])
    assert team.rows(RECORDINGS) == [recording]


def test_a_run_that_a_callback_woke_takes_in_what_was_told_of_and_looks_for_nothing_else(
    team: Team, run_sinch: RunSinch
) -> None:
    told = place(team)
    team.receive_all()
    untold = team.sinch.place_call(6, start=NOON, record=team.options(), notify="never").call_id

    assert run_sinch(run_type="asset_triggered").state == "success"
    assert [row["call_id"] for row in team.rows(RECORDINGS)] == [told]

    assert run_sinch().state == "success"
    assert {row["call_id"] for row in team.rows(RECORDINGS)} == {told, untold}


def test_a_backfill_takes_in_what_was_written_in_its_hours(team: Team, run_sinch: RunSinch) -> None:
    place(team, notify="never")
    now = datetime.now(UTC)
    earlier = {"start": (now - timedelta(days=2)).isoformat(), "end": (now - timedelta(days=1)).isoformat()}
    assert run_sinch(**earlier).state == "success"
    assert team.rows(RECORDINGS) == []
    just_now = {"start": (now - timedelta(hours=1)).isoformat(), "end": (now + timedelta(hours=1)).isoformat()}
    assert run_sinch(**just_now).state == "success"
    assert [row["status"] for row in team.rows(RECORDINGS)] == ["downloaded"]


def test_an_overwrite_between_two_runs_loses_nothing(team: Team, run_sinch: RunSinch, lake: Storage) -> None:
    place(team)
    (made,) = team.sinch.recordings
    run_sinch()
    (first,) = team.rows(RECORDINGS)
    audio = lake.read(first["audio_path"]).data
    sound = team.sinch.place_call(9, start=NOON, record=team.options("other.mp3"), notify="never")
    assert sound.call_id
    other = team.s3.get_object(Bucket=team.bucket, Key="calls/other.mp3")["Body"].read()
    team.s3.delete_object(Bucket=team.bucket, Key="calls/other.mp3")
    team.s3.put_object(Bucket=team.bucket, Key=made.key, Body=other)

    assert run_sinch().state == "success"

    recordings = {row["recording_id"]: row for row in team.rows(RECORDINGS)}
    assert len(recordings) == 2
    assert lake.read(first["audio_path"]).data == audio
    (session,) = team.rows(SESSIONS)
    assert sorted(session["recording_ids"]) == sorted(recordings)


def test_a_bucket_that_refuses_is_named_with_the_permission(
    team: Team, run_sinch: RunSinch, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    place(team)
    servers: list[Refusing] = []

    def refusing(application: WSGIApplication) -> WSGIApplication:
        servers.append(Refusing(application))
        servers[0].code, servers[0].status, servers[0].left = "AccessDenied", "403 Forbidden", 100
        return servers[0]

    with s3_server(refusing) as url:
        connection = {"conn_type": "aws", "login": "test", "password": "test"}
        extra = {"endpoint_url": url, "region_name": "us-east-1"}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection | {"extra": extra}))
        run = run_sinch()

    assert (run.state, run.states("take_in")) == ("failed", ["failed"])
    assert run.tasks["take_in", -1].try_number == 1
    assert f"Bucket {team.bucket} refuses s3:ListBucketVersions" in "".join(capfd.readouterr())
    assert team.rows(RECORDINGS) == []


def test_the_records_of_a_day_say_what_is_missing(
    team: Team, run_sinch: RunSinch, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    recorded = place(team)
    unrecorded = team.sinch.place_call(6, start=NOON + timedelta(minutes=1)).call_id
    missed = team.sinch.place_call(0, start=NOON + timedelta(minutes=2), answered=False).call_id
    assert len({recorded, unrecorded, missed}) == 3
    team.receive_all()
    run_sinch()
    team.sinch.write_cdr(NOON.date(), f"s3://{team.bucket}/records/", CREDENTIALS)
    monkeypatch.setenv("VOXLAKE_SINCH_CDR_URL", f"s3://{team.bucket}/records/")
    get_settings.cache_clear()
    # The file is written now, and the days are those of the calls.
    monkeypatch.setattr("voxlake.airflow.sinch_steps._WRITTEN_WITHIN", timedelta(days=100_000))
    window = {"start": "2026-03-04T00:00:00Z", "end": "2026-03-05T00:00:00Z"}

    assert run_sinch("sinch_reconcile", **window).state == "success"
    (row,) = team.rows(RECONCILIATION)
    assert (row["provider"], row["calls_in_source"], row["calls_in_lake"], row["calls_missing"]) == ("sinch", 3, 3, 0)
    assert (row["recordings_claimed"], row["recordings_downloaded"], row["sessions_complete"]) == (1, 1, 1)

    monkeypatch.setenv("VOXLAKE_SINCH_RECORDED", "answered")
    get_settings.cache_clear()
    assert run_sinch("sinch_reconcile", **window).state == "failed"
    (row,) = team.rows(RECONCILIATION)
    assert (row["recordings_claimed"], row["recordings_downloaded"], row["recordings_pending"]) == (2, 1, 1)
    assert f"call {unrecorded} was answered, and no recording of it came" in "".join(capfd.readouterr())


def test_one_query_reads_both_providers(team: Team, run_sinch: RunSinch, tmp_path: Path) -> None:
    place(team)
    team.receive_all()
    run_sinch()
    recordings = str(tmp_path / "lake" / "tables" / "recordings" / "**" / "*.parquet")
    query = """
        select provider, count(*) as recordings, round(sum(duration_ms) / 60000, 1) as minutes
        from read_parquet($recordings, hive_partitioning = true, union_by_name = true)
        where status = 'downloaded' group by provider order by provider
    """
    found = duckdb.sql(query, params={"recordings": recordings}).fetchall()
    assert found == [("sinch", 1, 0.1)]
