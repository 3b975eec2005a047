"""The call log: pages of records, and single records by id.

https://developers.ringcentral.com/guide/voice/call-log
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from starlette.responses import Response

from sandbox.ringcentral.call_log_query import CallLogQuery, parse_query
from sandbox.ringcentral.calls import CallRecord, Recording
from sandbox.ringcentral.directory import Extension, extension_of
from sandbox.ringcentral.errors import invalid_parameter, not_found
from sandbox.ringcentral.operations import ApiRequest, text_response
from sandbox.ringcentral.records import RecordView, View, owner_url, record_text, records_text
from sandbox.ringcentral.state import State


def list_records(state: State, request: ApiRequest) -> Response:
    """GET …/account/{accountId}[/extension/{extensionId}]/call-log.

    A range holds its dateFrom and not its dateTo, which is not established. A page has no totals and a link to the next
    one only where there is one, as documented for the call log. An empty page has neither page nor pageStart nor
    pageEnd, which the reference allows.
    """
    extension = _extension(request)
    query = parse_query(request, state.clock.now(), extension is not None, state.config.detailed_per_page_cap)
    if query.page > 1 and state.between_pages.action is not None:
        state.between_pages.action(query.page)
    now = state.clock.now()
    records = _select(state, query, extension, now)
    start = (query.page - 1) * query.per_page
    shown = records[start : start + query.per_page]
    owner = owner_url(state, extension)

    def link(page: int) -> dict[str, str]:
        return {"uri": f"{owner}/call-log?{query.text(page)}"}

    paging = {"perPage": query.per_page}
    if shown:
        paging = {"page": query.page, **paging, "pageStart": start, "pageEnd": start + len(shown) - 1}
    navigation = {"firstPage": link(1)}
    if start + query.per_page < len(records):
        navigation["nextPage"] = link(query.page + 1)
    if query.page > 1:
        navigation["previousPage"] = link(query.page - 1)
    return text_response(
        records_text(
            link(query.page),
            RecordView(state, query.view, owner, now),
            shown,
            {"paging": paging, "navigation": navigation},
        )
    )


def read_record(state: State, request: ApiRequest) -> Response:
    """GET …/call-log/{callRecordId} for one id; several ids are not looked alike."""
    extension = _extension(request)
    view = next(iter(request.values("view")), "Simple")
    if view not in {"Simple", "Detailed"}:
        raise invalid_parameter("view", view)
    now = state.clock.now()
    identifier = request.path["callRecordId"]
    planned = state.world.find_record(identifier)
    record = planned.listed_at(now) if planned is not None else None
    if record is None or state.edits.is_call_deleted(identifier):
        raise not_found("callRecordId")
    if extension is not None and not _involves(record, extension):
        raise not_found("callRecordId")
    return text_response(record_text(RecordView(state, cast("View", view), owner_url(state, extension), now), record))


def _extension(request: ApiRequest) -> Extension | None:
    """The extension of the path; None for the company's call log."""
    if "extensionId" not in request.path:
        return None
    extension = extension_of(request.path["extensionId"])
    if extension is None:
        raise not_found("extensionId")
    return extension


def _involves(record: CallRecord, extension: Extension) -> bool:
    return any(leg.extension is extension for leg in record.legs)


def _select(state: State, query: CallLogQuery, extension: Extension | None, now: datetime) -> list[CallRecord]:
    """All records of a query, in the order of the call log."""

    def kept(record: CallRecord) -> tuple[Recording, ...]:
        return tuple(recording for recording in record.recordings if state.holds(recording, now))

    records = state.world.listed(query.date_from, query.date_to, now)
    deleted = frozenset() if query.show_deleted else state.edits.deleted_calls
    if deleted:
        records = [record for record in records if record.id not in deleted]
    if extension is not None:
        records = [record for record in records if _involves(record, extension)]
    records = query.passing(records, kept)
    return records if state.config.call_log_order == "ascending" else records[::-1]
