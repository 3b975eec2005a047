"""What the processes of `test_contention.py` do; in a module of its own, as each of them imports it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier
from typing import Any

import boto3

from voxlake.lake import tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.s3 import S3Storage
from voxlake.lake.schemas import Table
from voxlake.lake.storage import Storage

Row = dict[str, Any]


@dataclass(frozen=True)
class Lake:
    """Where a lake is: a folder, or a bucket of an S3 server. Unlike a `Storage`, it can be sent to a process."""

    folder: Path
    endpoint: str | None = None
    bucket: str = ""

    def open(self) -> Storage:
        if self.endpoint is None:
            return LocalStorage(self.folder)
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        return S3Storage(client, self.bucket)


def run_at_once(lake: Lake, upserts: Callable[[int], tuple[Table, Sequence[Sequence[Row]]]], processes: int) -> None:
    """Starts processes that wait for each other and then do their upserts, one after the other.

    Args:
        lake: Where.
        upserts: For the number of a process: the table, and the rows of each upsert. A function of a module.
        processes: How many.
    """
    context = get_context("spawn")
    ready = context.Barrier(processes)
    workers = [context.Process(target=_work, args=(lake, upserts, number, ready)) for number in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * processes


def _work(
    lake: Lake, upserts: Callable[[int], tuple[Table, Sequence[Sequence[Row]]]], number: int, ready: Barrier
) -> None:
    storage = lake.open()
    table, batches = upserts(number)
    ready.wait()
    for rows in batches:
        tables.upsert(storage, table, tables.to_arrow(table, rows))
