"""Two lakes, one of them disturbed while it was made: whether all in it was whole from the first, and is the same."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from voxlake.audio.probe import NotAudioError, probe
from voxlake.lake import tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import TABLES, Table
from voxlake.lake.sweep import sweep

# Columns that tell when, by whom, or at which try, something was done.
TIMES = {
    "extracted_at": "when the page was read",
    "recording_seen_at": "when the last page that had the recording was read",
    "attempts": "a killed try is one",
    "downloaded_at": "when the audio was fetched",
    "merged_at": "when the file was made",
    "made_by": "the run and task that made it",
}


@contextmanager
def watched(lake: Path, whole: Path) -> Iterator[Watch]:
    """Looks at every file of a lake that has its final name, as soon as it has it, for the length of a `with` block.

    Args:
        lake: Where.
        whole: The undisturbed lake.
    """
    watch, over = Watch(lake, whole), threading.Event()
    with ThreadPoolExecutor(1) as thread:
        looking = thread.submit(watch.look_on, over)
        try:
            yield watch
        finally:
            over.set()
        looking.result()


class Watch:
    """What was seen of a lake.

    Attributes:
        problems: Files that were not whole.
    """

    def __init__(self, lake: Path, whole: Path) -> None:
        self._lake = lake
        self._whole = whole
        self._known: set[tuple[str, int, int]] = set()
        self.problems: list[str] = []

    @property
    def seen(self) -> int:
        """How many files have been looked at; a file that was replaced is another."""
        return len(self._known)

    def look_on(self, over: threading.Event) -> None:
        """Looks ten times a second, until it is over."""
        while not over.wait(0.1):
            for path in (*self._lake.glob("tables/*/*/*"), *self._lake.glob("audio/*/*/*/*")):
                try:
                    status = path.stat()
                    if (str(path), status.st_ino, status.st_mtime_ns) not in self._known:
                        self._check(path)
                        self._known.add((str(path), status.st_ino, status.st_mtime_ns))
                except FileNotFoundError:
                    # A session's file went to another day.
                    continue

    def _check(self, path: Path) -> None:
        content = path.read_bytes()
        name = path.relative_to(self._lake)
        try:
            if path.suffix == ".parquet":
                pq.read_table(io.BytesIO(content))
            elif path.suffix == ".json":
                json.loads(content)
            elif name.is_relative_to("audio/recordings"):
                if content != (self._whole / name).read_bytes():
                    self.problems.append(f"{name} appeared with {len(content)} bytes, not as it is")
            else:
                # Of a session, which may still lack a recording.
                probe(path)
        # What Arrow finds wrong with a file is one of these.
        except (pa.ArrowException, NotAudioError, json.JSONDecodeError) as error:
            self.problems.append(f"{name} appeared broken: {error}")


def differences(undisturbed: Path, killed: Path) -> list[str]:
    """What is not the same in two lakes."""
    problems = []
    print(f"not compared: {', '.join(f'{name} ({why})' for name, why in TIMES.items())}")
    for table in TABLES:
        one, other = (Counter(rows_of(lake, table)) for lake in (undisturbed, killed))
        print(f"{table.name}: {one.total()} rows")
        problems += [f"table {table.name}: without kills alone: {row}" for row in (one - other).elements()]
        problems += [f"table {table.name}: with kills alone: {row}" for row in (other - one).elements()]
    for kind in ("recordings", "sessions"):
        files, others = (dict(audio_of(lake / "audio" / kind)) for lake in (undisturbed, killed))
        print(f"{kind}: {len(files)} files")
        problems += [f"{kind}: {name} differs" for name, _ in sorted(files.items() ^ others.items())]
    return problems


def rows_of(lake: Path, table: Table) -> list[str]:
    """The rows of a table, as text without their times."""
    days = [datetime.fromisoformat(folder.name[5:]).date() for folder in (lake / "tables" / table.name).glob("date=*")]
    rows = tables.read(LocalStorage(lake), table, days)
    kept = rows.drop_columns([name for name in TIMES if name in rows.column_names])
    return [json.dumps(row, default=str, sort_keys=True) for row in kept.to_pylist()]


def audio_of(folder: Path) -> Iterator[tuple[str, str]]:
    """The files below a folder, each with what its bytes come to."""
    for file in folder.rglob("*.*"):
        yield str(file.relative_to(folder)), hashlib.sha256(file.read_bytes()).hexdigest()


def left_behind(lake: Path) -> list[str]:
    """What is in a lake that is neither pages nor tables nor audio, once all of it is old."""
    strays = [file for file in lake.rglob("*") if file.is_file() and stray(file, lake)]
    print(
        f"{len(strays)} files of killed processes: {dict(Counter(file.relative_to(lake).parts[0] for file in strays))}"
    )
    sweep(LocalStorage(lake), datetime.now(UTC) + timedelta(days=365))
    return [f"{file} is still there" for file in strays if file.exists()]


def stray(file: Path, lake: Path) -> bool:
    """Whether a file is none of the archive; the locks are, as a lock file must stay."""
    return file.relative_to(lake).parts[0] not in ("raw", "tables", "audio", ".locks")
