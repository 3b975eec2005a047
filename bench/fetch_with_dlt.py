"""A contender of quota.py: dlt's `requests`, which sleeps `Retry-After` too, and gives up after five attempts."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, BinaryIO

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

from dlt.sources.helpers import requests


def fetcher(request: dict[str, Any]) -> Callable[[str, BinaryIO], object]:
    """What downloads a recording."""
    headers = {"Authorization": f"Bearer {request['token']}"}

    def fetch(address: str, content: BinaryIO) -> None:
        try:
            reply = requests.get(address, headers=headers)
        except requests.HTTPError:
            # As a pipeline that goes on with the next one. The file stays empty, which counts as missing.
            return
        content.write(reply.content)

    return fetch
