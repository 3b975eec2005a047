"""The subscriptions of a sandbox, and what is sent to them.

https://developers.ringcentral.com/guide/notifications/webhooks/receiving
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import requests

from sandbox.ringcentral.directory import ACCOUNT_ID, EXTENSIONS
from sandbox.ringcentral.errors import not_found
from sandbox.ringcentral.telephony_events import TelephonyEvent
from sandbox.ringcentral.timestamps import to_text

# RingCentral gives up an address that fails for some time; how long that is, is not established.
_FAILURES = 5
FILTER = re.compile(
    r"/restapi/v1\.0/account/(?:~|\d+)(?:/extension/(?P<extension>~|\d+))?/telephony/sessions(?P<query>\?.*)?"
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription of the application."""

    id: str
    event_filters: tuple[str, ...]
    address: str
    verification_token: str | None = field(repr=False)
    seconds: int
    created: datetime
    expires: datetime
    blacklisted_at: datetime | None = None
    blacklisted_for: str = ""

    def json(self, platform_url: str, now: datetime) -> dict[str, Any]:
        """As the API shows it: without the verification token."""
        shown: dict[str, Any] = {
            "uri": f"{platform_url}/restapi/v1.0/subscription/{self.id}",
            "id": self.id,
            "creationTime": to_text(self.created),
            "status": "Active" if self.blacklisted_at is None else "Blacklisted",
            "eventFilters": [_canonical(one) for one in self.event_filters],
            "expirationTime": to_text(self.expires),
            "expiresIn": max(0, int((self.expires - now).total_seconds())),
            "deliveryMode": {"transportType": "WebHook", "encryption": False, "address": self.address},
        }
        if self.blacklisted_at is not None:
            shown["blacklistedData"] = {"reason": self.blacklisted_for, "blacklistedAt": to_text(self.blacklisted_at)}
        return shown

    def wants(self, event: TelephonyEvent) -> bool:
        """Whether an event passes a filter."""
        return any(_passes(event, one) for one in self.event_filters)


class Subscriptions:
    """All subscriptions of one sandbox, and what is sent to them.

    Args:
        now: The wall clock.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._all: dict[str, Subscription] = {}
        self._failures: dict[str, int] = {}

    def current(self) -> list[Subscription]:
        """Those that have not expired."""
        now = self._now()
        with self._lock:
            return [one for one in self._all.values() if one.expires > now]

    def put(self, subscription: Subscription) -> None:
        with self._lock:
            self._all[subscription.id] = subscription

    def find(self, identifier: str) -> Subscription:
        """Raises ApiError: 404 for one that is not there, or not any more."""
        for one in self.current():
            if one.id == identifier:
                return one
        raise not_found("subscriptionId")

    def remove(self, identifier: str) -> None:
        with self._lock:
            self._all.pop(identifier, None)

    def blacklist(self, identifier: str, reason: str) -> None:
        """Sends nothing to a subscription any more, as when its address has failed for too long."""
        self.put(replace(self.find(identifier), blacklisted_at=self._now(), blacklisted_for=reason))

    def send(self, event: TelephonyEvent, notification_id: str) -> list[int]:
        """Sends an event to all that want it; the statuses of their answers, 0 where there was none.

        Args:
            event: The event.
            notification_id: Its uuid, the same when it is sent again.
        """
        wanting = [one for one in self.current() if one.blacklisted_at is None and one.wants(event)]
        return [self._send(one, event, notification_id) for one in wanting]

    def _send(self, subscription: Subscription, event: TelephonyEvent, notification_id: str) -> int:
        owner = EXTENSIONS[0].id
        extension = f"/extension/{event.extension_id}" if event.extension_id else ""
        content = {
            "uuid": notification_id,
            "event": f"/restapi/v1.0/account/{ACCOUNT_ID}{extension}/telephony/sessions",
            "timestamp": to_text(self._now()),
            "subscriptionId": subscription.id,
            "ownerId": str(owner),
            "body": event.body,
        }
        headers = {"Content-Type": "application/json", "User-Agent": "RingCentral-Webhook/8.3"}
        if subscription.verification_token:
            headers["Verification-Token"] = subscription.verification_token
        try:
            answer = requests.post(
                subscription.address, json.dumps(content), headers=headers, timeout=10, allow_redirects=False
            )
        except requests.RequestException as error:
            self._failed(subscription, f"I/O operation is failed. Details: [{type(error).__name__}]")
            return 0
        if answer.ok:
            self._failures.pop(subscription.id, None)
        else:
            self._failed(
                subscription, f"Webhook responses with code: [{answer.status_code}], reason: [{answer.reason}]"
            )
        return answer.status_code

    def _failed(self, subscription: Subscription, reason: str) -> None:
        self._failures[subscription.id] = self._failures.get(subscription.id, 0) + 1
        if self._failures[subscription.id] >= _FAILURES:
            self.blacklist(subscription.id, reason)


def _passes(event: TelephonyEvent, event_filter: str) -> bool:
    match = FILTER.fullmatch(event_filter)
    if match is None:
        return False
    wanted = match["extension"]
    if wanted is not None and event.extension_id != (str(EXTENSIONS[0].id) if wanted == "~" else wanted):
        return False
    return event.recorded or "withRecordings=true" not in (match["query"] or "")


def _canonical(event_filter: str) -> str:
    return event_filter.replace("/account/~", f"/account/{ACCOUNT_ID}").replace(
        "/extension/~", f"/extension/{EXTENSIONS[0].id}"
    )
