"""The whole result of a search as a file."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from voxlake.search.conditions import check_sort, condition, days_of, ordering
from voxlake.search.index import Database, Files, SearchIndex, paths
from voxlake.search.masking import mask_column
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

    Times are in the query's zone, with their offset. Text that a spreadsheet would take for a formula, as it
    begins with `=`, `+`, `-`, `@`, a tab or a line break, gets an apostrophe before it; numbers such as `+16505550101` stay.

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
            columns = [[_cell(value, zone) for value in column.to_pylist()] for column in batch.columns]
            sheet.writerows(zip(*columns, strict=True))
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
    if not files:
        return
    expression, values = condition(query, numbers=numbers)
    columns = ", ".join(_IN_INDEX.get(name, name) for name in _SCHEMA.names)
    found = database.execute(
        f"select {columns} from read_parquet($files) where {expression} order by {ordering(query)}",
        {**values, "files": paths(files)},
    )
    reader: pa.RecordBatchReader = found.to_arrow_reader(_ROWS_AT_ONCE)
    for batch in reader:
        arrays = [
            array.cast(field.type) if numbers else mask_column(field.name, array).cast(field.type)
            for field, array in zip(_SCHEMA, batch.columns, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def _cell(value: Any, zone: ZoneInfo) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(timespec="milliseconds")
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
