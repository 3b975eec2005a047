"""Several credentials of one account: each request goes by the one that has room first.

RingCentral counts by user and app, and advises more users for more requests:
https://community.ringcentral.com/developer-platform-apis-integrations-5/batch-retrieving-message-attachments-9007
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence

import requests

from voxlake.ringcentral.errors import (
    LoginRefusedError,
    PermissionDeniedError,
    RateLimitedError,
    RingCentralError,
)
from voxlake.ringcentral.lane import Lane
from voxlake.ringcentral.waiting_line import Rank

_log = logging.getLogger(__name__)


class Lanes:
    """The lanes of one account.

    Args:
        lanes: At least one; the first that is not refused says which account it is.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = list(lanes)
        self._several = len(lanes) > 1
        self._refusals: list[RingCentralError] = []

    def __iter__(self) -> Iterator[Lane]:
        """Those that have not dropped out."""
        return iter(self._lanes)

    def get(
        self, url: str, headers: Mapping[str, str], rank: Rank, successes: Collection[int]
    ) -> tuple[Lane, requests.Response]:
        """The reply to a GET, and the lane that it came by. See `Lane.get`.

        Raises:
            RateLimitedError: None has room; `retry_after` is the shortest of their waits.
            LoginRefusedError, PermissionDeniedError: All are refused.
            RingCentralError: Anything else, of the lane that was asked.
        """
        if not self._several:
            (lane,) = self._lanes
            return lane, lane.get(url, headers, rank, successes)
        used_up: list[RateLimitedError] = []
        for lane in sorted(self._of_the_account(), key=lambda lane: lane.wait_before(url, rank)):
            try:
                return lane, lane.get(url, headers, rank, successes)
            except RateLimitedError as error:
                used_up.append(error)
            except (LoginRefusedError, PermissionDeniedError) as error:
                self._refused(lane, error)
        if used_up:
            raise min(used_up, key=lambda error: error.retry_after)
        raise self._refusals[0]

    def _of_the_account(self) -> list[Lane]:
        """The lanes that read the account of the first.

        With a credential of another account every recording would be "not found", as if it had been deleted.
        """
        found: list[Lane] = []
        account = None
        for lane in list(self._lanes):
            try:
                its = lane.account()
            except (LoginRefusedError, PermissionDeniedError) as error:
                self._refused(lane, error)
                continue
            except RateLimitedError:
                if account is None:
                    raise
                continue
            account = account or its
            if its == account:
                found.append(lane)
            else:
                self._drop_out(lane, f"it reads the account {its}, those before it read {account}")
        return found

    def _refused(self, lane: Lane, error: RingCentralError) -> None:
        self._refusals.append(error)
        self._drop_out(lane, str(error))

    def _drop_out(self, lane: Lane, why: str) -> None:
        self._lanes.remove(lane)
        _log.warning("Connection %s is not used any more by this task: %s", lane.name, why)
