"""Recordings that come by their ids, before the call log lists their calls, and those that do not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.ringcentral import CallMix, Fault, QuotaLimit, Sandbox, SandboxConfig, Session
from tests.conftest import StartSandbox
from voxlake.archive.download import Patience, download_session
from voxlake.archive.early_media import fetch_by_id
from voxlake.archive.extract import extract_call_log
from voxlake.archive.land import land_call_log
from voxlake.archive.open_sessions import OpenSession
from voxlake.archive.plan import plan_sessions
from voxlake.lake import layout
from voxlake.lake.lease import lease
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState
from voxlake.ringcentral.telephony_session import TelephonySession

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Ended:
    """A session that is over, as far as events have told."""

    sandbox: Sandbox
    client: RingCentralClient
    session: Session

    @property
    def open(self) -> OpenSession:
        ids = frozenset(recording.id for recording in self.session.recordings)
        told = TelephonySession(
            self.session.telephony_session_id, "", self.session.start_time, self.session.end_time, {}, ids
        )
        return OpenSession(told, heard_at=self.session.end_time)

    @property
    def fetched(self) -> list[str]:
        return [entry.path for entry in self.sandbox.requests if entry.path.endswith("/content")]


@pytest.fixture
def ended(start_sandbox: StartSandbox, tmp_path: Path) -> Iterator[Ended]:
    with ending(start_sandbox, tmp_path, heavy=6000) as one:
        yield one


@contextmanager
def ending(start_sandbox: StartSandbox, tmp_path: Path, heavy: int) -> Iterator[Ended]:
    sandbox = start_sandbox(
        SandboxConfig(
            now=NOON,
            quotas={"heavy": QuotaLimit(heavy), "auth": QuotaLimit(50)},
            mix=CallMix(calls_per_day=200, conversation_share=0.4),
        )
    )
    credentials = Credentials(
        sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url
    )
    over = [
        one for one in sandbox.truth(NOON - 12 * HOUR, NOON).sessions if one.end_time < NOON and len(one.recordings) > 1
    ]
    with RingCentralClient(credentials, SqliteState(tmp_path / "state"), max_wait=0.1) as client:
        yield Ended(sandbox, client, over[-1])


def held(storage: Storage, ended: Ended) -> dict[str, bytes]:
    return {
        path.rpartition("/")[2].partition(".")[0]: storage.read(path).data for path in storage.list("audio/recordings")
    }


def test_what_came_by_its_id_is_not_fetched_again_when_the_call_log_lists_it(storage: Storage, ended: Ended) -> None:
    recordings = ended.session.recordings
    assert fetch_by_id(ended.client, storage, [ended.open], "run a") == len(recordings)
    assert held(storage, ended) == {one.id: ended.sandbox.content_of(one.id) for one in recordings}
    assert fetch_by_id(ended.client, storage, [ended.open], "run b") == 0
    assert len(ended.fetched) == len(recordings)

    start = ended.session.start_time - HOUR
    landed = land_call_log(storage, extract_call_log(ended.client, storage, start, NOON + HOUR))
    days = {ended.session.telephony_session_id: landed.sessions[ended.session.telephony_session_id]}
    (planned,) = plan_sessions(storage, days)
    patience = Patience(wait=timedelta(), retention=timedelta(days=90))
    assert download_session(ended.client, storage, planned, "run c", 1, patience) is None
    assert len(ended.fetched) == len(recordings)


@pytest.mark.parametrize("kind", ["not_found", "html", "error", "redirect_foreign"])
def test_what_answers_anything_but_audio_is_left_to_the_call_log(
    storage: Storage, ended: Ended, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "voxlake")
    ended.sandbox.faults.add(Fault("content", kind, times=1, location="http://127.0.0.1:9/stolen"))  # type: ignore[arg-type]

    assert fetch_by_id(ended.client, storage, [ended.open], "run") == len(ended.session.recordings) - 1

    first = min(one.id for one in ended.session.recordings)
    assert first not in held(storage, ended)
    assert f"recording {first} does not come by its id" in caplog.text


def test_a_quota_that_is_used_up_leaves_the_rest_to_the_call_log(
    storage: Storage, start_sandbox: StartSandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "voxlake")
    with ending(start_sandbox, tmp_path, heavy=1) as ended:
        assert fetch_by_id(ended.client, storage, [ended.open], "run") == 1

    assert len(ended.fetched) == 1
    assert "further recordings are left to the call log" in caplog.text


def test_what_another_run_is_fetching_is_left_to_it(storage: Storage, ended: Ended) -> None:
    first = min(one.id for one in ended.session.recordings)
    with lease(storage, layout.recording_lease(first), "another run", HOUR):
        assert fetch_by_id(ended.client, storage, [ended.open], "run") == len(ended.session.recordings) - 1
    assert first not in held(storage, ended)


def test_an_id_that_is_no_part_of_an_address_is_not_asked_for(storage: Storage, ended: Ended) -> None:
    told = TelephonySession("s-1", "", NOON, NOON, {}, frozenset({"../secret", "a/b", ""}))

    assert fetch_by_id(ended.client, storage, [OpenSession(told, heard_at=NOON)], "run") == 0
    assert ended.fetched == []
