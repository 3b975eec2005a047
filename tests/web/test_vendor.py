"""What is bundled of others is what its note says."""

import hashlib
import re

import pytest

from voxlake.web.static_files import FOLDER

_VENDOR = FOLDER / "vendor"


@pytest.mark.parametrize("folder", sorted(path.name for path in _VENDOR.iterdir()))
def test_every_file_has_the_hash_that_was_noted(folder: str) -> None:
    noted = dict(
        reversed(line.split())
        for line in (_VENDOR / folder / "PROVENANCE.md").read_text().splitlines()
        if re.match(r" {4}[0-9a-f]{64}  ", line)
    )
    held = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (_VENDOR / folder).iterdir()
        if file.name != "PROVENANCE.md"
    }
    assert held == noted
    assert "LICENSE" in held
