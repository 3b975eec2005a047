"""A contender of quota.py and downloads.py: one that sleeps `Retry-After` and tries again, as everybody does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, BinaryIO

import requests


def fetcher(request: dict[str, Any]) -> Callable[[str, BinaryIO], object]:
    """What downloads a recording."""
    return patient(requests.Session(), request["token"])


def patient(session: requests.Session, token: str) -> Callable[[str, BinaryIO], object]:
    """What downloads a recording by this session, and sleeps as long as a 429 says."""
    session.headers["Authorization"] = f"Bearer {token}"

    def fetch(address: str, content: BinaryIO) -> None:
        while (reply := session.get(address, timeout=60)).status_code == 429:
            time.sleep(float(reply.headers["Retry-After"]))
        reply.raise_for_status()
        content.write(reply.content)

    return fetch
