"""The search page: a form, what it finds, and the query in the address, so that it can be kept and shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from voxlake.search.find import Found, search
from voxlake.search.index import SearchIndex
from voxlake.search.query import (
    DIRECTIONS,
    STATUSES,
    QueryError,
    SearchQuery,
    parse_query,
    query_params,
)
from voxlake.settings import get_settings
from voxlake.web.dependencies import Finder, Lake
from voxlake.web.rights import Right
from voxlake.web.templating import templates

router = APIRouter()

# What calls mostly end with, as a help for typing: https://developers.ringcentral.com/api-reference/Call-Log
RESULTS = ("Accepted", "Call connected", "Hang Up", "Missed", "No Answer", "Rejected", "Voicemail")
# The columns of the table, and what each is sorted by; of parties the name, which everybody may see.
COLUMNS = (
    ("When", "start"),
    ("From", "from_name"),
    ("To", "to_name"),
    ("Direction", "direction"),
    ("Length", "duration"),
    ("Result", "result"),
    ("Legs", "legs"),
    ("Recording", "status"),
)
# What is sorted by for the first time comes in this order; all else from A to Z.
_LARGEST_FIRST = ("start", "duration", "legs")


@dataclass(frozen=True)
class Header:
    """The header of a column.

    Attributes:
        text: What it says.
        href: The search sorted by this column, or the other way round.
        order: `ascending` or `descending` where the search is sorted by it, else None.
    """

    text: str
    href: str
    order: str | None


def index_of(lake: Lake) -> SearchIndex:
    """The index of the lake that the pages are about."""
    return SearchIndex(lake, get_settings().state_dir / "search")


Index = Annotated[SearchIndex, Depends(index_of)]


@router.get("/", name="search")
def search_page(request: Request, index: Index, reader: Finder) -> Response:
    """The form, with what its query finds; 422 where the query cannot be made."""
    params = dict(request.query_params)
    try:
        query = parse_query(params, datetime.now(UTC))
        found = search(index, query, numbers=reader.may(Right.NUMBERS))
    except QueryError as error:
        return _page(request, {"values": params, "error": error}, 422)
    context = {
        "values": query_params(query),
        "query": query,
        "found": found,
        "headers": [_header(query, text, sort) for text, sort in COLUMNS],
        "links": _page_links(query, found),
        "exported": urlencode(query_params(query, page=1)),
    }
    return _page(request, context, 200)


def _page(request: Request, context: Mapping[str, Any], status: int) -> Response:
    known = {"directions": DIRECTIONS, "statuses": STATUSES, "results": RESULTS, "error": None}
    return templates.TemplateResponse(request, "search.html", {**known, **context}, status)


def _header(query: SearchQuery, text: str, sort: str) -> Header:
    if query.sort == sort:
        turned = "asc" if query.order == "desc" else "desc"
        return Header(text, _href(query, order=turned, page=1), f"{query.order}ending")
    first = "desc" if sort in _LARGEST_FIRST else "asc"
    return Header(text, _href(query, sort=sort, order=first, page=1), None)


def _page_links(query: SearchQuery, found: Found) -> list[tuple[str, str | None]]:
    """The links to other pages; None instead of an address where one is there already."""
    before, after = found.page > 1, found.page < found.pages
    return [
        ("First", _href(query, page=1) if before else None),
        ("Previous", _href(query, page=found.page - 1) if before else None),
        ("Next", _href(query, page=found.page + 1) if after else None),
        ("Last", _href(query, page=found.pages) if after else None),
    ]


def _href(query: SearchQuery, **changes: Any) -> str:
    return f"?{urlencode(query_params(query, **changes))}"
