"""The whole result of a search as a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response, StreamingResponse

from voxlake.search.export import export_csv, export_parquet
from voxlake.search.query import QueryError, parse_query
from voxlake.web.access import log_export
from voxlake.web.dependencies import Finder, Lake
from voxlake.web.pages.search import Index
from voxlake.web.rights import Reader, Right

router = APIRouter()


@router.get("/export.csv", name="export_csv")
def csv(request: Request, lake: Lake, index: Index, reader: Finder) -> Response:
    """The result as CSV; takes the params of the search page."""
    return _export(request, lake, index, reader, export_csv, "csv", "text/csv; charset=utf-8")


@router.get("/export.parquet", name="export_parquet")
def parquet(request: Request, lake: Lake, index: Index, reader: Finder) -> Response:
    """The result as Parquet; takes the params of the search page."""
    return _export(request, lake, index, reader, export_parquet, "parquet", "application/vnd.apache.parquet")


def _export(
    request: Request,
    lake: Lake,
    index: Index,
    reader: Reader,
    export: Callable[..., Iterator[bytes]],
    suffix: str,
    media_type: str,
) -> Response:
    try:
        query = parse_query(dict(request.query_params), datetime.now(UTC))
        pieces = export(index, query, numbers=reader.may(Right.NUMBERS))
    except QueryError as error:
        raise HTTPException(422, f"This search cannot be made: {error}.") from error
    log_export(request, lake, reader)
    file_name = f"conversations-{query.since}--{query.until}.{suffix}"
    return StreamingResponse(
        pieces, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{file_name}"'}
    )
