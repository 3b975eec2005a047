from __future__ import annotations

from pathlib import Path

import pytest

from voxlake.lake.local import LocalStorage
from voxlake.lake.storage import Storage
from voxlake.search.index import SearchIndex


@pytest.fixture
def index(storage: Storage, tmp_path: Path) -> SearchIndex:
    """Of an empty lake, in a folder and in S3."""
    return SearchIndex(storage, tmp_path / "state" / "search")


@pytest.fixture
def local_index(tmp_path: Path) -> SearchIndex:
    """Of an empty lake in a folder."""
    return SearchIndex(LocalStorage(tmp_path / "lake"), tmp_path / "state" / "search")
