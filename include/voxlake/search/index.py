"""The search index: what a search has to know of each conversation, one small file a UTC day, made from the day files.

It is a cache and no second database: it holds nothing that the tables do not say, is made anew where they have changed,
and may be removed at any time.
"""

from __future__ import annotations

from pathlib import Path

from voxlake.lake.storage import Storage


class SearchIndex:
    """The index of a lake; cheap to make, and safe to use by many threads and processes.

    Args:
        storage: The lake.
        folder: Where the index lies on this host, such as `VOXLAKE_STATE_DIR/search`; for several lakes at once.
    """

    def __init__(self, storage: Storage, folder: Path) -> None:
        self._storage = storage
        self._folder = folder
