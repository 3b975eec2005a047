"""Call-log records as JSON, in the Simple and the Detailed view."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal

from sandbox.ringcentral.calls import CallRecord, Leg, Recording
from sandbox.ringcentral.directory import ACCOUNT_ID, Extension, Party
from sandbox.ringcentral.faults import spoiled_record
from sandbox.ringcentral.operations import compact
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


@dataclass(frozen=True, slots=True)
class RecordView:
    """How the records of one answer are shown.

    Attributes:
        state: Of the sandbox.
        view: Legs, billing and lastModifiedTime belong to the Detailed one only.
        owner: Resource whose call log is read, as `owner_url` gives it.
        now: Decides which recordings have outlived their retention.
    """

    state: State
    view: View
    owner: str
    now: datetime


def records_text(
    before: Mapping[str, object], shown: RecordView, records: Sequence[CallRecord], after: Mapping[str, object]
) -> str:
    """The JSON text of an answer with records, between the members `before` and `after` them."""
    texts = ",".join([record_text(shown, record) for record in records])
    return f'{compact(before)[:-1]},"records":[{texts}],{compact(after)[1:]}'


def record_text(shown: RecordView, record: CallRecord) -> str:
    """The JSON text of a version of a record.

    It is put together of texts, of which those of parties and outcomes recur: a page of a thousand records is several
    times faster than as dictionaries, so that whoever measures a reader measures little of the sandbox.
    """
    state = shown.state
    deleted = state.edits.is_call_deleted(record.id)
    if deleted and state.config.deleted_records == "stub":
        text = (
            f'{{"uri":"{shown.owner}/call-log/{record.id}?view={shown.view}","id":"{record.id}",'
            f'"sessionId":"{record.session_id}","startTime":"{to_text(record.start_time)}","deleted":true}}'
        )
    else:
        text = _whole_text(shown, record, deleted)
    fault = state.faults.take("record", record.id)
    return text if fault is None else compact(spoiled_record(fault, json.loads(text)))


def _whole_text(shown: RecordView, record: CallRecord, deleted: bool) -> str:
    master = record.master
    master_text = _shared_text(shown, record, master)
    members = [
        f'"uri":"{shown.owner}/call-log/{record.id}?view={shown.view}","id":"{record.id}",'
        f'"sessionId":"{record.session_id}",{_length_text(master.start_time, record.duration_ms)},{master_text}'
        f'{_links_text(record.transfer_target, record.transferee)},"partyId":"{record.party_id}"'
    ]
    if record.message_type is not None:
        message = zlib.crc32(record.id.encode()) + 1_000_000_000
        extension = owner_url(shown.state, master.extension)
        members.append(
            f'"message":{{"id":"{message}","type":"{record.message_type}","uri":"{extension}/message-store/{message}"}}'
        )
    if record.metadata_categories:
        members.append(f'"metadataCategories":{compact(record.metadata_categories)}')
    if deleted:
        members.append('"deleted":true')
    if shown.view == "Detailed":
        edit = shown.state.edits.latest_of(record.id)
        modified = record.last_modified_time if edit is None else max(record.last_modified_time, edit.time)
        members.append(f'"lastModifiedTime":"{to_text(modified)}"')
        members.append(f'"billing":{{"costIncluded":{record.cost_included},"costPurchased":0.0}}')
        texts = [
            f"{{{_length_text(leg.start_time, leg.duration_ms)},"
            f"{master_text if leg is master else _shared_text(shown, record, leg)}"
            f'{_links_text(leg.transfer_target, leg.transferee)},"legType":"{leg.leg_type}",'
            f'"master":{"true" if leg is master else "false"}}}'
            for leg in record.legs
        ]
        members.append(f'"legs":[{",".join(texts)}]')
    return f"{{{','.join(members)}}}"


def _length_text(start_time: datetime, duration_ms: int) -> str:
    return f'"startTime":"{to_text(start_time)}","duration":{duration_ms // 1000},"durationMs":{duration_ms}'


def _shared_text(shown: RecordView, record: CallRecord, leg: Leg) -> str:
    """What a record has in common with its legs, but for the times and the links to other sessions."""
    state = shown.state
    recording = ""
    if leg.recording is not None and state.holds(leg.recording, shown.now):
        recording = _recording_text(state, leg.recording)
    short = ',"shortRecording":true' if leg.short_recording else ""
    outcome = _outcome_text(
        record.type, leg.internal_type, leg.direction, leg.action, leg.result, leg.reason, leg.reason_description
    )
    return (
        f'{outcome},"to":{_party_text(state.platform_url, leg.to)},"from":{_party_text(state.platform_url, leg.from_)},'
        f'"extension":{{"uri":"{owner_url(state, leg.extension)}","id":{leg.extension.id}}}{recording}{short}'
        f',"telephonySessionId":"{record.telephony_session_id}","transport":"{leg.transport}"'
    )


@lru_cache(maxsize=4096)
def _outcome_text(
    kind: str,
    internal_type: str | None,
    direction: str,
    action: str,
    result: str,
    reason: str | None,
    reason_description: str | None,
) -> str:
    fields = {
        "type": kind,
        "internalType": internal_type,
        "direction": direction,
        "action": action,
        "result": result,
        "reason": reason,
        "reasonDescription": reason_description,
    }
    return compact({name: value for name, value in fields.items() if value is not None})[1:-1]


@lru_cache(maxsize=16_384)
def _party_text(platform_url: str, party: Party) -> str:
    device = None
    if party.device_id:
        device = {"uri": f"{account_url(platform_url)}/device/{party.device_id}", "id": party.device_id}
    fields = {
        "phoneNumber": party.phone_number,
        "extensionNumber": party.extension_number,
        "extensionId": party.extension_id,
        "name": party.name,
        "location": party.location,
        "device": device,
    }
    return compact({name: value for name, value in fields.items() if value is not None})


def _recording_text(state: State, recording: Recording) -> str:
    """The reference to a recording, with the comma before it."""
    return (
        f',"recording":{{"uri":"{account_url(state.platform_url)}/recording/{recording.id}","id":"{recording.id}",'
        f'"type":"{recording.type}","contentUri":"{content_url(state, recording.id)}"}}'
    )


def _links_text(transfer_target: str | None, transferee: str | None) -> str:
    """The sessions that a session is connected with, with the comma before each."""
    links = (("transferTarget", transfer_target), ("transferee", transferee))
    return "".join(f',"{name}":{{"telephonySessionId":"{other}"}}' for name, other in links if other is not None)
