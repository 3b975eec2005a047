"""Every step, killed before each of its changes of the lake and done again: the lake of one that was not killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.ringcentral import Sandbox
from tests.archive.archived_day import DAY, Row, content_requests, session_across_midnight
from tests.archive.killed_steps import Place, Step, download, extract, land, merge, publish, run
from tests.lake.contenders import Lake
from voxlake.archive.extract import extract_call_log
from voxlake.archive.plan import plan_sessions
from voxlake.lake import tables
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage
from voxlake.lake.sweep import sweep
from voxlake.ringcentral.credentials import Credentials

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# When something was done.
TIMES = {"extracted_at", "recording_seen_at", "downloaded_at", "merged_at"}
TABLES = {"download": RECORDINGS, "merge": SESSIONS} | {
    table.name: table for table in (CALLS, LEGS, RECORDINGS, SESSIONS)
}
DAYS = [(DAY + timedelta(days=shift)).date() for shift in (-1, 0, 1)]

NewPlace = Callable[[str], Place]


@pytest.fixture(params=["local", "s3"])
def new_place(request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path) -> NewPlace:
    """Makes places to work at: each an empty lake of its own, all with the same sandbox."""
    credentials = Credentials(
        sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url
    )

    def lake(name: str) -> Lake:
        if request.param == "local":
            return Lake(tmp_path / name)
        client: S3Client = request.getfixturevalue("s3_client")
        bucket = f"{request.getfixturevalue('s3_bucket')}-{name}"
        client.create_bucket(Bucket=bucket)
        return Lake(tmp_path, request.getfixturevalue("s3_endpoint"), bucket)

    return lambda name: Place(lake(name), credentials, tmp_path / "state")


def do_the_steps_before(step: Step, place: Place, sandbox: Sandbox) -> Any:
    """Archives up to a step, half of the day at an earlier time; the argument of the step."""
    storage = place.lake.open()
    with place.client() as client:
        land(place, extract_call_log(client, storage, DAY, DAY + timedelta(hours=12)))
    if step is extract:
        return None
    folders = extract(place, None)
    if step is land:
        return folders
    land(place, folders)
    sessions = plan_sessions(storage, {session_across_midnight(sandbox).telephony_session_id: DAYS})
    for earlier in (download, merge):
        if step is earlier:
            break
        earlier(place, sessions)
    return sessions


def everything(storage: Storage) -> list[str]:
    return [path for folder in ("raw", "tables", "audio", "outcomes", "leases") for path in storage.list(folder)]


def content(storage: Storage, path: str) -> bytes | list[Row]:
    """What an object says, whenever that was written."""
    data = storage.read(path).data
    if not path.endswith(".parquet"):
        return data
    rows = tables.from_parquet(TABLES[path.split("/")[1 if path.startswith("tables/") else -2]], data).to_pylist()
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def state(storage: Storage) -> dict[str, bytes | list[Row]]:
    """All of a lake but the pages, of which a read that was killed leaves some."""
    return {path: content(storage, path) for path in everything(storage) if not path.startswith("raw/")}


def pages(storage: Storage, raw_folders: Sequence[str] | None) -> list[bytes]:
    return [storage.read(path).data for folder in raw_folders or () for path in storage.list(folder)]


def keys(storage: Storage) -> set[tuple[str, ...]]:
    return {
        (table.name, *(str(row[name]) for name in table.key))
        for table in (CALLS, LEGS, RECORDINGS, SESSIONS)
        for row in tables.read(storage, table, DAYS).to_pylist()
    }


@pytest.mark.parametrize(("step", "changes"), [(extract, 4), (land, 5), (download, 6), (merge, 1), (publish, 3)])
def test_a_step_that_is_killed_anywhere_and_done_again_leaves_nothing_twice_and_nothing_in_part(
    sandbox: Sandbox, new_place: NewPlace, step: Step, changes: int
) -> None:
    before = new_place("before")
    archived = before.lake.open()
    argument = do_the_steps_before(step, before, sandbox)
    paths = (path for path in everything(archived) if step is land or not path.startswith("raw/"))
    stored = {path: archived.read(path).data for path in paths}
    known = keys(archived)
    asked_before = len(content_requests(sandbox))
    # The last thing done to this lake: from now on it is the one that was not killed.
    _, expected = run(step, before, argument)
    asked = content_requests(sandbox)[asked_before:]
    wanted, wanted_pages = state(archived), pages(archived, expected)

    for number in count(1):
        place = new_place(f"killed-{number}")
        storage = place.lake.open()
        for path, data in stored.items():
            storage.put(path, data)
        asked_before = len(content_requests(sandbox))

        killed, _ = run(step, place, argument, killed_before=number)
        if not killed:
            break

        assert keys(storage) >= known
        for path in storage.list("audio"):
            assert storage.read(path).data == wanted[path]

        _, result = run(step, place, argument)

        again = content_requests(sandbox)[asked_before:]
        assert set(again) == set(asked)
        assert len(again) <= len(asked) + 1
        assert pages(storage, result) == wanted_pages
        # Not the outcomes: those wait for publish.
        sweep(storage, datetime.now(UTC) + timedelta(days=2))
        assert state(storage) == wanted
        assert list((place.lake.folder / ".scratch").glob("*")) == []
    assert number > changes
