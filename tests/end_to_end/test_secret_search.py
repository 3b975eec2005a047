"""The search finds a secret in each kind of place, in each form: else finding none would prove nothing."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from end_to_end.secret_search import search

SECRET = 'a+secret/of "many" signs=%41\\'

# Before what is looked for, so that something is packed.
NUMBERS = "".join(f"{number:06d}" for number in range(2000))


def in_a_text(folder: Path, text: str) -> None:
    (folder / "attempt=1.log").write_text(f"before\n{text}\nafter")


def in_a_file_name(folder: Path, text: str) -> None:
    (folder / text.replace("/", "_")).touch()


def in_a_packed_page(folder: Path, text: str) -> None:
    (folder / "00001.json.gz").write_bytes(gzip.compress(text.encode()))


def in_a_column(folder: Path, text: str) -> None:
    _write_table(folder, pa.table({"error": ["none", NUMBERS + text]}))


def in_a_nested_column(folder: Path, text: str) -> None:
    _write_table(folder, pa.table({"chapters": [[{"from_name": NUMBERS + text}]]}))


def in_the_metadata_of_a_table(folder: Path, text: str) -> None:
    _write_table(folder, pa.table({"error": ["none"]}).replace_schema_metadata({"note": text}))


def in_a_database(folder: Path, text: str) -> None:
    _write_cell(folder, text)


def in_a_large_cell(folder: Path, text: str) -> None:
    # In the file itself, a cell that is longer than a page is not one piece.
    _write_cell(folder, NUMBERS + text * 400)


def in_a_binary_cell(folder: Path, text: str) -> None:
    _write_cell(folder, b"\x80\x05" + text.encode())


def in_a_packed_cell(folder: Path, text: str) -> None:
    _write_cell(folder, zlib.compress(text.encode()))


PLACES = [
    in_a_text,
    in_a_packed_page,
    in_a_column,
    in_a_nested_column,
    in_the_metadata_of_a_table,
    in_a_database,
    in_a_large_cell,
    in_a_binary_cell,
    in_a_packed_cell,
]


def _write_table(folder: Path, table: pa.Table) -> None:
    # The least and the largest value would stand in the file as they are.
    pq.write_table(table, folder / "calls.parquet", compression="zstd", write_statistics=False)


def _write_cell(folder: Path, cell: str | bytes) -> None:
    with closing(sqlite3.connect(folder / "airflow.db")) as database:
        database.execute("create table xcom (value)")
        database.execute("insert into xcom values (?)", (cell,))
        database.commit()


@pytest.mark.parametrize("plant", PLACES, ids=lambda plant: plant.__name__)
def test_a_secret_is_found_wherever_it_lies(tmp_path: Path, plant: Callable[[Path, str], None]) -> None:
    plant(tmp_path, f"Bearer {SECRET}!")
    found = search({"token": SECRET, "JWT": "eyJ.not-there"}, [tmp_path])
    assert any(line.startswith(f"token (plain) in {tmp_path}") for line in found)
    assert not any(line.startswith("JWT") for line in found)


def test_a_secret_is_found_in_the_name_of_a_file(tmp_path: Path) -> None:
    in_a_file_name(tmp_path, "token-abc123.json")
    assert search({"token": "abc123"}, [tmp_path]) == [f"token (plain) in the name of {tmp_path / 'token-abc123.json'}"]


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        urlencode({"assertion": SECRET}),
        json.dumps({"password": SECRET}),
        json.dumps(json.dumps({"extra": SECRET})),
        repr({"password": SECRET}),
        SECRET.encode().hex(),
        *(
            base64.b64encode(f"{before}{SECRET}{after}".encode()).decode()
            for before in ("", "x", "xy")
            for after in "!?"
        ),
        base64.urlsafe_b64encode(f"id:{SECRET}".encode()).decode(),
    ],
)
def test_a_secret_is_found_in_whatever_form_it_was_written(tmp_path: Path, written: str) -> None:
    in_a_text(tmp_path, written)
    assert search({"secret": SECRET}, [tmp_path])
    assert search({"secret": SECRET}, [], printed=[written])
    assert not search({"secret": SECRET}, [], printed=[written.swapcase()])
