"""Who a request comes from and what they may do, as Airflow's auth manager says.

The only module that imports what Airflow does not promise to keep (its plugins' page tells nothing of authentication:
https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/plugins.html). An app that Airflow
mounts for a plugin is open to everybody, so `Guard` stands before every path of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from fastapi import HTTPException, Request


class Right(StrEnum):
    """What somebody may be allowed to do; each is named as the auth manager knows it (`can read on …`)."""

    FIND = "Recordings"
    """Search, look at conversations without hearing them, export, see the state of the archive; all needs it."""
    LISTEN = "Recordings Audio"
    """Play and download."""
    NUMBERS = "Recordings Phone Numbers"
    """See phone numbers unmasked, here and in exports."""
    AUDIT = "Recordings Access Log"
    """See who exported, played and downloaded."""


@dataclass(frozen=True)
class Reader:
    """Who sent a request.

    Attributes:
        user_id: As the auth manager knows the user.
        name: As Airflow shows the user.
        rights: All that they have.
        address: The client's address, as the server has it: behind a proxy it is told by uvicorn's `proxy-headers`.
        user_agent: What the browser calls itself, hostile text of at most 500 characters; empty if nothing.
    """

    user_id: str
    name: str
    rights: frozenset[Right]
    address: str
    user_agent: str

    def may(self, right: Right) -> bool:
        """Whether the reader has a right."""
        return right in self.rights


def needs(right: Right) -> Callable[[Request], Reader]:
    """A dependency: the request's reader, who has this right; otherwise the reply is 403.

    As in `reader: Annotated[Reader, Depends(needs(Right.LISTEN))]`.
    """

    def reader_with_right(request: Request) -> Reader:
        reader: Reader = request.state.reader
        if not reader.may(right):
            raise HTTPException(403, f"this needs the right “{right}”, which you do not have")
        return reader

    return reader_with_right
