"""Several credentials of one account: each request goes by the one that has room first.

RingCentral counts by user and app, and advises more users for more requests:
https://community.ringcentral.com/developer-platform-apis-integrations-5/batch-retrieving-message-attachments-9007
"""

import logging
from collections.abc import Iterator, Sequence

import requests

from voxlake.ringcentral.errors import (
    LoginRefusedError,
    PermissionDeniedError,
    RateLimitedError,
    RingCentralError,
)
from voxlake.ringcentral.lane import Lane, Request
from voxlake.ringcentral.quota import Turn

_log = logging.getLogger(__name__)


class Lanes:
    """The lanes of one account.

    Args:
        lanes: At least one; the first says which account it is.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._all = list(lanes)
        self._used = list(lanes)
        self._refusals: list[RingCentralError] = []

    def __iter__(self) -> Iterator[Lane]:
        """All, also those that have dropped out."""
        return iter(self._all)

    def send(self, request: Request) -> tuple[Lane, requests.Response]:
        """The reply, and the lane that it came by. See `Lane.send`.

        Raises:
            RateLimitedError: None has room.
            LoginRefusedError, PermissionDeniedError: All are refused.
            RingCentralError: Anything else, of the lane that was asked.
        """
        if len(self._all) == 1:
            (lane,) = self._all
            return lane, lane.send(request)
        turns = [(lane.turn(request.url, request.rank), lane) for lane in self._of_the_account()]
        used_up: list[RateLimitedError] = []
        for turn, lane in sorted(turns, key=lambda item: _sooner(item[0])):
            if used_up and turn.here > 0:
                # One line is enough: in several each would be counted by all the others.
                break
            try:
                return lane, lane.send(request)
            except RateLimitedError as error:
                used_up.append(error)
            except (LoginRefusedError, PermissionDeniedError) as error:
                self._refused(lane, error)
        if used_up:
            raise min(used_up, key=lambda error: error.retry_after)
        raise self._refusals[0]

    def _of_the_account(self) -> list[Lane]:
        """The lanes that may be used: of other users than those before them, that read the account of the first.

        With a credential of another account every recording would be "not found", as if it had been deleted; and of
        one user's quota two must not count half each.
        """
        found: list[Lane] = []
        owners: dict[str, str] = {}
        account = self._all[0].account()
        for lane in list(self._used):
            try:
                its, owner = lane.account(), lane.owner_id()
            except (LoginRefusedError, PermissionDeniedError) as error:
                self._refused(lane, error)
                continue
            except RingCentralError as error:
                # Its own trouble, while others may be well.
                _log.info("Connection %s is left out of a request: %s", lane.name, error)
                continue
            if its != account:
                self._drop_out(lane, f"it reads the account {its}, the first reads {account}")
            elif owner and owner in owners:
                self._drop_out(lane, f"it is the same user as {owners[owner]}, whose quota it would use twice")
            else:
                owners[owner] = lane.name
                found.append(lane)
        return found

    def _refused(self, lane: Lane, error: RingCentralError) -> None:
        self._refusals.append(error)
        self._drop_out(lane, str(error))

    def _drop_out(self, lane: Lane, why: str) -> None:
        self._used.remove(lane)
        _log.warning("Connection %s is not used any more by this task: %s", lane.name, why)


def _sooner(turn: Turn) -> tuple[bool, float]:
    return turn.here > 0, turn.in_line
