"""The whole result of a search as a file."""

from __future__ import annotations

from collections.abc import Iterator

from voxlake.search.index import SearchIndex
from voxlake.search.query import SearchQuery


def export_csv(index: SearchIndex, query: SearchQuery, *, numbers: bool) -> Iterator[bytes]:
    """The result as CSV (UTF-8 with a byte order mark, as Excel needs it), a piece at a time; the page does not matter.

    Args:
        index: Of the lake.
        query: What is asked for.
        numbers: Whether the reader may see phone numbers; see `search`.

    Raises:
        QueryError: As `search`, before the first piece.
    """
    raise NotImplementedError


def export_parquet(index: SearchIndex, query: SearchQuery, *, numbers: bool) -> Iterator[bytes]:
    """The result as Parquet; see `export_csv`."""
    raise NotImplementedError
