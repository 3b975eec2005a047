"""The search index: what a search has to know of each conversation, one small file a UTC day, made from the day files.

It is a cache and no second database: it holds nothing that the tables do not say, is made anew where they have changed,
and may be removed at any time. Its files are for their owner alone, as an encrypted lake's content is plain in them.
"""

from __future__ import annotations

import glob
import hashlib
import logging
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock

from voxlake.lake import layout
from voxlake.lake.days import read_day
from voxlake.lake.schemas import Table
from voxlake.lake.storage import Storage
from voxlake.search.summaries import FORMAT, SOURCES, columns_of, day_number, summarise

log = logging.getLogger(__name__)

Database = duckdb.DuckDBPyConnection
Files = Mapping[date, Path]
# The versions of the day files by table.
Listed = Mapping[date, Mapping[str, str]]
Result = TypeVar("Result")

# A year of a million conversations takes 200 MB.
_MOST_BYTES = 2_000_000_000
# Nobody reads a file for so long after it has been superseded.
_SUPERSEDED_SECONDS = 600
# More days at once would mean fewer days around them to read twice; and more memory: 20 MB for 10,000 conversations.
_DAYS_AT_ONCE = 7
_READS_AT_ONCE = 8
_DATABASE_MEMORY = "512MB"
_SCRATCH = ".scratch"
_ONE_DAY = timedelta(days=1)


class DayFileError(ValueError):
    """A day file of a table is no Parquet file; the text names it."""

    def __init__(self, path: str, lake: str) -> None:
        super().__init__(
            f"{path} in {lake} is damaged: restore it from a backup or the bucket's versions, or remove it and "
            "backfill its day"
        )


