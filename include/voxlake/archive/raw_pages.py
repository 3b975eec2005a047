"""The raw pages of the call log, as `extract` left them."""

from __future__ import annotations

import gzip
import zlib

from voxlake.lake.storage import Storage


def page_paths(storage: Storage, folder: str) -> list[str]:
    """The paths of a raw folder's pages, in the order they were read."""
    return [path for path in storage.list(folder) if not path.startswith(f"{folder}/rejected/")]


def read_body(storage: Storage, path: str) -> bytes:
    """The body of a page, as it was received.

    Raises:
        ValueError: The file is damaged; the text names it.
    """
    packed = storage.read(path).data
    try:
        return gzip.decompress(packed)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged ({error}). Run the interval again to read the page anew.") from error
