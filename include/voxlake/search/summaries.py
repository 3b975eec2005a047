"""Summaries: one row a conversation with all that a search asks for, made of the rows of four tables.

A conversation belongs to the UTC day on which the first of its calls and recordings lies. It takes in what lies on the
next day too, so that a conversation over midnight is one row, on the day that it began. Whether a day has the first of
it is seen from the day before: what goes on for three days is one row, which leaves the third out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

import duckdb
import pyarrow as pa

from voxlake.archive.deadlines import DROPPED
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS, STATUS_RANK, Table
from voxlake.search.masking import NUMBER_IN_TEXT

# Changes with every change of the rows below, so that those of another release are made anew.
FORMAT = 1

_PARTIES = tuple(f"{side}_{what}" for side in ("from", "to") for what in ("phone_number", "name", "extension_number"))
_CALL_IDS = ("account_id", "call_id")
_COLUMNS: Mapping[Table, tuple[str, ...]] = {
    CALLS: (
        *("provider", "telephony_session_id", "session_id", *_CALL_IDS, "start_time", "duration_ms"),
        *("direction", "result", *_PARTIES),
    ),
    LEGS: (*_CALL_IDS, "leg_index", *_PARTIES),
    RECORDINGS: (
        *("provider", "account_id", "telephony_session_id", "recording_id", "start_time"),
        *("claimed_ms", "duration_ms", "status", "unavailable_reason", "error"),
    ),
    SESSIONS: (
        *("provider", "telephony_session_id", "start_time", "end_time", "direction"),
        *("from_phone_number", "to_phone_number", "recording_ids", "status", "audio_path"),
    ),
}
SOURCES = tuple(_COLUMNS)

_NOT_HELD = pa.struct(
    [
        *((name, pa.string()) for name in ("account_id", "recording_id")),
        ("start_ms", pa.int64()),
        *((name, pa.string()) for name in ("status", "unavailable_reason", "error")),
    ]
)
# A recording that the provider has not dropped, as far as is known.
_KEPT = pa.struct([("account_id", pa.string()), ("start_ms", pa.int64())])

SCHEMA = pa.schema(
    [
        pa.field("day", pa.int32(), nullable=False),
        pa.field("provider", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("start_ms", pa.int64(), nullable=False),
        pa.field("duration_ms", pa.int64(), nullable=False),
        *((name, pa.string()) for name in ("direction", "result", *_PARTIES)),
        *((name, pa.int32()) for name in ("calls", "legs", "recordings")),
        ("status", pa.string()),
        ("has_audio", pa.bool_()),
        # Of all parties, on a line each, with a line break before and after.
        *((name, pa.string()) for name in ("digits", "names", "extensions")),
        # What is sorted by instead of the names.
        *((name, pa.string()) for name in ("from_key", "to_key")),
        # For the state of the archive.
        *((name, pa.int32()) for name in ("held", "pending", "failed", "unavailable")),
        ("unmerged", pa.bool_()),
        ("not_held", pa.list_(_NOT_HELD)),
        ("kept", pa.list_(_KEPT)),
    ]
)


def columns_of(table: Table) -> list[str]:
    """The columns of a table that summaries are made of, as far as it has them."""
    return [name for name in _COLUMNS[table] if name in table.schema.names]


def summarise(database: duckdb.DuckDBPyConnection, days: Mapping[date, Mapping[Table, pa.Table]]) -> pa.Table:
    """The conversations that begin on some UTC days.

    Args:
        database: Where to compute; a cursor of its own.
        days: Those days and the two around them, without a gap, each with its rows of `SOURCES`.

    Returns:
        Rows of `SCHEMA` by day and start; `day` and `start_ms` count days and milliseconds from 1970-01-01, UTC.
    """
    for table in SOURCES:
        database.register(f"day_{table.name}", _all_days(table, days))
    first, *_, last = sorted(days)
    found = database.sql(_SUMMARIES, params={"first": day_number(first) + 1, "last": day_number(last) - 1})
    rows: pa.Table = found.to_arrow_table().select(SCHEMA.names).cast(SCHEMA)
    for table in SOURCES:
        database.unregister(f"day_{table.name}")
    return rows


def plain(text: str) -> str:
    """The SQL expression of a text for comparisons: in small letters, without accents, and without phone numbers."""
    without_numbers = rf"regexp_replace({text}, '{NUMBER_IN_TEXT}', ' ', 'g')"
    return rf"strip_accents(lower(regexp_replace({without_numbers}, '[^\S\n]+', ' ', 'g')))"


def as_day(number: int) -> date:
    """The day of a row's `day`."""
    return date.fromordinal(number + _EPOCH)


