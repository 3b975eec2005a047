"""Call-log records as JSON, in the Simple and the Detailed view."""

from __future__ import annotations

import zlib
from typing import Any, Literal

from sandbox.ringcentral.calls import CallRecord, Leg, Recording
from sandbox.ringcentral.directory import ACCOUNT_ID, Extension, Party
from sandbox.ringcentral.faults import spoil_record
from sandbox.ringcentral.state import State
from sandbox.ringcentral.timestamps import to_text

View = Literal["Simple", "Detailed"]


def account_url(base_url: str) -> str:
    """The account's resource, with its canonical id."""
    return f"{base_url}/restapi/v1.0/account/{ACCOUNT_ID}"


def owner_url(state: State, extension: Extension | None) -> str:
    """The resource whose call log is read: an extension, or the account."""
    account = account_url(state.platform_url)
    return account if extension is None else f"{account}/extension/{extension.id}"


def content_url(state: State, recording_id: str) -> str:
    """Where the content of a recording lies."""
    return f"{account_url(state.media_url)}/recording/{recording_id}/content"


def record_json(state: State, record: CallRecord, view: View, owner: str) -> dict[str, Any]:
    """A record as `view` shows it.

    Args:
        state: Of the sandbox.
        record: To show.
        view: Legs, billing and lastModifiedTime belong to the Detailed one only.
        owner: Resource whose call log is read, as `owner_url` gives it.
    """
    content: dict[str, Any] = {
        "uri": f"{owner}/call-log/{record.id}?view={view}",
        "id": record.id,
        "sessionId": record.session_id,
        **_shared_fields(state, record, record.master, record.duration_ms),
        "partyId": record.party_id,
    }
    if record.message_type is not None:
        message = zlib.crc32(record.id.encode()) + 1_000_000_000
        extension = owner_url(state, record.master.extension)
        content["message"] = {
            "id": str(message),
            "type": record.message_type,
            "uri": f"{extension}/message-store/{message}",
        }
    if record.metadata_categories:
        content["metadataCategories"] = list(record.metadata_categories)
    deleted_at = state.deleted_calls.time_of(record.id)
    if deleted_at is not None:
        content["deleted"] = True
    if view == "Detailed":
        changes = [state.deleted_recordings.time_of(recording.id) for recording in record.recordings]
        modified = max(time for time in (record.last_modified_time, deleted_at, *changes) if time is not None)
        content["lastModifiedTime"] = to_text(modified)
        content["billing"] = {"costIncluded": record.cost_included, "costPurchased": 0.0}
        content["legs"] = [
            {
                **_shared_fields(state, record, leg, leg.duration_ms),
                "legType": leg.leg_type,
                "master": leg is record.master,
            }
            for leg in record.legs
        ]
    fault = state.faults.take("record", record.id)
    if fault is not None:
        spoil_record(fault, content)
    return content


def _shared_fields(state: State, record: CallRecord, leg: Leg, duration_ms: int) -> dict[str, Any]:
    """What a record has in common with its legs."""
    fields: dict[str, Any] = {
        "startTime": to_text(leg.start_time),
        "duration": duration_ms // 1000,
        "durationMs": duration_ms,
        "type": record.type,
        "internalType": leg.internal_type,
        "direction": leg.direction,
        "action": leg.action,
        "result": leg.result,
        "reason": leg.reason,
        "reasonDescription": leg.reason_description,
        "to": _party_json(state, leg.to),
        "from": _party_json(state, leg.from_),
        "extension": {"uri": owner_url(state, leg.extension), "id": leg.extension.id},
        "recording": _recording_json(state, leg.recording),
        "shortRecording": True if leg.short_recording else None,
        "telephonySessionId": record.telephony_session_id,
        "transport": leg.transport,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _party_json(state: State, party: Party) -> dict[str, Any]:
    device = None
    if party.device_id:
        device = {"uri": f"{account_url(state.platform_url)}/device/{party.device_id}", "id": party.device_id}
    fields = {
        "phoneNumber": party.phone_number,
        "extensionNumber": party.extension_number,
        "extensionId": party.extension_id,
        "name": party.name,
        "location": party.location,
        "device": device,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _recording_json(state: State, recording: Recording | None) -> dict[str, str] | None:
    """The reference to a recording, which RingCentral removes from the record once the media is deleted."""
    if recording is None or state.deleted_recordings.time_of(recording.id):
        return None
    return {
        "uri": f"{account_url(state.platform_url)}/recording/{recording.id}",
        "id": recording.id,
        "type": recording.type,
        "contentUri": content_url(state, recording.id),
    }
