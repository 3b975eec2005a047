"""Reads the company call log of a window of time, page by page."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from voxlake.ringcentral.addresses import shown_url
from voxlake.ringcentral.client import JsonReply, Parameter, RingCentralClient
from voxlake.ringcentral.errors import BadReplyError

_ACCOUNT = re.compile(r"/account/(\d+)(?:[/?#]|$)")


@dataclass(frozen=True)
class CallLogPage:
    """One page of the call log.

    Attributes:
        number: 1 for the first page of the window, then counting up.
        body: The body as received, after content decoding.
        records: The call-log records, unchecked: an element is whatever JSON value RingCentral sent.
        account_id: The account's own id as the reply's addresses state it, None if none does.
        per_page: The page size that the reply states; the server may have lowered the one asked for.
    """

    number: int
    body: bytes = field(repr=False)
    records: list[Any] = field(repr=False)
    account_id: str | None
    per_page: int


def iter_call_log_pages(
    client: RingCentralClient,
    start: datetime,
    end: datetime,
    *,
    per_page: int = 1000,
    account_id: str = "~",
) -> Iterator[CallLogPage]:
    """Reads all calls that started between `start` and `end`, with their legs, one request a page.

    The next page is asked for by `navigation.nextPage.uri` until there is none: the call log states no number of
    pages (https://developers.ringcentral.com/guide/voice/call-log/details). Nor does it say whether `dateTo` is part
    of the window, so a record may start right at `end`.

    A page is a range of row numbers, and calls end and are deleted while the pages are read. In whichever order the
    rows stand, by start time up or down, a call that is listed meanwhile only moves rows towards later pages: those
    read already come once more, and the caller tells them by id; none that stood there is missed. A row that went
    would move others towards earlier pages, past the reader. So deleted records are asked for too: they keep their
    place, marked `deleted`. `showDeleted` exists for the company's call log since 2026-03
    (https://developers.ringcentral.com/api-reference/Call-Log/readCompanyCallLog).

    What RingCentral does not establish: that the rows are in order of their start, that a deleted record stays where
    it was, and how much of it. And a record whose start time is rewritten meanwhile may move across the page being
    read, which hides a row. Later reads of the same time find it; that is what an overlap is for.

    Args:
        client: The connection.
        start: First moment, with a time zone.
        end: Last moment, with a time zone, after `start`.
        per_page: Records asked for in a page, 1 to 1000.
        account_id: `~` is the account of the credential.

    Raises:
        ValueError: `start` or `end` has no time zone, or the window is empty. Raised by the call, before any
            request.
        BadReplyError: A reply is no call-log page, or its pages lead in a circle.
        RingCentralError: A request failed; see RingCentralClient.
    """
    for name, moment in (("start", start), ("end", end)):
        if moment.tzinfo is None:
            raise ValueError(f"{name} ({moment.isoformat()}) has no time zone; give it one, such as UTC.")
    if start >= end:
        raise ValueError(f"start ({start.isoformat()}) is not before end ({end.isoformat()}).")
    return _pages(
        client,
        f"/restapi/v1.0/account/{account_id}/call-log",
        {"view": "Detailed", "dateFrom": start, "dateTo": end, "showDeleted": True, "perPage": per_page},
    )


def iter_session_pages(
    client: RingCentralClient, since: datetime, *, telephony_session_id: str = "", session_id: str = ""
) -> Iterator[CallLogPage]:
    """Reads all calls of one telephony session, with their legs; mostly one page.

    Args:
        client: The connection.
        since: Before the session began, with a time zone: without it the call log shows the last 24 hours only.
        telephony_session_id: Which session, such as `s-…`.
        session_id: Or its numeric id, which goes with no other filter (CLG-110).

    Raises:
        ValueError: Not exactly one of the two ids is given, or `since` has no time zone.
        BadReplyError: A reply is no call-log page, or its pages lead in a circle.
        RingCentralError: A request failed; see RingCentralClient.
    """
    if bool(telephony_session_id) == bool(session_id):
        raise ValueError("Give either a telephonySessionId or a sessionId.")
    which: dict[str, Parameter] = {"sessionId": session_id}
    if telephony_session_id:
        which = {"telephonySessionId": telephony_session_id, "showDeleted": True}
    return _pages(
        client,
        "/restapi/v1.0/account/~/call-log",
        {"view": "Detailed", "dateFrom": since, "perPage": 1000, **which},
    )


def _pages(client: RingCentralClient, path: str, params: Mapping[str, Parameter]) -> Iterator[CallLogPage]:
    reply = client.get_json(path, params)
    number = 1
    followed: set[str] = set()
    while True:
        yield _page(number, reply)
        next_uri = _next_page(reply)
        if next_uri is None:
            return
        if next_uri in followed:
            raise bad_page(reply, "navigation.nextPage.uri", "leads back to a page that has been read already")
        followed.add(next_uri)
        reply = client.get_json(next_uri)
        number += 1


def _page(number: int, reply: JsonReply) -> CallLogPage:
    records = records_of(reply)
    paging = reply.data.get("paging")
    per_page = paging.get("perPage") if isinstance(paging, dict) else None
    if not isinstance(per_page, int) or isinstance(per_page, bool):
        raise bad_page(reply, "paging.perPage", "is not a whole number")
    return CallLogPage(number, reply.body, records, account_id_of(reply.data), per_page)


def _next_page(reply: JsonReply) -> str | None:
    navigation = reply.data.get("navigation")
    if not isinstance(navigation, dict):
        raise bad_page(reply, "navigation", "is not an object, so the end of the pages cannot be told")
    next_page = navigation.get("nextPage")
    if next_page is None:
        return None
    uri = next_page.get("uri") if isinstance(next_page, dict) else None
    if not isinstance(uri, str):
        raise bad_page(reply, "navigation.nextPage.uri", "is not a text")
    return uri


def records_of(reply: JsonReply) -> list[Any]:
    """The records of a page.

    Raises:
        BadReplyError: It has none, not even an empty list of them.
    """
    records = reply.data.get("records")
    if not isinstance(records, list):
        raise bad_page(reply, "records", "is not a list")
    return records


def account_id_of(data: dict[str, Any]) -> str | None:
    """The account that a page's addresses name, None if none does.

    Args:
        data: The parsed page; its `records` is a list.
    """
    navigation = data.get("navigation")
    first_page = navigation.get("firstPage") if isinstance(navigation, dict) else None
    for holder in (data, first_page, *data["records"]):
        uri = holder.get("uri") if isinstance(holder, dict) else None
        found = _ACCOUNT.search(uri) if isinstance(uri, str) else None
        if found:
            return found[1]
    return None


def bad_page(reply: JsonReply, field_name: str, problem: str) -> BadReplyError:
    """The error for a page that is not what the endpoint promises, by the field that tells."""
    shown = shown_url(reply.url)
    return BadReplyError(
        f"RingCentral answered GET {shown} with a call-log page whose field {field_name} {problem}. Read it again; if "
        "it stays, report it to RingCentral with this address.",
        status=200,
        method="GET",
        url=shown,
    )
