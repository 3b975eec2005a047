"""The call log: pages of records, and single records by id.

https://developers.ringcentral.com/guide/voice/call-log
"""

from __future__ import annotations

from typing import cast

from starlette.responses import Response

from sandbox.ringcentral.call_log_query import CallLogQuery, parse_query
from sandbox.ringcentral.calls import CallRecord, Recording
from sandbox.ringcentral.directory import Extension, extension_of
from sandbox.ringcentral.errors import invalid_parameter, not_found
from sandbox.ringcentral.operations import ApiRequest, json_response
from sandbox.ringcentral.records import View, owner_url, record_json
from sandbox.ringcentral.state import State


def list_records(state: State, request: ApiRequest) -> Response:
    """GET …/account/{accountId}[/extension/{extensionId}]/call-log.

    A range holds its dateFrom and not its dateTo, and the latest start comes first; neither is established. A page has
    no totals and a link to the next one only where there is one, as documented for the call log. An empty page has
    neither page nor pageStart nor pageEnd, which the reference allows.
    """
    extension = _extension(request)
    query = parse_query(request, state.clock.now(), extension is not None, state.config.detailed_per_page_cap)
    records = _select(state, query, extension)
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
    return json_response(
        {
            **link(query.page),
            "records": [record_json(state, record, query.view, owner) for record in shown],
            "paging": paging,
            "navigation": navigation,
        }
    )


def read_record(state: State, request: ApiRequest) -> Response:
    """GET …/call-log/{callRecordId} for one id; several ids are not looked alike."""
    extension = _extension(request)
    view = next(iter(request.values("view")), "Simple")
    if view not in {"Simple", "Detailed"}:
        raise invalid_parameter("view", view)
    record = state.world.find_record(request.path["callRecordId"])
    if record is None or not state.listed(record) or state.deleted_calls.time_of(record.id):
        raise not_found("callRecordId")
    if extension is not None and not _involves(record, extension):
        raise not_found("callRecordId")
    return json_response(record_json(state, record, cast("View", view), owner_url(state, extension)))


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


def _select(state: State, query: CallLogQuery, extension: Extension | None) -> list[CallRecord]:
    """All records of a query, the latest start first."""

    def kept(record: CallRecord) -> tuple[Recording, ...]:
        return tuple(recording for recording in record.recordings if not state.deleted_recordings.time_of(recording.id))

    return [
        record
        for record in reversed(state.world.records(query.date_from, query.date_to))
        if state.listed(record)
        and (query.show_deleted or not state.deleted_calls.time_of(record.id))
        and (extension is None or _involves(record, extension))
        and query.matches(record, kept(record))
    ]
