"""What a call that waits for instructions is answered: that it be recorded, and whom it is connected to.

https://developers.sinch.com/docs/voice/api-reference/svaml/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from voxlake.sinch.events import AnsweredCall, Callback, IncomingCall
from voxlake.sinch.svaml import RecordingOptions, StartRecording


@dataclass(frozen=True)
class CallPolicy:
    """How calls are answered.

    Attributes:
        connect_to: Whom an incoming call is connected to: a number (`+46…`), `sip:<address>` or `conference:<id>`;
            empty for whom the caller asked for.
        record_at: From when on calls are recorded: `ice`, when they come in; `ace`, when they are answered. At one of
            the two only, as Sinch does not say what a second start does to a recording.
        record_conference: What is recorded of a conference: `participant`, what each of them hears, a file each;
            `conference`, the whole in one file, which Sinch's support has to allow.
    """

    connect_to: str = ""
    record_at: Literal["ice", "ace"] = "ice"
    record_conference: Literal["participant", "conference"] = "participant"


@dataclass(frozen=True)
class Answer:
    """An answer to a callback.

    Attributes:
        svaml: Its body; may hold the credentials of the bucket in plain text.
        recording: Whether it starts the recording: None if this is not the moment for it.
    """

    svaml: dict[str, Any]
    recording: bool | None


def answer_call(call: IncomingCall | AnsweredCall, policy: CallPolicy, options: RecordingOptions | None) -> Answer:
    """The answer to a call that waits.

    Args:
        call: The callback.
        policy: How calls are answered.
        options: How and where it is to be recorded; None where nobody can say, and it is connected without.
    """
    action = _connection(call, policy.connect_to) if isinstance(call, IncomingCall) else {"name": "continue"}
    if policy.record_at != ("ice" if isinstance(call, IncomingCall) else "ace"):
        return Answer({"action": action}, None)
    # "StartRecording with ConnectMxp is not supported": https://github.com/sinch/docs (voice-rest-api-callback-api.md)
    if options is None or action["name"] == "connectMxp":
        return Answer({"action": action}, False)
    if action["name"] == "connectConf" and policy.record_conference == "conference":
        return Answer({"action": action | {"record": True, "recordingOptions": options.to_json()}}, True)
    # Instructions are done before the action.
    return Answer({"instructions": [StartRecording(options).to_json()], "action": action}, True)


def waits(callback: Callback) -> bool:
    """Whether a call waits for the answer to a callback: to ICE, ACE and PIE."""
    return callback.event.lower() in ("ice", "ace", "pie")


def _connection(call: IncomingCall, connect_to: str) -> dict[str, Any]:
    kind, _, whom = connect_to.partition(":")
    if kind == "conference":
        return {"name": "connectConf", "conferenceId": whom}
    if kind == "sip":
        return {"name": "connectSip", "destination": {"endpoint": whom}}
    if connect_to:
        return {"name": "connectPstn", "number": connect_to}
    return _as_asked(call)


def _as_asked(call: IncomingCall) -> dict[str, Any]:
    """Without a destination Sinch connects to whom the caller asked for."""
    called = call.to.endpoint if call.to and call.to.endpoint else ""
    # The domain of a conference may be given as `pstn`: https://github.com/sinch/docs (voice-rest-api-callback-api.md)
    kinds = {(call.domain or "").lower(), ((call.to.type if call.to else None) or "").lower()}
    if "conference" in kinds and called:
        return {"name": "connectConf", "conferenceId": called}
    if "sip" in kinds and called:
        return {"name": "connectSip", "destination": {"endpoint": called}}
    if "mxp" in kinds or "username" in kinds:
        return {"name": "connectMxp"}
    return {"name": "connectPstn"}
