"""The extract of changes: call-log records in the order in which they were modified.

https://developers.ringcentral.com/api-reference/Call-Log/extractSyncAccountCallLog . Its reference is all that is
known: how long a token lives, whether it may be used twice and whether deleted records come are not established.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast
from urllib.parse import urlencode

from starlette.responses import Response

from sandbox.ringcentral.call_log_query import read_choice, read_moment, read_positive, read_single
from sandbox.ringcentral.calls import CallRecord
from sandbox.ringcentral.edits import Edit
from sandbox.ringcentral.errors import invalid_parameter, not_combinable
from sandbox.ringcentral.operations import ApiRequest, text_response
from sandbox.ringcentral.records import RecordView, View, owner_url, records_text
from sandbox.ringcentral.state import State
from sandbox.ringcentral.sync_tokens import SyncCursor
from sandbox.ringcentral.timestamps import to_text

_DEFAULT_COUNT = 250
_MAX_COUNT = 1000
_DEFAULT_RANGE = timedelta(hours=1)
_MILLISECOND = timedelta(milliseconds=1)

# When a record was modified, its id, and the version that it has now.
Change = tuple[datetime, str, CallRecord]


def extract_changes(state: State, request: ApiRequest) -> Response:
    """GET …/account/{accountId}/call-log-extract-sync.

    A record comes once an answer, in the version that it has now, at the time at which it got that.
    """
    # The edits are read before the time, so that none of them is younger.
    edits = state.edits.after(0)
    now = state.clock.now()
    sync_type = read_choice(request, "syncType", ("FSync", "ISync")) or "FSync"
    cursor = _continued(state, request) if sync_type == "ISync" else _started(request, edits, now)
    new_edits = edits[cursor.edit :]
    changes = heapq.merge(
        _planned(state, cursor.time, now), _edited(state, new_edits, now), key=lambda change: change[:2]
    )
    taken, more = _take(changes, cursor)
    if more:
        last = taken[-1][0]
        given = sum(edit.time <= last for edit in new_edits)
        following = replace(cursor, time=last, edit=cursor.edit + given)
    else:
        following = replace(cursor, time=max(cursor.time, now), edit=len(edits))
    owner = owner_url(state, None)
    shown = RecordView(state, cursor.view, owner, now)
    return text_response(
        records_text(
            {"uri": f"{owner}/call-log-extract-sync?{_query(request, sync_type, cursor)}"},
            shown,
            [version for _, _, version in taken],
            {
                "syncInfo": {
                    "syncType": sync_type,
                    "syncToken": state.sync_tokens.issue(following),
                    "syncTime": to_text(now),
                    "newerRecordsExist": more,
                }
            },
        )
    )


def _started(request: ApiRequest, edits: tuple[Edit, ...], now: datetime) -> SyncCursor:
    date_from = read_moment(request, "dateFrom", now - _DEFAULT_RANGE)
    if date_from > now:
        raise invalid_parameter("dateFrom", to_text(date_from))
    return SyncCursor(
        time=date_from - _MILLISECOND,
        edit=sum(edit.time < date_from for edit in edits),
        record_count=min(read_positive(request, "recordCount", _DEFAULT_COUNT), _MAX_COUNT),
        view=cast("View", read_choice(request, "view", ("Simple", "Detailed")) or "Simple"),
        metadata_category=tuple(request.values("metadataCategory")),
    )


def _continued(state: State, request: ApiRequest) -> SyncCursor:
    if request.values("recordCount"):
        raise not_combinable("recordCount", "syncToken")
    token = read_single(request, "syncToken")
    if token is None:
        raise invalid_parameter("syncToken", "")
    return state.sync_tokens.cursor_of(token)


def _planned(state: State, after: datetime, now: datetime) -> Iterator[Change]:
    """What changes by itself: records that are listed or rewritten."""
    for time, record in state.world.changes(after, now):
        version = record.extracted_at(now)
        edit = state.edits.latest_of(record.id)
        if version is not None and version.last_modified_time == time and (edit is None or edit.time < time):
            yield time, record.id, version


def _edited(state: State, edits: tuple[Edit, ...], now: datetime) -> list[Change]:
    """What users changed."""
    changes = []
    for edit in edits:
        if edit is not state.edits.latest_of(edit.call_id):
            continue
        record = state.world.find_record(edit.call_id)
        version = record.extracted_at(now) if record is not None else None
        if version is not None and edit.time >= version.last_modified_time:
            changes.append((edit.time, edit.call_id, version))
    return sorted(changes, key=lambda change: change[:2])


def _take(changes: Iterator[Change], cursor: SyncCursor) -> tuple[list[Change], bool]:
    """The changes of one answer, and whether there are more.

    The answer grows until all records of its last millisecond are in it, as the next one begins after that.
    """
    wanted = frozenset(cursor.metadata_category)
    taken: list[Change] = []
    for change in changes:
        if wanted and not wanted & frozenset(change[2].metadata_categories):
            continue
        if len(taken) >= cursor.record_count and change[0] != taken[-1][0]:
            return taken, True
        taken.append(change)
    return taken, False


def _query(request: ApiRequest, sync_type: str, cursor: SyncCursor) -> str:
    """The effective query, as it stands in the answer's own link."""
    if sync_type == "ISync":
        return urlencode([("syncType", sync_type), ("syncToken", request.values("syncToken")[-1])])
    pairs = [("syncType", sync_type), ("dateFrom", to_text(cursor.time + _MILLISECOND))]
    pairs += [("recordCount", str(cursor.record_count)), ("view", cursor.view)]
    return urlencode(pairs + [("metadataCategory", category) for category in cursor.metadata_category])
