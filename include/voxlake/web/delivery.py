"""A file of audio as a response: the whole or a range of it, from this server or from the bucket itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from voxlake.lake.s3 import S3Storage
from voxlake.lake.storage import ObjectMissingError, ObjectStatus, Storage, VersionConflictError
from voxlake.settings import get_settings
from voxlake.web.byte_ranges import ByteRange, RangeNotSatisfiableError, asked_range, has_it_already, http_date
from voxlake.web.held import HeldAudio

# Long enough to hear most conversations through; a player asks anew where it is over.
SIGNED_SECONDS = 15 * 60
_TRIES = 3


def deliver(request: Request, storage: Storage, audio: HeldAudio, *, download: bool) -> Response:
    """The response to a GET or HEAD of a file of audio.

    Args:
        request: Its headers say which part of the file is wanted.
        storage: The lake.
        audio: Which file.
        download: Whether a browser is to save it rather than to play it.

    Raises:
        HTTPException: 404, there is no such file; 409, it is replaced again and again; 416, it has no such range.
    """
    disposition = f'{"attachment" if download else "inline"}; filename="{audio.file_name}"'
    if isinstance(storage, S3Storage) and get_settings().audio_delivery == "redirect" and request.method == "GET":
        url = storage.signed_url(audio.path, SIGNED_SECONDS, audio.content_type, disposition)
        return RedirectResponse(url, 307)
    headers = {"Content-Type": audio.content_type, "Content-Disposition": disposition, "Accept-Ranges": "bytes"}
    for _ in range(_TRIES):
        try:
            status = storage.status(audio.path)
            return _from_here(request, storage, audio.path, status, headers)
        except ObjectMissingError:
            raise HTTPException(404, "The lake names this file, but does not hold it (any more).") from None
        except VersionConflictError:
            # A merge has replaced it since we looked.
            continue
    raise HTTPException(409, "This file is being replaced; try again in a moment.")


def media_origin(storage: Storage) -> str | None:
    """The origin that browsers load audio from where it is not this server: a bucket's; None otherwise."""
    if not isinstance(storage, S3Storage):
        return None
    url = urlsplit(storage.signed_url("audio/", 1, "audio/mpeg", "inline"))
    return f"{url.scheme}://{url.netloc}"


def _from_here(
    request: Request, storage: Storage, path: str, status: ObjectStatus, headers: dict[str, str]
) -> Response:
    # A version of S3 is an entity tag already.
    tag = status.version if status.version.startswith('"') else f'"{status.version}"'
    headers = headers | {"ETag": tag, "Last-Modified": http_date(status.modified)}
    if has_it_already(request.headers, tag, status.modified):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(headers=headers | {"Content-Length": str(status.size)})
    try:
        part = asked_range(request.headers, status.size, tag, status.modified)
    except RangeNotSatisfiableError:
        raise HTTPException(
            416, "The file has no such range.", {"Content-Range": f"bytes */{status.size}", "Accept-Ranges": "bytes"}
        ) from None
    if status.size == 0:
        return Response(headers=headers)
    sent = part or ByteRange(0, status.size - 1)
    headers["Content-Length"] = str(sent.last - sent.first + 1)
    if part is not None:
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{status.size}"
    pieces = storage.read_range(path, sent.first, sent.last, status.version)
    return StreamingResponse(pieces, 206 if part else 200, headers)
