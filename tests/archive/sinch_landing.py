"""A Sinch application whose calls are recorded into a bucket, and a lake that takes the recordings in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.sinch import SinchSandbox, run_sinch_sandbox
from tests.sinch.listening_application import Listening, listening
from voxlake.archive.merge import merge_session
from voxlake.archive.plan import SessionRef
from voxlake.archive.publish import publish_run
from voxlake.archive.sinch_round import take_in_round
from voxlake.archive.sinch_take_in import Source
from voxlake.lake import inbox, tables
from voxlake.lake.inbox import Event
from voxlake.lake.schemas import Table
from voxlake.lake.storage import Storage
from voxlake.sinch.client import SinchClient
from voxlake.sinch.landing import Landing
from voxlake.sinch.signature import Application

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Row = dict[str, Any]

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
CREDENTIALS = "test:test:us-east-1"
WAIT = timedelta(hours=6)


@dataclass
class Team:
    """The application, its bucket, and the lake.

    Attributes:
        sinch: The provider.
        application: What takes its callbacks.
        bucket: What it records into.
        s3: A client of it.
        lake: Where it all comes to.
    """

    sinch: SinchSandbox
    application: Listening
    bucket: str
    s3: S3Client
    lake: Storage

    def options(self, file: str = "", **changed: Any) -> dict[str, Any]:
        """How calls are to be recorded."""
        options = {"destinationUrl": f"s3://{self.bucket}/calls/{file}", "credentials": CREDENTIALS, "format": "mp3"}
        return options | changed

    def receive(self, *contents: bytes, at: datetime | None = None) -> None:
        """Puts callbacks into the inbox, those that came unless others are given."""
        events = [Event(content, at or datetime.now(UTC), self.sinch.key) for content in contents]
        if events:
            inbox.append(self.lake, "sinch", events)

    def receive_all(self) -> None:
        """Puts every callback that came into the inbox."""
        self.receive(*self.application.contents)

    def round(self, run: str = "run", *, sweep: bool = True, now: datetime | None = None) -> list[SessionRef]:
        """Takes in what there is; the conversations to be merged."""
        landing = Landing(self.s3)
        swept = landing.files(self.bucket, "calls/") if sweep else ()
        with SinchClient(Application(self.sinch.key, self.sinch.secret), self.sinch.url) as client:
            source = Source(landing, client, self.sinch.key)
            return take_in_round(self.lake, source, run, swept, now or datetime.now(UTC), WAIT)

    def archive(self, run: str = "run", *, sweep: bool = True, now: datetime | None = None) -> dict[str, str]:
        """Takes in, merges and publishes; why conversations are not whole."""
        sessions = self.round(run, sweep=sweep, now=now)
        for session in sessions:
            merge_session(self.lake, session, run)
        return publish_run(self.lake, sessions, run, "sinch").failed

    def rows(self, table: Table) -> list[Row]:
        """All rows of a table."""
        found: list[Row] = tables.read(self.lake, table, tables.stored_days(self.lake, table)).to_pylist()
        return found


@contextmanager
def running_team(s3_endpoint: str, s3: S3Client, bucket: str, lake: Storage) -> Iterator[Team]:
    """Runs provider and application while the block does."""
    with listening() as application, run_sinch_sandbox(s3_endpoint, application.url) as sinch:
        yield Team(sinch, application, bucket, s3, lake)
