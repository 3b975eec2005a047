"""Recordings: metadata, content and deletion.

https://developers.ringcentral.com/guide/voice/call-log/recordings
"""

from __future__ import annotations

import json
import re
from datetime import timedelta

from starlette.responses import Response

from sandbox.ringcentral.calls import Recording
from sandbox.ringcentral.errors import ApiError, invalid_parameter, not_found, range_not_satisfiable
from sandbox.ringcentral.operations import ApiRequest, json_response
from sandbox.ringcentral.records import content_url
from sandbox.ringcentral.state import State

_MOST_DELETED_AT_ONCE = 100


def read_recording(state: State, request: ApiRequest) -> Response:
    """GET …/account/{accountId}/recording/{recordingId}."""
    recording = _available(state, request.path["recordingId"])
    return json_response(
        {
            "id": recording.id,
            "contentUri": content_url(state, recording.id),
            "contentType": recording.content_type,
            "duration": recording.duration_ms // 1000,
        }
    )


def read_content(state: State, request: ApiRequest) -> Response:
    """GET …/account/{accountId}/recording/{recordingId}/content: the whole file, or one range of it.

    Neither an ETag nor Accept-Ranges is sent, as RingCentral has established neither.
    """
    recording = _available(state, request.path["recordingId"])
    headers: dict[str, str] = {"Content-Type": recording.content_type}
    disposition = _disposition(request)
    if disposition is not None:
        headers["Content-Disposition"] = disposition
    content = state.audio.content(recording)
    asked = request.headers.get("range")
    if asked is None:
        return Response(content, 200, headers)
    start, end = _range(asked, len(content))
    headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return Response(content[start : end + 1], 206, headers)


def delete_recordings(state: State, request: ApiRequest) -> Response:
    """DELETE …/account/{accountId}/call-recordings: deletes the media; the call-log records stay, without it."""
    try:
        body = json.loads(request.body)
        identifiers = body["records"]
    except (ValueError, KeyError, TypeError):
        raise ApiError(400, "CMN-104", "Cannot parse request") from None
    if not isinstance(identifiers, list) or not 1 <= len(identifiers) <= _MOST_DELETED_AT_ONCE:
        raise invalid_parameter("records", str(identifiers))
    for identifier in identifiers:
        _available(state, str(identifier))
    for identifier in identifiers:
        state.delete_recording(str(identifier))
    return Response(status_code=204)


def _available(state: State, recording_id: str) -> Recording:
    """The recording of an id, if its call has ended, it is ready, not deleted and not too old."""
    found = state.world.find_recording(recording_id)
    now = state.clock.now()
    if found is None or not state.holds(found[0], now):
        raise not_found("recordingId")
    recording, (record, *_) = found
    if record.end_time + timedelta(seconds=state.config.recording_delay) > now:
        raise not_found("recordingId")
    return recording


def _disposition(request: ApiRequest) -> str | None:
    kind = next(iter(request.values("contentDisposition")), None)
    name = next(iter(request.values("contentDispositionFilename")), None)
    if kind not in {None, "Inline", "Attachment"}:
        raise invalid_parameter("contentDisposition", str(kind))
    if kind is None and name is None:
        return None
    if name is None:
        return str(kind).lower()
    if not re.fullmatch(r"[\w .()-]+", name, re.ASCII):
        raise invalid_parameter("contentDispositionFilename", name)
    return f'{(kind or "Attachment").lower()}; filename="{name}"'


def _range(text: str, size: int) -> tuple[int, int]:
    """First and last byte of a Range header with one range (RFC 9110, section 14.1.2)."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", text.strip())
    if match is None or not any(match.groups()):
        raise range_not_satisfiable(size)
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    if start > end:
        raise range_not_satisfiable(size)
    return start, end