class SearchIndex:
    """The index of a lake; cheap to make, and safe to use by many threads and processes.

    Args:
        storage: The lake.
        folder: Where the index lies on this host, such as `VOXLAKE_STATE_DIR/search`; for several lakes at once.

    Attributes:
        storage: The lake.
    """

    def __init__(self, storage: Storage, folder: Path) -> None:
        self.storage = storage
        self._folder = folder.absolute() / hashlib.sha256(f"{FORMAT}\n{storage.url}".encode()).hexdigest()[:16]

    def read(self, since: date, until: date, read: Callable[[Database, Files], Result]) -> Result:
        """What a function reads in the files of the UTC days from `since` to `until`, as the tables stand now.

        One listing a table tells which days have changed; only these are summarised again.

        Args:
            since: The first day.
            until: The last one.
            read: Is given a cursor, and the files of the days that have rows in the tables, with rows of
                `summaries.SCHEMA`. Called again where a file was removed meanwhile, as another process had a newer one.
        """
        files = self._up_to_date(since, until)
        try:
            with _database().cursor() as cursor:
                return read(cursor, files)
        except duckdb.IOException:
            if all(file.exists() for file in files.values()):
                raise
        files = self._up_to_date(since, until)
        with _database().cursor() as cursor:
            return read(cursor, files)

    def _up_to_date(self, since: date, until: date) -> Files:
        listed = self._listed(since - _ONE_DAY, until + _ONE_DAY)
        wanted = {day: self._file(day, listed) for day in sorted(listed) if since <= day <= until}
        missing = [day for day, file in wanted.items() if not file.exists()]
        for days in _stretches(missing, _DAYS_AT_ONCE):
            self._make(days, wanted, listed)
        if missing:
            self._tidy(wanted)
        return wanted

    def _listed(self, first: date, last: date) -> Listed:
        """The versions of the day files."""

        def versions(table: Table) -> dict[str, str]:
            begin, end = layout.table_file(table.name, first), layout.table_file(table.name, last + _ONE_DAY)
            return self.storage.versions(f"tables/{table.name}", begin, end)

        listed: dict[date, dict[str, str]] = {}
        with ThreadPoolExecutor(len(SOURCES)) as pool:
            for table, found in zip(SOURCES, pool.map(versions, SOURCES), strict=True):
                for path, version in found.items():
                    if (day := layout.day_of_table_file(path)) is not None:
                        listed.setdefault(day, {})[table.name] = version
        return listed

    def _file(self, day: date, listed: Listed) -> Path:
        """The file of a day, by a name that stands for the versions of all that is in it."""
        versions = [
            f"{near} {table} {version}" for near in _around(day, day) for table, version in listed.get(near, {}).items()
        ]
        return self._folder / f"{day}.{hashlib.sha256('|'.join(versions).encode()).hexdigest()[:32]}.parquet"

    def _make(self, days: Sequence[date], wanted: Files, listed: Listed) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whoever waits for the others finds their work done.
        with FileLock(self._folder.with_suffix(".lock")):
            days = [day for day in days if not wanted[day].exists()]
            if not days:
                return
            began = time.monotonic()
            around = _around(days[0], days[-1])
            with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
                rows = pool.map(lambda day: self._read(day, listed.get(day, {})), around)
                tables = dict(zip(around, rows, strict=True))
            with _database().cursor() as database:
                summaries = summarise(database, tables)
            for day in days:
                # Also where it has no row: that is worth knowing the next time.
                _write(summaries.filter(pc.equal(summaries["day"], day_number(day))), wanted[day])
            log.info("indexed %s to %s in %.1f s", days[0], days[-1], time.monotonic() - began)

    def _read(self, day: date, there: Mapping[str, str]) -> dict[Table, pa.Table]:
        """The rows of a day.

        What has been replaced since the listing is newer than the name of the file will say: the next search, which
        lists the newer version, makes the file anew.
        """
        tables = {}
        for table in SOURCES:
            columns = columns_of(table)
            rows: pa.Table | None = None
            if table.name in there:
                try:
                    rows, _ = read_day(self.storage, table, day, columns=columns)
                except pa.ArrowInvalid as error:
                    raise DayFileError(layout.table_file(table.name, day), self.storage.url) from error
            tables[table] = table.schema.empty_table().select(columns) if rows is None else rows
        return tables

    def _tidy(self, wanted: Files) -> None:
        """Removes what is superseded or was left by killed processes, and the oldest files where all take too much."""
        kept, ours = set(wanted.values()), {str(day) for day in wanted}
        superseded = time.time() - _SUPERSEDED_SECONDS
        files = []
        for file in self._folder.iterdir():
            with suppress(FileNotFoundError):
                status = file.stat()
                files.append((status.st_mtime, status.st_size, file))
        total = sum(size for _, size, _ in files)
        for modified, size, file in sorted(files):
            outdated = modified < superseded and (file.suffix == _SCRATCH or file.name[:10] in ours)
            if file not in kept and (outdated or total > _MOST_BYTES):
                file.unlink(missing_ok=True)
                total -= size


def paths(files: Files) -> list[str]:
    """The files as DuckDB's `read_parquet` takes them, which are patterns."""
    return [glob.escape(str(file)) for file in files.values()]


@lru_cache(maxsize=1)
def _database() -> Database:
    # One for the process: it remembers the footers of the files.
    database = duckdb.connect(
        config={
            "memory_limit": _DATABASE_MEMORY,
            "threads": min(4, os.cpu_count() or 1),
            # Where a sort does not fit into the memory; what is written holds names and numbers.
            "temp_directory": f"{tempfile.gettempdir()}/voxlake-search-{os.getuid()}",
            "temp_file_encryption": True,
            # Nothing is to be fetched from anywhere.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    database.execute("set parquet_metadata_cache = true")
    return database


def _write(rows: pa.Table, file: Path) -> None:
    scratch = file.with_name(f"{uuid.uuid4().hex}{_SCRATCH}")
    try:
        scratch.touch(mode=0o600, exist_ok=False)
        pq.write_table(rows, scratch, compression="snappy")
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


def _around(first: date, last: date) -> list[date]:
    """The days from the one before to the one after."""
    return [first + number * _ONE_DAY for number in range(-1, (last - first).days + 2)]


def _stretches(days: Sequence[date], most: int) -> Iterator[list[date]]:
    """Days in order, cut where one is left out and where a part has `most` of them."""
    stretch: list[date] = []
    for day in days:
        if stretch and (len(stretch) == most or day != stretch[-1] + _ONE_DAY):
            yield stretch
            stretch = []
        stretch.append(day)
    if stretch:
        yield stretch
