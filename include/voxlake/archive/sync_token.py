"""How far modifications of the call log have been read: the token that the last page of a read ends with."""

from __future__ import annotations

import json
from collections.abc import Sequence

from voxlake.archive.raw_pages import page_paths, read_body
from voxlake.lake.storage import Storage


def sync_token_of(storage: Storage, raw_folders: Sequence[str]) -> str | None:
    """The `syncInfo.syncToken` of the last page of some raw folders; None where they hold pages of windows.

    Args:
        storage: The lake.
        raw_folders: In the order they were read.
    """
    pages = [path for folder in raw_folders for path in page_paths(storage, folder)]
    if not pages:
        return None
    sync_info = json.loads(read_body(storage, pages[-1])).get("syncInfo") or {}
    token: str | None = sync_info.get("syncToken")
    return token
