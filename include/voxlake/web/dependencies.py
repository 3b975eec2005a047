"""What the handlers of all pages are given: the reader, and the lake."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from voxlake.lake.storage import Storage
from voxlake.web.rights import Reader, Right, needs


def lake_of(request: Request) -> Storage:
    """The lake of the app; opened by its first request, shared by all, safe in threads."""
    lake: Storage = request.app.state.lake()
    return lake


Lake = Annotated[Storage, Depends(lake_of)]
Finder = Annotated[Reader, Depends(needs(Right.FIND))]
Listener = Annotated[Reader, Depends(needs(Right.LISTEN))]
Auditor = Annotated[Reader, Depends(needs(Right.AUDIT))]
