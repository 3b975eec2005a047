"""The page of one conversation: hear it, see who spoke with whom, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.responses import Response

from voxlake.search.conversation import ConversationMissingError, read_conversation
from voxlake.search.facts import Chapter, Gap, MergedAudio, Missing, Recording
from voxlake.settings import get_settings
from voxlake.web.dependencies import Finder
from voxlake.web.pages.airflow_paths import airflow_path, task_run
from voxlake.web.pages.search import Index
from voxlake.web.rights import Right
from voxlake.web.templating import templates

router = APIRouter()


@dataclass(frozen=True)
class Piece:
    """A part of the merged file as the page lists it: a recording, or a time without one.

    Attributes:
        start_ms: Where it starts in the file.
        end_ms: Where it ends; of a gap that the file leaves out, where it starts.
        number: Of a recording, from 1; None of a gap.
        chapter: The recording; None of a gap.
        gap: The gap; None of a recording.
    """

    start_ms: int
    end_ms: int
    number: int | None
    chapter: Chapter | None
    gap: Gap | None


@router.get("/conversations/{provider}/{telephony_session_id}", name="conversation")
def conversation_page(
    request: Request,
    index: Index,
    reader: Finder,
    provider: Annotated[str, Path(pattern="^[a-z]{1,32}$")],
    telephony_session_id: Annotated[str, Path(max_length=128)],
    day: date | None = None,
) -> Response:
    """All of one conversation; `day` says where to look first."""
    try:
        conversation = read_conversation(
            index,
            provider,
            telephony_session_id,
            day=day,
            tolerance=get_settings().recording_tolerance,
            numbers=reader.may(Right.NUMBERS),
        )
    except ConversationMissingError:
        raise HTTPException(404, "The lake has no such conversation.") from None
    audio = conversation.audio
    recordings = {recording.recording_id: recording for recording in conversation.recordings}
    context = {
        "conversation": conversation,
        "audio": audio,
        "pieces": pieces(audio) if audio else [],
        "recordings": recordings,
        "missing": [_as_known_now(each, recordings.get(each.recording_id)) for each in conversation.missing],
        "may_listen": reader.may(Right.LISTEN),
        "listen_right": Right.LISTEN.value,
        "made_by": task_run(request, audio.made_by) if audio else None,
        "dag_path": airflow_path(request, "/dags/ringcentral_recordings"),
    }
    return templates.TemplateResponse(request, "conversation.html", context)


def _as_known_now(missing: Missing, recording: Recording | None) -> Missing:
    """What was missing when the file was made, for the reason that is known by now: then it was mostly `pending`."""
    if recording is None or recording.audio_path or not recording.why:
        return missing
    return replace(missing, words=recording.why)


def pieces(audio: MergedAudio) -> list[Piece]:
    """The chapters and gaps of a merged file, in the order in which one hears them."""
    found = [
        Piece(chapter.start_ms, chapter.end_ms, number, chapter, None)
        for number, chapter in enumerate(audio.chapters, start=1)
    ]
    found += [
        Piece(gap.at_ms, gap.at_ms + (gap.duration_ms if gap.in_file else 0), None, None, gap) for gap in audio.gaps
    ]
    # A gap comes before the chapter that starts where it is.
    return sorted(found, key=lambda piece: (piece.start_ms, piece.number is not None, piece.number or 0))
