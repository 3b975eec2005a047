"""The scripts, styles and images of the pages, for those who may find recordings."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"

router = APIRouter()
_files = StaticFiles(directory=FOLDER)


def names_in(folder: Path) -> frozenset[str]:
    """The files of a folder and those below it, by their paths from there."""
    return frozenset(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


_names = names_in(FOLDER)


@router.api_route("/static/{path:path}", methods=["GET", "HEAD"], name="static")
async def static(request: Request, path: str, v: str = "") -> Response:
    """A file of `static/`; kept by browsers for a year under the hash of its content, else looked at each time."""
    if path not in _names:
        raise HTTPException(404, "There is no such file.")
    reply = await _files.get_response(path, request.scope)
    kept = v == content_hash(path)
    reply.headers["Cache-Control"] = "private, max-age=31536000, immutable" if kept else "private, no-cache"
    return reply


@cache
def content_hash(path: str) -> str:
    """The hash under which a file of `static/` is linked."""
    return hashlib.sha256((FOLDER / path).read_bytes()).hexdigest()[:16]
