"""Callbacks of the Voice API: what Sinch asks and tells while a call goes on.

https://developers.sinch.com/docs/voice/api-reference/voice/tag/Callbacks/
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from pydantic import AliasChoices, Field, ValidationError

from voxlake.sinch.parts import CallHeader, Endpoint, MachineDetection, MenuResult, Money, Part
from voxlake.sinch.times import SinchTime


class CallbackBodyError(ValueError):
    """The body of a callback is not what the Voice API (version 1) sends; the text names the field."""


class Callback(Part):
    """What all callbacks have, and all that is known of one of an event that this release does not know.

    Attributes:
        event: `ice`, `ace`, `dice`, `pie` or `notify`.
        call_id: The call; written `callid`, and `callId` in some of Sinch's documents.
        conference_id: The conference, in some events.
        version: Of the callback, 1.
        custom: What the application gave the call to carry.
        application_key: The application; `notify` does not name it.
        timestamp: When it happened; `notify` does not say.
    """

    event: str
    call_id: str | None = Field(default=None, validation_alias=AliasChoices("callid", "callId"))
    conference_id: str | None = None
    version: int | None = None
    custom: str | None = None
    application_key: str | None = None
    timestamp: SinchTime | None = None


class IncomingCall(Callback):
    """`ice`: a call comes in and waits for instructions (SVAML).

    Attributes:
        call_resource_url: The call at the host of its region: where it is read and managed.
    """

    call_resource_url: str | None = None
    cli: str | None = None
    to: Endpoint | None = None
    domain: str | None = None
    origination_type: str | None = None
    duration: int | None = None
    rdnis: str | None = None
    user: str | None = None
    user_rate: Money | None = None
    call_headers: tuple[CallHeader, ...] = ()


class AnsweredCall(Callback):
    """`ace`: the called party answered; the call waits for instructions."""

    amd: MachineDetection | None = None
    user: str | None = None


class DisconnectedCall(Callback):
    """`dice`: the call is over.

    Attributes:
        from_: Who called, as text: a number without its `+`, a user, or `private`.
        duration: Seconds; left out where nobody answered.
        result: `ANSWERED`, `BUSY`, `NOANSWER`, `FAILED` or `N/A`.
        reason: Why it ended; an open list.
    """

    from_: str | None = Field(default=None, validation_alias="from")
    to: Endpoint | None = None
    duration: int | None = None
    result: str | None = None
    reason: str | None = None
    debit: Money | None = None
    user_rate: Money | None = None
    user: str | None = None
    call_headers: tuple[CallHeader, ...] = ()


class PromptInput(Callback):
    """`pie`: a caller chose in a menu; the call waits for instructions."""

    menu_result: MenuResult | None = None


class Notification(Callback):
    """`notify`: something is done; nothing is to be answered, and what nobody takes is thrown away.

    Attributes:
        type: `recording_finished`, `recording_available`, `transcription_available`, `amd`, `callingerror` or another.
        destination: Where the file lies, of `…_available`: an `s3://`, `azure://`, `gs://` or `https://` address.
    """

    type: str
    destination: str | None = None
    amd: MachineDetection | None = None
    error_code: int | None = None
    error_msg: str | None = None
    user: str | None = None


_EVENTS: dict[str, type[Callback]] = {
    "ice": IncomingCall,
    "ace": AnsweredCall,
    "dice": DisconnectedCall,
    "pie": PromptInput,
    "notify": Notification,
}


def parse_callback(body: bytes) -> Callback:
    """The callback of a request's body.

    Raises:
        CallbackBodyError: It is no JSON object, or a field is missing or of another type; the text names it.
    """
    try:
        # Money is read as it is written.
        value: Any = json.loads(body, parse_float=Decimal)
    except ValueError:
        raise CallbackBodyError("The body is no JSON.") from None
    if not isinstance(value, dict):
        raise CallbackBodyError("The body is no JSON object.")
    event = value.get("event")
    model = _EVENTS.get(event.lower(), Callback) if isinstance(event, str) else Callback
    try:
        callback = model.model_validate(value)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise CallbackBodyError(f"The body is no callback of the Voice API: {wrong}.") from None
    if not callback.call_id and not callback.conference_id:
        raise CallbackBodyError(
            "callid: missing. Callbacks of version 1 of the Voice API have it; applications of Voice 2.0 cannot be "
            "pointed here."
        )
    return callback
