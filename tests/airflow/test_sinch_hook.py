"""The connection type `sinch`: hook, operators and the command, against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.sinch import SinchSandbox, run_sinch_sandbox
from tests.sinch.bodies import CREDENTIALS
from voxlake.__main__ import main
from voxlake.airflow.sinch_hook import SinchHook
from voxlake.airflow.sinch_operators import StartSinchRecordingOperator, StopSinchRecordingOperator

EXTRA = {"destination": "s3://calls/sinch/", "recording_secret": CREDENTIALS}
STARTED = {
    "name": "startRecording",
    "options": {
        "destinationUrl": "s3://calls/sinch/",
        "credentials": CREDENTIALS,
        "format": "mp3",
        "notificationEvents": True,
    },
}
STOPPED = {"name": "stopRecording"}


@pytest.fixture
def sinch(monkeypatch: pytest.MonkeyPatch) -> Iterator[SinchSandbox]:
    with run_sinch_sandbox() as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_SINCH_DEFAULT", sandbox.connection_json(**EXTRA))
        yield sandbox


def test_the_hook_starts_and_stops(sinch: SinchSandbox) -> None:
    call = sinch.add_call()

    SinchHook().start_recording(call.call_id)
    SinchHook().stop_recording(call.call_id)

    assert call.instructions == [STARTED, STOPPED]


def test_the_operators_do_the_same(sinch: SinchSandbox) -> None:
    call = sinch.add_call()

    StartSinchRecordingOperator(task_id="start", call_id=call.call_id).execute({})
    StopSinchRecordingOperator(task_id="stop", call_id=call.call_id).execute({})

    assert call.instructions == [STARTED, STOPPED]


def test_the_command_does_the_same(sinch: SinchSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    call = sinch.add_call()

    assert main(["sinch", "record", "start", call.call_id]) == 0
    assert main(["sinch", "record", "stop", call.call_id]) == 0

    assert call.instructions == [STARTED, STOPPED]
    printed = capsys.readouterr().out
    assert f"{call.call_id} is being recorded to s3://calls/sinch/" in printed
    assert CREDENTIALS.split(":")[1] not in printed


def test_the_command_says_why_it_could_not(sinch: SinchSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sinch", "record", "start", "no-such-call"]) == 2
    assert "40400: Call not found" in capsys.readouterr().err
    assert main(["sinch", "record", "stop", "any", "--conn-id", "no_such_connection"]) == 2
    assert "no_such_connection" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({}, "destination"),
        (EXTRA | {"destination": "s3://calls/one.mp3"}, "overwrite the one before"),
        (EXTRA | {"destination": "https://calls"}, "expected s3://bucket/folder/"),
        (EXTRA | {"recording_secret": "half"}, "bucket credentials: expected"),
    ],
)
def test_a_connection_that_asks_for_no_good_recording_is_named(
    sinch: SinchSandbox, monkeypatch: pytest.MonkeyPatch, extra: dict[str, str], named: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SINCH_DEFAULT", sinch.connection_json(**extra))
    call = sinch.add_call()

    with pytest.raises(ValueError, match="Connection sinch_default: ") as refused:
        SinchHook().start_recording(call.call_id)

    assert named in str(refused.value)
    assert call.instructions == []


def test_the_connection_can_be_tested(sinch: SinchSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SinchHook().test_connection() == (True, "Sinch accepts the application key and secret.")

    other = sinch.connection_json(**EXTRA).replace(sinch.secret, "AAAAAAAAAAAAAAAAAAAAAA==")
    monkeypatch.setenv("AIRFLOW_CONN_SINCH_DEFAULT", other)
    good, why = SinchHook().test_connection()
    assert not good
    assert "40102" in why


def test_an_unknown_region_is_named_with_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    uri = '{"conn_type": "sinch", "login": "key", "password": "AAAA", "extra": {"region": "mars1"}}'
    monkeypatch.setenv("AIRFLOW_CONN_SINCH_DEFAULT", uri)

    with pytest.raises(ValueError, match="Connection sinch_default: region: expected one of use1"):
        SinchHook().get_conn()
