"""What the demo archived, as an analyst and a listener find it in the lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb

from sandbox.ringcentral import RequestEntry
from voxlake.lake.schemas import RECORDINGS, SESSIONS, TABLES

# What a user pastes, with `lake/` in place of the demo's folder.
ANALYST_QUERY = """
select date, direction, count(*) as calls, count(recording_id) as recorded,
       round(sum(duration_ms) / 60000, 1) as minutes,
       round(100.0 * count(*) filter (result = 'Missed') / count(*), 1) as missed_percent
from read_parquet('{lake}/tables/calls/**/*.parquet', hive_partitioning = true)
group by all order by all"""

_RECONCILED = """
select day::date as day, calls_in_source, calls_in_lake, recordings_claimed as claimed, recordings_downloaded as held,
       recordings_unavailable as unavailable, sessions_complete as complete, sessions_partial as partial,
       round((recordings_bytes + sessions_bytes) / 1e6, 1) as megabytes
from read_parquet('{lake}/tables/reconciliation/**/*.parquet') order by day"""

_ARCHIVED = """
with calls as (from read_parquet('{lake}/tables/calls/**/*.parquet')),
     legs as (from read_parquet('{lake}/tables/legs/**/*.parquet')),
     recordings as (from read_parquet('{lake}/tables/recordings/**/*.parquet')),
     sessions as (from read_parquet('{lake}/tables/sessions/**/*.parquet'))
select date,
       (select count(*) from calls where calls.date = days.date) as calls,
       (select count(*) from legs where legs.date = days.date) as legs,
       (select count(*) from recordings where recordings.date = days.date) as recordings,
       (select count(*) from recordings where recordings.date = days.date and status = 'downloaded') as downloaded,
       (select count(*) from sessions where sessions.date = days.date) as sessions,
       (select count(*) from sessions where sessions.date = days.date and len(recording_ids) > 1) as of_many_legs,
       (select round(sum(duration_ms) / 60000, 1) from sessions where sessions.date = days.date) as audio_minutes,
       (select round(sum(size_bytes) / 1e6, 1) from recordings where recordings.date = days.date) as megabytes
from (select distinct date from calls) days order by date"""

BOTH_PROVIDERS = """
select provider, count(*) as conversations, round(sum(duration_ms) / 60000, 1) as minutes
from read_parquet('{lake}/tables/sessions/**/*.parquet', union_by_name = true)
group by all order by all"""

# A recorded session is whole if its file exists and has every recording; the lengths are checked to the millisecond
# by the tests, which decode the files with another program.
_NOT_WHOLE = """
with recordings as (from read_parquet('{lake}/tables/recordings/**/*.parquet')),
     sessions as (from read_parquet('{lake}/tables/sessions/**/*.parquet'))
select telephony_session_id, list(distinct recordings.status), list(distinct recordings.error)
from recordings left join sessions using (telephony_session_id)
group by telephony_session_id
having count(*) filter (recordings.status <> 'downloaded') > 0 or any_value(sessions.status) is distinct from 'complete'
    or count(*) <> len(any_value(sessions.recording_ids))"""


def print_report(lake: Path, requests: Sequence[RequestEntry], days: tuple[datetime, datetime]) -> bool:
    """Prints what is in the lake and what was asked of the provider for it.

    Args:
        lake: The lake's folder.
        requests: The sandbox's request log.
        days: The stretch of time that was archived.

    Returns:
        Whether every recorded session is whole, no key occurs twice and every file is there.
    """
    print(f"\nArchived, {days[0]:%Y-%m-%d %H:%M} to {days[1]:%Y-%m-%d %H:%M} UTC:\n")
    print(_query(lake, _ARCHIVED))
    print(f"\nAn analyst asks DuckDB:\n{ANALYST_QUERY.format(lake=lake)}\n")
    print(_query(lake, ANALYST_QUERY))
    print("\nringcentral_reconcile compared it with the source:\n")
    print(_query(lake, _RECONCILED))
    print(f"\nBoth providers are in the same tables:\n{BOTH_PROVIDERS.format(lake=lake)}\n")
    print(_query(lake, BOTH_PROVIDERS))
    problems = _problems(lake) + _fetched_twice(requests)
    for problem in problems:
        print(f"NOT AS IT MUST BE: {problem}")
    example = duckdb.sql(
        f"select audio_path, duration_ms, len(recording_ids) from read_parquet('{lake}/tables/sessions/**/*.parquet') "  # noqa: S608 - the demo's own folder
        "order by len(recording_ids) desc, telephony_session_id limit 1"
    ).fetchall()
    print("\nAudio: one file a recording in audio/recordings/, one file a conversation in audio/sessions/, e.g.")
    for path, length, parts in example:
        print(f"  {lake / path}  ({length / 1000:.1f} s, {parts} recordings in the order they happened)")
    _print_requests(requests)
    return not problems


def _print_requests(requests: Sequence[RequestEntry]) -> None:
    downloads = sum(request.path.endswith("/content") and request.status in (200, 206) for request in requests)
    pages = sum("/call-log" in request.path and request.status == 200 for request in requests)
    refused = sum(request.status == 429 for request in requests)
    print(f"\nRequests to the provider: {pages} call-log pages, {downloads} recordings, {refused} refused with 429.")
    if downloads == 0:
        print("Everything was in the lake already: no recording was downloaded again.")


def _fetched_twice(requests: Sequence[RequestEntry]) -> list[str]:
    fetched = Counter(entry.path for entry in requests if entry.path.endswith("/content") and entry.status == 200)
    return [f"{path} was downloaded {times} times" for path, times in fetched.items() if times > 1]


def _problems(lake: Path) -> list[str]:
    problems = []
    for table in TABLES:
        # Nobody has listened yet, so that there is no access log.
        if not (lake / "tables" / table.name).exists():
            continue
        files = f"read_parquet('{lake}/tables/{table.name}/**/*.parquet')"
        twice = duckdb.sql(f"select {', '.join(table.key)} from {files} group by all having count(*) > 1").fetchall()  # noqa: S608 - the demo's own folder
        problems += [f"{table.name} has the key {row} twice" for row in twice]
    for session, statuses, errors in duckdb.sql(_NOT_WHOLE.format(lake=lake)).fetchall():
        problems.append(f"session {session} is not whole: recordings {statuses}, errors {errors}")
    for table in (RECORDINGS, SESSIONS):
        files = f"read_parquet('{lake}/tables/{table.name}/**/*.parquet')"
        held = duckdb.sql(f"select audio_path, size_bytes from {files} where audio_path is not null").fetchall()  # noqa: S608 - the demo's own folder
        for path, size in held:
            if not (lake / path).is_file() or (lake / path).stat().st_size != size:
                problems.append(f"{path} is not in the lake as the table {table.name} says ({size} bytes)")
    return problems


def _query(lake: Path, query: str) -> str:
    return str(duckdb.sql(query.format(lake=lake)))
