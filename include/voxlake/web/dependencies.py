"""What the handlers of all pages are given: the reader, and the lake."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from voxlake.lake.storage import Storage
from voxlake.settings import get_settings
from voxlake.web.delivery import media_origin
from voxlake.web.rights import Reader, Right, needs


def open_once(app: FastAPI, open_lake: Callable[[], Storage]) -> Callable[[], Storage]:
    """Opens a lake at the first call, and gives it to all later ones; it is safe in threads."""

    @cache
    def lake() -> Storage:
        storage = open_lake()
        if get_settings().audio_delivery == "redirect":
            app.state.media_origin = media_origin(storage)
        return storage

    return lake


def lake_of(request: Request) -> Storage:
    """The lake that the pages are about."""
    lake: Storage = request.app.state.lake()
    return lake


Lake = Annotated[Storage, Depends(lake_of)]
Finder = Annotated[Reader, Depends(needs(Right.FIND))]
Listener = Annotated[Reader, Depends(needs(Right.LISTEN))]
Auditor = Annotated[Reader, Depends(needs(Right.AUDIT))]
