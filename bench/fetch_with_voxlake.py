"""A contender of quota.py and downloads.py: a client whose requests wait for their turn in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.recordings import download_recording
from voxlake.ringcentral.shared_state import open_state


def fetcher(request: dict[str, Any]) -> Callable[[str, BinaryIO], object]:
    """What downloads a recording."""
    extra = request["extra"]
    login = Credentials(request["host"], request["login"], request["password"], extra["jwt"], extra["media_host"])
    client = RingCentralClient(login, open_state(request["redis"], Path(request["folder"])), max_wait=600)

    def fetch(address: str, content: BinaryIO) -> None:
        download_recording(client, address, content)

    return fetch
