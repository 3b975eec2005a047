"""The access log for those who may see it: who exported, played and downloaded what, when, and from where."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from voxlake.web.access import read_accesses
from voxlake.web.dependencies import Auditor, Lake
from voxlake.web.rights import Right
from voxlake.web.templating import templates

router = APIRouter()

PAGE_SIZE = 100
_DEFAULT_DAYS = 7


@router.get("/access-log", name="access_log")
def access_log_page(
    request: Request,
    lake: Lake,
    reader: Auditor,
    since: Annotated[date | None, Query(alias="from")] = None,
    until: Annotated[date | None, Query(alias="to")] = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """The accesses of some UTC days, newest first: of the last seven where none are named."""
    last = until or max(datetime.now(UTC).date(), since or date.min)
    first = since or last - timedelta(days=_DEFAULT_DAYS - 1)
    if first > last:
        raise HTTPException(422, f"The first day, {first}, lies after the last one, {last}: exchange the two.")
    found = read_accesses(
        lake, first, last, numbers=reader.may(Right.NUMBERS), offset=(page - 1) * PAGE_SIZE, limit=PAGE_SIZE
    )
    pages = max(1, -(-found.total // PAGE_SIZE))
    context = {
        "accesses": found.accesses,
        "total": found.total,
        "since": first,
        "until": last,
        "page": page,
        "pages": pages,
        "newer": _href(first, last, min(page - 1, pages)) if page > 1 else None,
        "older": _href(first, last, page + 1) if page < pages else None,
    }
    return templates.TemplateResponse(request, "access_log.html", context)


def _href(first: date, last: date, page: int) -> str:
    return f"?{urlencode({'from': first, 'to': last, 'page': page})}"
