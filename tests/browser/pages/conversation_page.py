"""The page of a conversation: its address, its row in the lake, and where its player is."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Frame, Page

from sandbox.ringcentral import Session
from voxlake.lake import tables
from voxlake.lake.schemas import SESSIONS
from voxlake.lake.storage import Storage


def path_of(session: Session) -> str:
    return f"/voxlake/conversations/ringcentral/{session.telephony_session_id}"


def row_of(lake: Storage, session: Session) -> dict[str, Any]:
    """The session's row of the table sessions."""
    rows: list[dict[str, Any]] = tables.read(lake, SESSIONS, [session.start_time.date()]).to_pylist()
    return next(row for row in rows if row["telephony_session_id"] == session.telephony_session_id)


def await_place(page: Page | Frame, condition: str, argument: float) -> None:
    """Waits until the place `at` in the conversation is as a condition in JavaScript says; `place` is the argument."""
    page.wait_for_function(
        f"place => {{ const at = document.getElementById('audio').currentTime; return {condition}; }}", arg=argument
    )
