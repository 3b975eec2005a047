"""Looks for secrets in all that a run leaves behind, whatever form they were written in."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq


def forms(secret: str) -> dict[bytes, str]:
    """The texts from which somebody could read a secret, with what they are called."""
    raw = secret.encode()
    found = {
        raw.hex().encode(): "hex",
        repr(secret)[1:-1].encode(): "repr",
        json.dumps(json.dumps(secret))[3:-3].encode(): "JSON in JSON",
        json.dumps(secret)[1:-1].encode(): "JSON",
        quote_plus(secret).encode(): "form",
        quote(secret, safe="").encode(): "URL",
        # Last, as most secrets are the same in most forms.
        raw: "plain",
    }
    # Three ways, by the place in the text that was encoded; at the ends the neighbours have a say.
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + raw)
        whole = encoded[-(-shift * 4 // 3) : len(encoded) - (4 if (shift + len(raw)) % 3 else 0)]
        found[whole] = found[whole.translate(bytes.maketrans(b"+/", b"-_"))] = "base64"
    return found


def search(secrets: Mapping[str, str], folders: Iterable[Path], printed: Iterable[str] = ()) -> list[str]:
    """Where secrets are found, as `<name of the secret> (<form>) in <place>`.

    Args:
        secrets: The secrets by their names.
        folders: Every file below them is read: its name, its bytes, what is packed in it, and the cells of databases
            and tables.
        printed: Texts that went elsewhere, such as what was printed.
    """
    wanted = [(name, form, text) for name, secret in secrets.items() for text, form in forms(secret).items()]
    # One look for all of them: a metadata database has millions of bytes.
    anything = re.compile(b"|".join(sorted({re.escape(text) for _, _, text in wanted}, key=len, reverse=True)))
    found = set()
    for place, content in (*_contents(folders), *(("what was printed", text.encode()) for text in printed)):
        if anything.search(content):
            found |= {f"{name} ({form}) in {place}" for name, form, text in wanted if text in content}
    return sorted(found)


def _contents(folders: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            yield f"the name of {file}", os.fsencode(file)
            content = file.read_bytes()
            yield str(file), content
            for kind, (start, read) in _READERS.items():
                if content.startswith(start):
                    for place, part in read(file):
                        yield f"{file}, {kind} {place}", part


def _unpacked(file: Path) -> Iterator[tuple[str, bytes]]:
    yield "content", gzip.decompress(file.read_bytes())


def _columns(file: Path) -> Iterator[tuple[str, bytes]]:
    table = pq.read_table(file, partitioning=None)
    yield "schema", str(table.schema.to_string(show_field_metadata=True, truncate_metadata=False)).encode()
    for name in table.column_names:
        yield f"column {name}", "\n".join(map(str, table[name].to_pylist())).encode()


def _cells(file: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        database.text_factory = bytes
        names = [name.decode() for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in names:
            cells = [cell for row in database.execute(f'select * from "{table}"') for cell in row]  # noqa: S608
            texts = [cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells if cell is not None]
            yield f"table {table}", b"\n".join(texts)
            yield f"table {table}, inflated", b"\n".join(map(_inflated, texts))


def _inflated(cell: bytes) -> bytes:
    """A DAG is kept compressed where the operator says so."""
    try:
        return zlib.decompress(cell)
    except zlib.error:
        return b""


# By the first bytes, as a database's journal and a scratch file have other names.
_READERS: dict[str, tuple[bytes, Callable[[Path], Iterator[tuple[str, bytes]]]]] = {
    "gzip": (b"\x1f\x8b", _unpacked),
    "Parquet": (b"PAR1", _columns),
    "SQLite": (b"SQLite format 3\x00", _cells),
}
