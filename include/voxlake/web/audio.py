"""Audio over HTTP: the merged file of a conversation, the originals it is made of, and the waveform."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.responses import Response

from voxlake.lake.storage import ObjectMissingError
from voxlake.web.access import log_audio
from voxlake.web.delivery import deliver
from voxlake.web.dependencies import Lake, Listener
from voxlake.web.held import NotHeldError, merged_audio, peaks_path, recording_audio

router = APIRouter(prefix="/conversations/{provider}/{telephony_session_id}")

Provider = Annotated[str, Path(pattern="^[a-z]{1,32}$")]
# What ids of the lake are made of (`layout.is_safe_id`).
Identifier = Annotated[str, Path(pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")]


@router.api_route("/audio", methods=["GET", "HEAD"], name="conversation_audio")
def conversation_audio(
    request: Request,
    reader: Listener,
    lake: Lake,
    provider: Provider,
    telephony_session_id: Identifier,
    day: date | None = None,
    download: bool = False,
) -> Response:
    """The merged file; `day` says where to look first, `download=1` that it is to be saved."""
    try:
        audio = merged_audio(lake, provider, telephony_session_id, day)
    except NotHeldError as error:
        raise HTTPException(404, str(error)) from error
    log_audio(request, lake, reader, provider, telephony_session_id, download=download)
    return deliver(request, lake, audio, download=download)


@router.api_route("/recordings/{recording_id}/audio", methods=["GET", "HEAD"], name="recording_audio")
def one_recording_audio(
    request: Request,
    reader: Listener,
    lake: Lake,
    provider: Provider,
    telephony_session_id: Identifier,
    recording_id: Identifier,
    day: date | None = None,
    download: bool = False,
) -> Response:
    """The original of one recording; see `conversation_audio`."""
    try:
        audio = recording_audio(lake, provider, telephony_session_id, recording_id, day)
    except NotHeldError as error:
        raise HTTPException(404, str(error)) from error
    log_audio(request, lake, reader, provider, telephony_session_id, recording_id, download=download)
    return deliver(request, lake, audio, download=download)


@router.get("/peaks", name="conversation_peaks")
def conversation_peaks(
    _: Listener,
    lake: Lake,
    provider: Provider,
    telephony_session_id: Identifier,
    day: date | None = None,
) -> Response:
    """The waveform of the merged file: `duration` and `peaks`, as wavesurfer.js takes them."""
    try:
        stored = lake.read(peaks_path(lake, provider, telephony_session_id, day))
    except (NotHeldError, ObjectMissingError):
        raise HTTPException(404, "This conversation has no waveform.") from None
    return Response(stored.data, media_type="application/json")
