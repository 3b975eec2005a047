"""A call from dialling to its end: asks the application what to do (ICE, ACE), does it, tells what became of it.

Its time is its own: `talk(20)` lasts no time, and makes the call twenty seconds longer.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.sinch.callbacks import send
from sandbox.sinch.conferences import Conferences
from sandbox.sinch.recorder import Recorder, transcribed, transcript_key
from sandbox.sinch.state import Json, Made, Notify, SandboxCall, State

_RINGS = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """What call is to be placed.

    Attributes:
        cli: Who calls.
        to: Who is called.
        to_type: `number`, `did`, `username`, `sip` or `conference`.
        domain: Where it is to end: `pstn`, `mxp`, `sip` or `conference`.
        start: When it is placed.
        answered: Whether the called party answers.
        record: Recording options that another program of the application's answers ICE with; where they are given, the
            callback URL is not asked (ICE, ACE).
        notify: When the callback URL is told of recordings and of the end.
        uploads: Whether recordings reach the bucket.
        suffix: Put behind the call id, as some have one.
        custom: What the application gave the call to carry.
    """

    cli: str = "15550100001"
    to: str = "+15550100002"
    to_type: str = "did"
    domain: str = "pstn"
    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    answered: bool = True
    record: Mapping[str, Any] | None = None
    notify: Notify = "once"
    uploads: bool = True
    suffix: str = ""
    custom: str = ""


class PlacedCall:
    """A call on the line.

    Args:
        state: The sandbox.
        conferences: Those that are going on.
        plan: What call it is.
    """

    def __init__(self, state: State, conferences: Conferences, plan: CallPlan) -> None:
        self.call_id = f"{uuid.uuid4()}{plan.suffix}"
        self._state = state
        self._conferences = conferences
        self._plan = plan
        self._now = plan.start
        self._conference = ""
        self._recorder = Recorder(state, self.call_id, uploads=plan.uploads)
        self._call = SandboxCall(self.call_id, {}, ongoing=True, managed=self._instruct)
        self._describe("N/A", "N/A", 0, "ONGOING")
        state.calls[self.call_id] = self._call

    def place(self) -> None:
        """Asks what is to be done, and connects."""
        if self._plan.record is not None:
            self._recorder.start(self._plan.record, self._now)
            self._answer()
            return
        if not self._state.callback_url:
            self._answer()
            return
        sent = send(self._state, self._ice())
        if sent is None or not sent.answer.get("action"):
            # Without an answer Sinch plays an error message and disconnects.
            self._end("FAILED", "CALLBACKERROR")
            return
        self._obey(sent.answer)

    def talk(self, seconds: float) -> None:
        """Lets time go by."""
        self._now += timedelta(seconds=seconds)

    def hang_up(self) -> None:
        """Ends the call, if it is going on."""
        if self._call.ongoing:
            answered = self._call.answered_at is not None
            self._end("ANSWERED", "CALLERHANGUP") if answered else self._end("NOANSWER", "CANCEL")

    def press(self, value: str, menu_id: str = "main") -> None:
        """Chooses in a menu (PIE), and does what the application answers."""
        result = {"menuId": menu_id, "type": "return", "value": value, "inputMethod": "dtmf"}
        sent = send(self._state, self._event("pie") | {"menuResult": result})
        if sent is not None and sent.answer:
            self._obey(sent.answer)

    def _obey(self, svaml: Mapping[str, Any]) -> None:
        self._instruct(svaml.get("instructions", []))
        action = svaml.get("action", {})
        name = str(action.get("name", "")).lower()
        if name == "hangup":
            self._end("ANSWERED" if self._call.answered_at else "N/A", "MANAGERHANGUP")
        elif name == "connectconf":
            self._join(action)
        elif name in ("connectpstn", "connectsip", "connectmxp"):
            self._connect(action, asks=name != "connectmxp" and not action.get("suppressCallbacks"))
        elif self._call.answered_at is None and name not in ("runmenu", "park"):
            # `continue` is for ACE.
            self._end("FAILED", "INVALIDSVAMLACTION")
        elif action.get("record") or action.get("recording"):
            self._recorder.start(action["recordingOptions"], self._now)

    def _instruct(self, instructions: Iterable[Json]) -> None:
        for instruction in instructions:
            name = str(instruction.get("name", "")).lower()
            if name == "startrecording":
                self._recorder.start(instruction["options"], self._now)
            elif name == "stoprecording":
                self._stop_recording()

    def _connect(self, action: Json, *, asks: bool) -> None:
        if action.get("record") or action.get("recording"):
            self._recorder.start(action["recordingOptions"], self._now)
        self.talk(_RINGS.total_seconds())
        if not self._plan.answered:
            self._end("NOANSWER", "TIMEOUT")
            return
        self._answer()
        if asks and (sent := send(self._state, self._event("ace"))) is not None:
            # Without an answer to ACE the call is connected.
            self._obey(sent.answer)

    def _answer(self) -> None:
        self._call.answered_at = self._now

    def _join(self, action: Json) -> None:
        self._answer()
        self._conference = str(action["conferenceId"])
        options = action.get("recordingOptions") if action.get("record") or action.get("recording") else None
        self._conferences.join(self._conference, self.call_id, options, self._now)

    def _stop_recording(self) -> None:
        if (stopped := self._recorder.stop(self._now)) is not None:
            self._tell_of(*stopped, {"callid": self.call_id})

    def _end(self, result: str, reason: str) -> None:
        self._call.ongoing = False
        seconds = round((self._now - self._call.answered_at).total_seconds()) if self._call.answered_at else 0
        self._describe(result, reason, seconds, "FINAL")
        self._stop_recording()
        if self._conference and (stopped := self._conferences.leave(self._conference, self.call_id, self._now)):
            self._tell_of(*stopped, {"callid": self.call_id, "conferenceId": self._conference})
        dice = self._event("dice") | {
            "result": result,
            "reason": reason,
            "from": self._plan.cli,
            "to": {"type": self._plan.to_type, "endpoint": self._plan.to.removeprefix("+")},
            "debit": self._call.facts["debit"],
            "userRate": self._call.facts["userRate"],
        }
        self._tell(dice | ({"duration": seconds} if result == "ANSWERED" else {}))

    def _tell_of(self, made: Made, options: Mapping[str, Any], whose: Json) -> None:
        if not options.get("notificationEvents", True):
            return
        notify = {"event": "notify", "version": 1} | whose
        if self._plan.custom:
            notify["custom"] = self._plan.custom
        self._tell(notify | {"type": "recording_finished"})
        if not made.uploaded:
            return
        self._tell(notify | {"type": "recording_available", "destination": made.destination})
        if transcribed(options):
            beside = f"s3://{made.bucket}/{transcript_key(made.key)}"
            self._tell(notify | {"type": "transcription_available", "destination": beside})

    def _tell(self, body: Json) -> None:
        if self._plan.notify == "late":
            self._state.held_back.append(body)
        for _ in range({"once": 1, "twice": 2}.get(self._plan.notify, 0)):
            send(self._state, body)

    def _event(self, event: str) -> Json:
        body = {
            "event": event,
            "callid": self.call_id,
            "timestamp": self._now.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "version": 1,
            "applicationKey": self._state.key,
        }
        if self._conference:
            body["conferenceId"] = self._conference
        return body | ({"custom": self._plan.custom} if self._plan.custom else {})

    def _ice(self) -> Json:
        return self._event("ice") | {
            "callResourceUrl": f"{self._state.url}/calling/v1/calls/id/{self.call_id}",
            "cli": self._plan.cli,
            "to": {"type": self._plan.to_type, "endpoint": self._plan.to},
            "domain": self._plan.domain,
            "originationType": "PSTN",
            "userRate": self._call.facts["userRate"],
        }

    def _describe(self, result: str, reason: str, seconds: int, status: str) -> None:
        minutes = -(-seconds // 60)
        self._call.facts = {
            "callId": self.call_id,
            "from": {"type": "Number", "endpoint": self._plan.cli},
            "to": {"type": self._plan.to_type.capitalize(), "endpoint": self._plan.to},
            "domain": self._plan.domain,
            "duration": seconds,
            "status": status,
            "result": result,
            "reason": reason,
            # Without a zone, as Sinch has it.
            "timestamp": self._plan.start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "custom": self._plan.custom,
            "userRate": {"currencyId": "EUR", "amount": 0.0095},
            "debit": {"currencyId": "EUR", "amount": round(0.0095 * minutes, 4)},
        }
