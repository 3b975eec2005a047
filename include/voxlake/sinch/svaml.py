"""The instructions of SVAML that start and stop a recording, as they are sent and as they are read.

https://developers.sinch.com/docs/voice/api-reference/svaml/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from voxlake.sinch.destinations import BucketCredentials, Destination, parse_destination


@dataclass(frozen=True)
class Transcription:
    """That a recording is to be transcribed.

    Attributes:
        locale: The language, such as `en-US`; Sinch's choice where empty.
    """

    locale: str = ""


@dataclass(frozen=True)
class RecordingOptions:
    """How and where a call is to be recorded.

    Attributes:
        destination: Where the file goes.
        credentials: What Sinch writes there with; none for `sdrive://`.
        format: `mp3` or `wav`.
        notification_events: Whether `recording_finished` and `recording_available` are sent.
        transcription: Whether, and in which language, it is transcribed.
    """

    destination: Destination
    credentials: BucketCredentials | None = None
    format: str = "mp3"
    notification_events: bool = True
    transcription: Transcription | None = None

    def to_json(self) -> dict[str, Any]:
        """As Sinch takes it; holds the credentials in plain text."""
        options: dict[str, Any] = {
            "destinationUrl": str(self.destination),
            "format": self.format,
            "notificationEvents": self.notification_events,
        }
        if self.credentials is not None:
            options["credentials"] = self.credentials.reveal()
        if self.transcription is not None:
            options["transcriptionOptions"] = {"enabled": True} | (
                {"locale": self.transcription.locale} if self.transcription.locale else {}
            )
        return options

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RecordingOptions:
        """The reverse of `to_json`.

        Raises:
            DestinationError: Destination or credentials are not as Sinch takes them.
        """
        # `destination` stands in one of Sinch's own examples.
        destination = parse_destination(str(value.get("destinationUrl") or value.get("destination") or ""))
        credentials = value.get("credentials")
        transcription = value.get("transcriptionOptions") or {}
        return cls(
            destination=destination,
            credentials=BucketCredentials.parse(credentials) if credentials else None,
            format=str(value.get("format") or "mp3").lower(),
            notification_events=value.get("notificationEvents", True) is not False,
            transcription=Transcription(str(transcription.get("locale") or ""))
            if transcription.get("enabled") or transcription.get("isEnabled")
            else None,
        )


@dataclass(frozen=True)
class StartRecording:
    """The instruction that starts a recording; it stands before the action that connects the call."""

    options: RecordingOptions

    def to_json(self) -> dict[str, Any]:
        """As it stands among the instructions."""
        return {"name": "startRecording", "options": self.options.to_json()}


@dataclass(frozen=True)
class StopRecording:
    """The instruction that stops the recording of a call."""

    def to_json(self) -> dict[str, Any]:
        """As it stands among the instructions."""
        return {"name": "stopRecording"}


RecordingInstruction = StartRecording | StopRecording


def recording_instructions(svaml: Mapping[str, Any]) -> Iterator[RecordingInstruction]:
    """What SVAML says of recording, in the order in which it is done.

    Read are the instructions, the flag of an action (`record`, in older documents `recording`), and the action of the
    older form of Manage Call. Names are of any case.

    Args:
        svaml: The body of an answer to a callback, or of a request to manage a call.

    Raises:
        DestinationError: Destination or credentials are not as Sinch takes them.
    """
    for instruction in svaml.get("instructions") or ():
        name = str(instruction.get("name", "")).lower()
        if name == "startrecording":
            yield StartRecording(RecordingOptions.from_json(instruction.get("options") or {}))
        elif name == "stoprecording":
            yield StopRecording()
    action = svaml.get("action") or {}
    name = str(action.get("name", "")).lower()
    if name == "stoprecording":
        yield StopRecording()
    elif name == "startrecording" or action.get("record") or action.get("recording"):
        yield StartRecording(RecordingOptions.from_json(action.get("recordingOptions") or {}))
