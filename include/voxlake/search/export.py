"""The whole result of a search as a file."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from voxlake.search.conditions import check_sort, condition, days_of, ordering
from voxlake.search.index import Database, Files, SearchIndex, paths
from voxlake.search.masking import map_text, mask_column
from voxlake.search.query import SearchQuery

_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("provider", "telephony_session_id")),
        ("start_time", pa.timestamp("ms", tz="UTC")),
        ("duration_ms", pa.int64()),
        *((name, pa.string()) for name in ("direction", "result")),
        *((f"from_{name}", pa.string()) for name in ("phone_number", "name", "extension_number")),
        *((f"to_{name}", pa.string()) for name in ("phone_number", "name", "extension_number")),
        *((name, pa.int32()) for name in ("calls", "legs", "recordings")),
        ("status", pa.string()),
        ("has_audio", pa.bool_()),
    ]
)
_IN_INDEX = {"telephony_session_id": "id", "start_time": "start_ms"}
_ROWS_AT_ONCE = 20_000
_PIECE_BYTES = 256 * 1024

# What a spreadsheet takes for the beginning of a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
# A phone number, masked or not, is no formula, and of use only as it is.
_NUMBER = re.compile(r"\+[0-9•]+")

_Batches = Iterator[pa.RecordBatch]


def export_csv(index: SearchIndex, query: SearchQuery, *, numbers: bool) -> Iterator[bytes]:
    """The result as CSV (UTF-8 with a byte order mark, as Excel needs it), a piece at a time; the page does not matter.

    Times are in the query's zone, with their offset. Text that a spreadsheet would take for a formula, because of a
    `=`, `+`, `-`, `@`, tab or line break at its beginning, gets an apostrophe before it; phone numbers such as
    `+16505550101` stay as they are.

    Args:
        index: Of the lake.
        query: What is asked for.
        numbers: Whether the reader may see phone numbers; see `search`.

    Raises:
        QueryError: As `search`, before the first piece.
    """
    zone = ZoneInfo(query.tz)

    def write(batches: _Batches, file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        sheet = csv.writer(text)
        sheet.writerow(_SCHEMA.names)
        for batch in batches:
            sheet.writerows(zip(*(_cells(column, zone) for column in batch.columns), strict=True))
        text.detach()

    return _pieces(index, query, write, numbers=numbers)


def export_parquet(index: SearchIndex, query: SearchQuery, *, numbers: bool) -> Iterator[bytes]:
    """The result as Parquet, with times in UTC; see `export_csv`."""

    def write(batches: _Batches, file: BinaryIO) -> None:
        with pq.ParquetWriter(file, _SCHEMA, compression="zstd") as parquet:
            for batch in batches:
                parquet.write_batch(batch)

    return _pieces(index, query, write, numbers=numbers)


def _pieces(
    index: SearchIndex, query: SearchQuery, write: Callable[[_Batches, BinaryIO], None], *, numbers: bool
) -> Iterator[bytes]:
    check_sort(query, numbers=numbers)
    # Whole before its first piece is sent, so that it is not cut off by what is replaced, or goes wrong, meanwhile. It
    # has no name: nothing is left of it, whatever becomes of the reader.
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _sent

    def read(database: Database, files: Files) -> None:
        file.seek(0)
        file.truncate()
        write(_batches(database, files, query, numbers=numbers), file)

    try:
        index.read(*days_of(query), read)
    except BaseException:
        file.close()
        raise
    return _sent(file)


def _sent(file: BinaryIO) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _batches(database: Database, files: Files, query: SearchQuery, *, numbers: bool) -> _Batches:
    parts = [files] if files else []
    if query.sort == "start":
        # The order is that of the days, so none of them has to wait for the others.
        parts = [{day: files[day]} for day in sorted(files, reverse=query.order == "desc")]
    expression, values = condition(query, numbers=numbers)
    columns = ", ".join(_IN_INDEX.get(name, name) for name in _SCHEMA.names)
    sql = f"select {columns} from read_parquet($files) where {expression} order by {ordering(query)}"
    for part in parts:
        found = database.sql(sql, params={**values, "files": paths(part)})
        reader: pa.RecordBatchReader = found.to_arrow_reader(_ROWS_AT_ONCE)
        for batch in reader:
            arrays = [
                (array if numbers else mask_column(field.name, array)).cast(field.type)
                for field, array in zip(_SCHEMA, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def _cells(column: pa.Array, zone: ZoneInfo) -> list[Any]:
    """The values of a column as they stand in the sheet."""
    if pa.types.is_string(column.type):
        harmless: list[Any] = map_text(_harmless, column).to_pylist()
        return harmless
    values: list[Any] = column.to_pylist()
    if pa.types.is_timestamp(column.type):
        return [value.astimezone(zone).isoformat(timespec="milliseconds") for value in values]
    return values


def _harmless(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
