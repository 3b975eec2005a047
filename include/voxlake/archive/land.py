"""Land: raw call-log pages into the tables `calls`, `legs` and `recordings`."""

from __future__ import annotations

import gzip
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from voxlake.archive.conversations import update_conversations
from voxlake.archive.plan import waiting_sessions
from voxlake.archive.raw_pages import page_paths, read_body
from voxlake.archive.transfers import CALL_COLUMNS, LEG_COLUMNS
from voxlake.lake import layout, tables
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, Table
from voxlake.lake.storage import Storage
from voxlake.ringcentral.records import RejectedRecord, parse_page

log = logging.getLogger(__name__)

# Nearly all of a page's work leaves the interpreter to other threads; a page takes some 30 MB meanwhile.
_PAGES_AT_ONCE = 2


@dataclass(frozen=True)
class Landed:
    """What came in with some raw folders.

    Attributes:
        calls: Call-log records that landed.
        legs: Their legs.
        recordings: Recordings that they claim.
        rejected: Records that did not land; they and the reasons lie in the folders' `rejected/`.
        sessions: The telephonySessionIds with recordings, each with the UTC days these start on; also with recordings
            that the calls claimed before, and that are still to be fetched.
    """

    calls: int
    legs: int
    recordings: int
    rejected: int
    sessions: dict[str, set[date]]


def land_call_log(storage: Storage, raw_folders: Sequence[str]) -> Landed:
    """Upserts every record of the raw folders' pages; a bad record is set aside with its reason, the rest lands.

    Raises:
        ValueError: A folder's name is not one that `extract` makes, or a page is not JSON with `records`.
        VersionConflictError: Other processes kept replacing the same day's table.
    """
    counts: Counter[str] = Counter()
    sessions: dict[str, set[date]] = {}
    with _system_memory():
        legs: list[pa.Table] = []
        calls: list[pa.Buffer] = []
        recordings: list[pa.Buffer] = []
        for page in _pages(storage, raw_folders):
            legs.append(page.legs)
            calls.append(page.calls)
            recordings.append(page.recordings)
            counts += page.counts
            for session, days in page.sessions.items():
                sessions.setdefault(session, set()).update(days)
        landed_legs = _upserted(storage, LEGS, _emptied(legs), LEG_COLUMNS)
        landed_calls = _upserted(storage, CALLS, map(_unpack, calls), CALL_COLUMNS)
        # Last: whoever sees a recording finds the call it belongs to.
        _upserted(storage, RECORDINGS, map(_unpack, recordings), [])
        update_conversations(storage, landed_calls, landed_legs)
        for session, days in waiting_sessions(storage, landed_calls, sessions).items():
            sessions.setdefault(session, set()).update(days)
    report = Landed(counts["calls"], counts["legs"], counts["recordings"], counts["rejected"], sessions)
    log.info(
        "landed %d calls, %d legs, %d recordings of %d sessions; rejected %d records",
        report.calls,
        report.legs,
        report.recordings,
        len(report.sessions),
        report.rejected,
    )
    return report


@contextmanager
def _system_memory() -> Iterator[None]:
    # Arrow's own allocator keeps more of what pages give back: a day took a fifth more memory with it, and more time.
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _emptied(parts: list[pa.Table]) -> Iterator[pa.Table]:
    # Nobody else holds the parts when the whole is made, so that the upsert may let go of them.
    while parts:
        yield parts.pop()


def _upserted(storage: Storage, table: Table, parts: Iterable[pa.Table], columns: Sequence[str]) -> pa.Table:
    # What the pages or the table before have left is given back to the system, or else it adds up.
    pa.default_memory_pool().release_unused()
    whole = [pa.concat_tables([table.schema.empty_table(), *parts])]
    wanted = whole[0].select(columns)
    # The upsert alone holds the other columns, and lets go of them when it has merged the versions.
    tables.upsert(storage, table, whole.pop())
    return wanted


@dataclass(frozen=True)
class _Page:
    """What a page comes to: its rows, how many there are, and the sessions with recordings.

    Most of the memory that a day takes is rows that wait for the last page to be read, and then for their table's turn.
    So all but those of the first table wait compressed.
    """

    legs: pa.Table
    calls: pa.Buffer
    recordings: pa.Buffer
    counts: Counter[str]
    sessions: dict[str, set[date]]


def _pages(storage: Storage, raw_folders: Sequence[str]) -> Iterator[_Page]:
    pages: list[tuple[str, datetime]] = []
    for folder in raw_folders:
        extracted_at = layout.extracted_at(folder)
        pages += [(path, extracted_at) for path in page_paths(storage, folder)]
    with ThreadPoolExecutor(_PAGES_AT_ONCE) as pool:
        yield from pool.map(lambda page: _parse(storage, *page), pages)


def _parse(storage: Storage, path: str, extracted_at: datetime) -> _Page:
    body = read_body(storage, path)
    try:
        parsed = parse_page(body, extracted_at)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if parsed.rejected:
        folder, _, name = path.rpartition("/")
        _set_aside(storage, layout.rejected_records(folder, int(name.split(".")[0])), parsed.rejected)
    sessions: dict[str, set[date]] = {}
    days = parsed.recordings["start_time"].cast(pa.date32()).to_pylist()
    for session, day in zip(parsed.recordings["telephony_session_id"].to_pylist(), days, strict=True):
        sessions.setdefault(session, set()).add(day)
    return _Page(
        _in_schema(LEGS, parsed.legs),
        _pack(_in_schema(CALLS, parsed.calls)),
        _pack(_in_schema(RECORDINGS, parsed.recordings)),
        Counter(
            calls=parsed.calls.num_rows,
            legs=parsed.legs.num_rows,
            recordings=parsed.recordings.num_rows,
            rejected=len(parsed.rejected),
        ),
        sessions,
    )


def _in_schema(table: Table, rows: pa.Table) -> pa.Table:
    schema = table.schema
    columns = [
        rows[name] if name in rows.column_names else pa.nulls(rows.num_rows, kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _pack(rows: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write_table(rows)
    return sink.getvalue()


def _unpack(rows: pa.Buffer) -> pa.Table:
    return pa.ipc.open_stream(rows).read_all()


def _set_aside(storage: Storage, path: str, rejected: Sequence[RejectedRecord]) -> None:
    # As ASCII: JSON may hold half of a surrogate pair, which UTF-8 cannot say.
    lines = [json.dumps({"reason": item.reason, "record": item.record}) for item in rejected]
    storage.put(path, gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))
    for item in rejected:
        record_id = item.record.get("id") if isinstance(item.record, dict) else None
        log.warning(
            "record %s rejected: %s; kept in %s. It lands when a run reads it after RingCentral has corrected it, or "
            "after Voxlake has learned to take it",
            record_id,
            item.reason,
            path,
        )
