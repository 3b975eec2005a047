"""Who a request comes from and what they may do, as Airflow's auth manager says.

An app that Airflow mounts for a plugin is open to everybody, so that `guard.Guard` asks here before every path of ours.
This is the only module that imports names which Airflow does not promise to keep. Where one of them is gone, nobody
can be known, and nobody is let in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fastapi import HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPBearer

log = logging.getLogger(__name__)

try:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager, SimpleAuthManagerRole
    from airflow.api_fastapi.core_api.security import get_user
except ImportError:
    log.exception("this release of Airflow has other names for its users: the Recordings page stays closed")
    AIRFLOW_IS_KNOWN = False
else:
    AIRFLOW_IS_KNOWN = True

_LONGEST_USER_AGENT = 500
_bearer = HTTPBearer(auto_error=False)


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


# Airflow's SimpleAuthManager lets every user see what it does not know itself, so here the least role is ours to say.
LEAST_SIMPLE_ROLE = {Right.FIND: "USER", Right.LISTEN: "USER", Right.NUMBERS: "OP", Right.AUDIT: "ADMIN"}


class RightsUnknownError(RuntimeError):
    """Airflow cannot be asked for users and rights."""


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
            raise HTTPException(403, refusal(right))
        return reader

    return reader_with_right


def refusal(right: Right) -> str:
    """What somebody is told who does not have a right."""
    return f"This needs the right “{right}”, which you do not have. An administrator of Airflow can give it to you."


async def read_reader(request: Request) -> Reader | None:
    """Who sent a request, by its bearer token or Airflow's cookie; None for somebody who is not logged in.

    Raises:
        RightsUnknownError: This release of Airflow cannot be asked.
    """
    if not AIRFLOW_IS_KNOWN:
        raise RightsUnknownError(
            "This release of Airflow cannot be asked for users and rights; the server's log says why."
        )
    try:
        user = await get_user(request, None, await _bearer(request))
    except HTTPException:
        # 401 without a token, 403 with one that is not good (any more).
        return None
    rights = await run_in_threadpool(_rights_of, user)
    return Reader(
        user_id=str(user.get_id()),
        name=str(user.get_name()),
        rights=rights,
        address=request.client.host if request.client else "",
        user_agent=request.headers.get("user-agent", "")[:_LONGEST_USER_AGENT],
    )


def login_url(request: Request) -> str:
    """Where to log in to Airflow, to come back to what was asked for; empty if Airflow cannot be asked."""
    if not AIRFLOW_IS_KNOWN:
        return ""
    asked_for = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return get_auth_manager().get_url_login(next_url=asked_for)


def offer_rights() -> None:
    """Makes the rights known to the FAB auth manager, so that they can be given to roles, and gives them to `Admin`.

    FAB lists only permissions that are in its tables, where it puts those of its own views itself. Other auth managers
    keep no such list.
    """
    flask_app = getattr(get_auth_manager(), "flask_app", None)
    if flask_app is None:
        return
    with flask_app.app_context():
        roles = flask_app.appbuilder.sm
        admin = roles.find_role("Admin")
        for right in Right:
            permission = roles.create_permission("can_read", right.value)
            if admin is not None:
                roles.add_permission_to_role(admin, permission)


def _rights_of(user: Any) -> frozenset[Right]:
    manager = get_auth_manager()
    return frozenset(
        right
        for right in Right
        if manager.is_authorized_custom_view(method="GET", resource_name=right.value, user=user)
        and (not isinstance(manager, SimpleAuthManager) or _has_role(user, LEAST_SIMPLE_ROLE[right]))
    )


def _has_role(user: Any, least: str) -> bool:
    return bool(user.role) and SimpleAuthManagerRole[user.role.upper()].order >= SimpleAuthManagerRole[least].order