def as_time(milliseconds: int) -> datetime:
    """The time of a row's `start_ms`."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def day_number(day: date) -> int:
    """A day as the rows have it."""
    return day.toordinal() - _EPOCH


_EPOCH = date(1970, 1, 1).toordinal()


def _all_days(table: Table, days: Mapping[date, Mapping[Table, pa.Table]]) -> pa.Table:
    parts = [
        _with_provider(rows[table]).append_column("day", pa.repeat(pa.scalar(day_number(day)), rows[table].num_rows))
        for day, rows in days.items()
    ]
    return pa.concat_tables(parts)


def _with_provider(rows: pa.Table) -> pa.Table:
    if "provider" in rows.column_names:
        return rows
    return rows.append_column("provider", pa.repeat(pa.scalar("ringcentral"), rows.num_rows))


def _joined(expressions: Iterable[str]) -> str:
    """A text of the distinct values in columns of a group, of which each has a line."""
    lists = ", ".join(f"list({expression})" for expression in expressions)
    return f"array_to_string(list_distinct(flatten([{lists}])), chr(10))"


def _counted(column: str, values: Iterable[str]) -> str:
    """A column for each value: how many rows of a group have it."""
    return ", ".join(f"count(*) filter ({column} = '{value}') as {value}" for value in values)


def _side(what: str) -> tuple[str, str]:
    return f"from_{what}", f"to_{what}"


# A name is told apart from a phone number that stands in its place, or in it: whoever may not see numbers may search
# and sort by names.
_SUMMARIES = rf"""
with calls as (
  select coalesce(provider, 'ringcentral') as provider, coalesce(telephony_session_id, session_id, call_id) as id, day,
    account_id, call_id, epoch_ms(start_time) as start_ms, coalesce(duration_ms, 0) as duration_ms, direction, result,
    {", ".join(_PARTIES)}
  from day_calls
), recordings as (
  select provider, telephony_session_id as id, day, account_id, recording_id, epoch_ms(start_time) as start_ms,
    coalesce(duration_ms, claimed_ms, 0) as duration_ms, status, unavailable_reason, error
  from day_recordings where telephony_session_id is not null
  -- One that moves over midnight may stand on both days.
  qualify row_number() over (
    partition by provider, account_id, recording_id order by list_position({list(STATUS_RANK)}, status) desc, day
  ) = 1
), sessions as (
  select provider, telephony_session_id as id, day, epoch_ms(start_time) as start_ms, epoch_ms(end_time) as end_ms,
    direction, from_phone_number, to_phone_number, recording_ids, status, audio_path
  from day_sessions
), pieces as (
  select distinct provider, id, day from calls union select provider, id, day from recordings
  union select provider, id, day from sessions
), heads as (
  select provider, id, day as head from pieces anti join (select provider, id, day + 1 as day from pieces)
  using (provider, id, day) where day between $first and $last
), of_calls as (
  select head, provider, id, min(start_ms) as start_ms, max(start_ms + duration_ms) as end_ms,
    count(distinct (account_id, call_id)) as calls,
    arg_min(struct_pack(direction, result, {", ".join(_PARTIES)}), (start_ms, call_id)) as first_call,
    {_joined(_side("phone_number"))} as numbers, {_joined(_side("name"))} as names,
    {_joined(_side("extension_number"))} as extensions
  from heads join calls using (provider, id) where day - head in (0, 1) group by all
), of_legs as (
  select head, provider, id, count(distinct (account_id, call_id, leg_index)) as legs,
    {_joined(f"day_legs.{name}" for name in _side("phone_number"))} as numbers,
    {_joined(f"day_legs.{name}" for name in _side("name"))} as names,
    {_joined(f"day_legs.{name}" for name in _side("extension_number"))} as extensions
  from heads join calls using (provider, id) join day_legs using (account_id, call_id)
  where calls.day - head in (0, 1) and day_legs.day - head in (0, 1) group by head, provider, id
), of_recordings as (
  select head, provider, id, min(start_ms) as start_ms, max(start_ms + duration_ms) as end_ms,
    count(*) as recordings, list(recording_id) as ids, {_counted("status", STATUS_RANK)},
    list(recording_id) filter (status = 'downloaded') as held_ids,
    list(struct_pack({", ".join(_NOT_HELD.names)})) filter (status <> 'downloaded') as not_held,
    list(struct_pack({", ".join(_KEPT.names)})) filter (coalesce(unavailable_reason, '') not in {DROPPED}) as kept
  from heads join recordings using (provider, id) where day - head in (0, 1) group by head, provider, id
), of_sessions as (
  select head, provider, id, min(start_ms) as start_ms, max(end_ms) as end_ms,
    arg_max(struct_pack(direction, from_phone_number, to_phone_number, recording_ids, status, audio_path),
      len(recording_ids)) as merged
  from heads join sessions using (provider, id) where day - head in (0, 1) group by all
), rows as (
  select head as day, provider, id, least(c.start_ms, r.start_ms, s.start_ms) as start_ms,
    coalesce(c.end_ms, greatest(r.end_ms, s.end_ms)) as end_ms,
    coalesce(first_call.direction, merged.direction) as direction, first_call.result as result,
    coalesce(first_call.from_phone_number, merged.from_phone_number) as from_phone_number,
    first_call.from_name as from_name, first_call.from_extension_number as from_extension_number,
    coalesce(first_call.to_phone_number, merged.to_phone_number) as to_phone_number,
    first_call.to_name as to_name, first_call.to_extension_number as to_extension_number,
    coalesce(calls, 0) as calls, coalesce(legs, 0) as legs,
    coalesce(recordings, len(merged.recording_ids), 0) as recordings,
    case
      when merged.status = 'complete' and coalesce(list_has_all(merged.recording_ids, r.ids), true) then 'complete'
      when merged is not null then 'partial'
      when failed > 0 then 'failed'
      when pending > 0 or downloaded > 0 then 'pending'
      when unavailable > 0 then 'unavailable'
    end as status,
    coalesce(downloaded, 0) as held, coalesce(pending, 0) as pending, coalesce(failed, 0) as failed,
    coalesce(unavailable, 0) as unavailable, not_held, kept,
    coalesce(not list_has_all(coalesce(merged.recording_ids, []), held_ids), false) as unmerged,
    merged.audio_path is not null as has_audio,
    concat_ws(chr(10), c.numbers, l.numbers, merged.from_phone_number, merged.to_phone_number) as numbers,
    concat_ws(chr(10), c.names, l.names) as names, concat_ws(chr(10), c.extensions, l.extensions) as extensions
  from heads left join of_calls c using (head, provider, id) left join of_legs l using (head, provider, id)
    left join of_recordings r using (head, provider, id) left join of_sessions s using (head, provider, id)
)
select * exclude (numbers, names, extensions, end_ms), greatest(end_ms - start_ms, 0) as duration_ms,
  chr(10) || regexp_replace(
    concat_ws(chr(10), numbers, array_to_string(regexp_extract_all(names, '{NUMBER_IN_TEXT}'), chr(10))),
    '[^0-9\n]', '', 'g') || chr(10) as digits,
  {plain("names")} as names, chr(10) || lower(extensions) || chr(10) as extensions,
  nullif(trim({plain("from_name")}), '') as from_key, nullif(trim({plain("to_name")}), '') as to_key
from rows order by day, start_ms, provider, id
"""
