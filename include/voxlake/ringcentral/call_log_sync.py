"""Reads what was modified in the company call log, page by page, by the token that the page before ends with.

The endpoint is documented, but all that is known of it is its reference
(https://developers.ringcentral.com/api-reference/Call-Log/extractSyncAccountCallLog): there is no guide, and nobody is
known to use it. Not established are the order of the records, how long a token lives, how far back `dateFrom` may lie,
and whether deleted records come and how. So whoever reads by it should be able to read windows of `call_log` instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from voxlake.ringcentral.call_log import account_id_of, bad_page, records_of
from voxlake.ringcentral.client import JsonReply, Parameter, RingCentralClient
from voxlake.ringcentral.errors import RequestError, SyncTokenRefusedError

# Named for the older call-log-sync: https://developers.ringcentral.com/guide/voice/call-log/sync
_TOKEN_CODE = re.compile(r"CLG-10[1-5]")


@dataclass(frozen=True)
class SyncPage:
    """One page of modified call-log records.

    Attributes:
        number: 1 for the first page of this read, then counting up.
        body: The body as received, after content decoding.
        records: The call-log records, unchecked: an element is whatever JSON value RingCentral sent.
        account_id: The account's own id as the reply's addresses state it, None if none does.
        sync_token: What a later read continues with, once this page and those before it are stored.
    """

    number: int
    body: bytes = field(repr=False)
    records: list[Any] = field(repr=False)
    account_id: str | None
    sync_token: str


def iter_modified_pages(
    client: RingCentralClient, *, sync_token: str | None, since: datetime, record_count: int = 1000
) -> Iterator[SyncPage]:
    """Reads the call-log records that were modified, with their legs, one request a page, until there is no newer one.

    A record may come more than once, in this read or the next, and it may have started at any time before.

    Args:
        client: The connection.
        sync_token: Where the last read ended; None to begin anew at `since`.
        since: First moment of modification that a read without a token asks for, with a time zone.
        record_count: Records asked for in a page by a read without a token, 1 to 1000; more come where several were
            modified in the same millisecond. A token keeps the number that it began with.

    Raises:
        ValueError: `since` has no time zone. Raised by the call, before any request.
        SyncTokenRefusedError: The token is not good any more.
        BadReplyError: A reply is no page of modifications, or its pages lead nowhere.
        RingCentralError: A request failed; see RingCentralClient.
    """
    if since.tzinfo is None:
        raise ValueError(f"since ({since.isoformat()}) has no time zone; give it one, such as UTC.")
    return _pages(client, sync_token, since, record_count)


def _pages(client: RingCentralClient, sync_token: str | None, since: datetime, record_count: int) -> Iterator[SyncPage]:
    used: set[str] = set()
    number = 1
    while True:
        if sync_token is None:
            reply = _ask(client, {"syncType": "FSync", "dateFrom": since, "recordCount": record_count})
        else:
            used.add(sync_token)
            reply = _ask(client, {"syncType": "ISync", "syncToken": sync_token})
        sync_token, newer_exist = _sync_info(reply)
        records = records_of(reply)
        yield SyncPage(number, reply.body, records, account_id_of(reply.data), sync_token)
        if not newer_exist:
            return
        if not records:
            raise bad_page(reply, "syncInfo.newerRecordsExist", "is true, though the page has no records")
        if sync_token in used:
            raise bad_page(reply, "syncInfo.syncToken", "leads back to a page that has been read already")
        number += 1


def _ask(client: RingCentralClient, params: dict[str, Parameter]) -> JsonReply:
    # A token is said to keep the view that it began with; naming it again cannot change it.
    try:
        return client.get_json("/restapi/v1.0/account/~/call-log-extract-sync", {"view": "Detailed", **params})
    except RequestError as error:
        if "syncToken" in params and _is_of_token(error):
            raise _refused(error) from None
        raise


def _is_of_token(error: RequestError) -> bool:
    return error.status == 400 and (
        _TOKEN_CODE.fullmatch(error.error_code or "") is not None or "[syncToken]" in error.message
    )


def _refused(error: RequestError) -> SyncTokenRefusedError:
    return SyncTokenRefusedError(
        f"RingCentral does not take the sync token any more: it expired, or the call log was reset. Read anew without "
        f"a token, from a time before the last page that was read; what comes twice does no harm. {error.message}",
        status=error.status,
        error_code=error.error_code,
        method=error.method,
        url=error.url,
        retry_after=error.retry_after,
        quota=error.quota,
    )


def _sync_info(reply: JsonReply) -> tuple[str, bool]:
    info = reply.data.get("syncInfo")
    if not isinstance(info, dict):
        raise bad_page(reply, "syncInfo", "is not an object, so the end of the pages cannot be told")
    token, newer_exist = info.get("syncToken"), info.get("newerRecordsExist")
    if not isinstance(token, str) or not token:
        raise bad_page(reply, "syncInfo.syncToken", "is not a text")
    if not isinstance(newer_exist, bool):
        raise bad_page(reply, "syncInfo.newerRecordsExist", "is not true or false")
    return token, newer_exist
