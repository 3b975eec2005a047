"""Subscriptions: what RingCentral is to tell by itself, and where to.

https://developers.ringcentral.com/guide/notifications/webhooks/creating-webhooks
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from voxlake.ringcentral.client import JsonReply, RingCentralClient
from voxlake.ringcentral.errors import BadReplyError

# Of a user and an app (SUB-505).
MOST = 30

_PATH = "/restapi/v1.0/subscription"
# The reply names the account and the extensions that `~` stood for.
_OWN_ID = re.compile(r"(?<=/account/)\d+|(?<=/extension/)\d+")


@dataclass(frozen=True)
class Subscription:
    """One subscription of the user and the app.

    Attributes:
        id: Its id.
        address: Where notifications go; empty if not to a webhook.
        event_filters: What is subscribed to, with `~` for the account and the extension.
        status: `Active` or `Blacklisted`.
        expires_at: When it ends, unless it is renewed.
        blacklisted_for: Why RingCentral sends nothing any more; empty if it does.
    """

    id: str
    address: str
    event_filters: tuple[str, ...]
    status: str
    expires_at: datetime
    blacklisted_for: str = ""


def list_subscriptions(client: RingCentralClient) -> list[Subscription]:
    """All subscriptions of the user and the app, also those of other programs."""
    reply = client.get_json(_PATH)
    records = reply.data.get("records")
    if not isinstance(records, list):
        raise _bad(reply, "records", "is no list")
    return [_subscription(reply, record) for record in records]


def create_subscription(
    client: RingCentralClient, event_filter: str, address: str, verification_token: str, lasts: timedelta
) -> Subscription:
    """Subscribes; RingCentral asks the address for its consent before it answers.

    Args:
        client: The connection.
        event_filter: What to subscribe to, such as `/restapi/v1.0/account/~/telephony/sessions?withRecordings=true`.
        address: The public https address of the receiver.
        verification_token: What each notification is to carry as its proof.
        lasts: How long, at most ten years.

    Raises:
        RequestError: RingCentral refuses, such as with SUB-525 if the address did not answer as it should.
        RingCentralError: See RingCentralClient.
    """
    reply = client.post_json(
        _PATH,
        {
            "eventFilters": [event_filter],
            "deliveryMode": {
                "transportType": "WebHook",
                "address": address,
                "verificationToken": verification_token,
            },
            "expiresIn": int(lasts.total_seconds()),
        },
    )
    return _subscription(reply, reply.data)


def renew_subscription(client: RingCentralClient, subscription_id: str) -> Subscription:
    """Makes a subscription last as long again as it was made to last."""
    reply = client.post_json(f"{_PATH}/{subscription_id}/renew")
    return _subscription(reply, reply.data)


def delete_subscription(client: RingCentralClient, subscription_id: str) -> None:
    """Ends a subscription.

    Raises:
        NotFoundError: It is gone already.
        RingCentralError: See RingCentralClient.
    """
    client.delete(f"{_PATH}/{subscription_id}")


def in_general(event_filter: str) -> str:
    """An event filter with `~` for the account and the extension, as a person writes it."""
    return _OWN_ID.sub("~", event_filter)


def _subscription(reply: JsonReply, record: Any) -> Subscription:
    if not isinstance(record, dict):
        raise _bad(reply, "records", "has an element that is no object")
    mode = record.get("deliveryMode")
    blacklisted = record.get("blacklistedData")
    filters = record.get("eventFilters")
    if not isinstance(filters, list):
        raise _bad(reply, "eventFilters", "is no list")
    return Subscription(
        id=_text(reply, record, "id"),
        address=str(mode.get("address") or "") if isinstance(mode, dict) else "",
        event_filters=tuple(in_general(str(one)) for one in filters),
        status=_text(reply, record, "status"),
        expires_at=_time(reply, record, "expirationTime"),
        blacklisted_for=str(blacklisted.get("reason") or "") if isinstance(blacklisted, dict) else "",
    )


def _text(reply: JsonReply, record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise _bad(reply, name, "is missing, or no text")
    return value


def _time(reply: JsonReply, record: dict[str, Any], name: str) -> datetime:
    try:
        time = datetime.fromisoformat(_text(reply, record, name))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise _bad(reply, name, "is no time with its zone")
    return time


def _bad(reply: JsonReply, field_name: str, problem: str) -> BadReplyError:
    return BadReplyError(
        f"RingCentral answered {_PATH} with a subscription whose field {field_name} {problem}. Try again; if it stays, "
        "report it to RingCentral.",
        status=200,
        url=_PATH,
    )
