"""Exports as a process of the API server of its own writes them down."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path

from fastapi import Request

from voxlake.lake.local import LocalStorage
from voxlake.web.access import log_export
from voxlake.web.rights import Reader

# Airflow takes seconds to import, so that only one process does, and all others come from it.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["pytest", __name__])


def reader(name: str = "ann") -> Reader:
    return Reader(user_id=name, name=name.title(), rights=frozenset(), address="192.0.2.1", user_agent="test/1")


def request(query: str = "") -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": []})


def export(folder: Path, name: str, times: int) -> None:
    """Writes down so many exports of a reader."""
    for number in range(times):
        log_export(request(f"number={number}"), LocalStorage(folder), reader(name))
