"""The subscription to telephony sessions: there is one that works, or an error that says why not."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from voxlake.lake import layout
from voxlake.lake.storage import ObjectMissingError, Storage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.errors import NotFoundError
from voxlake.ringcentral.subscriptions import (
    MOST,
    Subscription,
    create_subscription,
    delete_subscription,
    in_general,
    list_subscriptions,
    renew_subscription,
)

log = logging.getLogger(__name__)

# RingCentral's own default. A receiver that is given up is told nothing for longer than that.
LASTS = timedelta(days=7)
# Renewed in time, also where nobody renews for some days.
_RENEW_BEFORE = LASTS / 2
# Between RingCentral's making of a subscription and our note of its id, its first notifications may come.
_OPENING = timedelta(minutes=2)


class TooManySubscriptionsError(ValueError):
    """The user and the app have all the subscriptions that RingCentral admits, and none of them is ours to end."""


@dataclass(frozen=True)
class SubscriptionNote:
    """What the receiver goes by, and what a person may read, of the subscription.

    Attributes:
        subscription_ids: Whose notifications are ours: the one that is kept, and those that it has just replaced.
        expires_at: When it ends unless it is renewed; None before there is one.
        checked_at: When RingCentral last said that it is active.
        opening_until: While one is being made, notifications of an id that is not known yet are ours too.
        proof: What the verification token that it was made with can be told by; it cannot be found from this.
    """

    subscription_ids: tuple[str, ...] = ()
    expires_at: datetime | None = None
    checked_at: datetime | None = None
    opening_until: datetime | None = None
    proof: str = ""

    def admits(self, subscription_id: str, now: datetime) -> bool:
        """Whether a notification of this subscription is ours."""
        return subscription_id in self.subscription_ids or (self.opening_until is not None and now < self.opening_until)


@dataclass(frozen=True)
class Wanted:
    """The subscription that there is to be.

    Attributes:
        event_filter: What is subscribed to.
        address: The receiver.
        verification_token: What each notification is to carry.
    """

    event_filter: str
    address: str
    verification_token: str = field(repr=False)

    @property
    def proof(self) -> str:
        """What the verification token can be told by: RingCentral does not show which one a subscription has."""
        return hashlib.sha256(f"voxlake proof {self.verification_token}".encode()).hexdigest()[:16]


def keep_subscribed(client: RingCentralClient, storage: Storage, wanted: Wanted, now: datetime) -> SubscriptionNote:
    """Checks the subscription, renews it in time, and replaces one that is blacklisted, gone or another than wanted.

    One whose verification token is not known to be the wanted one is replaced too: the client secret has changed.

    Subscriptions of other addresses are other programs' and are left alone.

    Args:
        client: Whose user and app subscribe; of one credential.
        storage: The lake, where the note for the receiver lies.
        wanted: What there is to be.
        now: The time.

    Raises:
        TooManySubscriptionsError: There is no room for another one.
        RingCentralError: RingCentral could not be asked, or refuses, such as an address that does not answer.
    """
    everything = list_subscriptions(client)
    ours = [one for one in everything if one.address == wanted.address]
    known = read_note(storage)
    good = [one for one in ours if _is_good(one, wanted, known, now)]
    kept = max(good, key=lambda one: one.expires_at, default=None)
    bad = [one for one in ours if one is not kept]
    for one in bad:
        if one.status != "Active":
            log.warning("subscription %s is %s: %s; it is replaced", one.id, one.status, one.blacklisted_for)
    if kept is None:
        _make_room(client, len(everything), bad)
        write_note(storage, replace(known, opening_until=now + _OPENING))
        kept = create_subscription(client, wanted.event_filter, wanted.address, wanted.verification_token, LASTS)
        log.info("subscribed to %s: %s, until %s", wanted.event_filter, kept.id, kept.expires_at)
    elif kept.expires_at - now < _RENEW_BEFORE:
        kept = renew_subscription(client, kept.id)
        log.info("renewed subscription %s until %s", kept.id, kept.expires_at)
    # Noted before the others end: what these have sent is still on its way.
    note = SubscriptionNote((kept.id, *(one.id for one in bad)), kept.expires_at, checked_at=now, proof=wanted.proof)
    write_note(storage, note)
    _end(client, bad)
    return note


def read_note(storage: Storage) -> SubscriptionNote:
    """What was last noted; an empty note where there is none."""
    try:
        value = json.loads(storage.read(layout.subscription("ringcentral")).data)
    except ObjectMissingError:
        return SubscriptionNote()

    def time(name: str) -> datetime | None:
        return None if value[name] is None else datetime.fromisoformat(value[name])

    return SubscriptionNote(
        tuple(value["subscription_ids"]),
        expires_at=time("expires_at"),
        checked_at=time("checked_at"),
        opening_until=time("opening_until"),
        proof=value["proof"],
    )


def write_note(storage: Storage, note: SubscriptionNote) -> None:
    """Replaces the note."""
    times = {
        name: None if time is None else time.isoformat()
        for name, time in (
            ("expires_at", note.expires_at),
            ("checked_at", note.checked_at),
            ("opening_until", note.opening_until),
        )
    }
    text = json.dumps({"subscription_ids": note.subscription_ids, "proof": note.proof, **times})
    storage.put(layout.subscription("ringcentral"), text.encode())


def last_event_at(storage: Storage) -> datetime | None:
    """When the last event was received, as far as the inbox still knows; None if it knows of none."""
    newest = max(
        (
            path.rpartition("/")[2]
            for folder in (layout.inbox_folder("ringcentral"), layout.acknowledged_folder("ringcentral"))
            for path in storage.list(folder)
        ),
        default=None,
    )
    return None if newest is None else layout.received_at(newest)


def _is_good(one: Subscription, wanted: Wanted, known: SubscriptionNote, now: datetime) -> bool:
    return (
        one.status == "Active"
        and one.expires_at > now
        and one.event_filters == (in_general(wanted.event_filter),)
        and one.id in known.subscription_ids
        and known.proof == wanted.proof
    )


def _make_room(client: RingCentralClient, existing: int, bad: list[Subscription]) -> None:
    """Ends one of ours before the new one is made, where RingCentral would not admit one more."""
    if existing < MOST:
        return
    if not bad:
        raise TooManySubscriptionsError(
            f"This user and app have {existing} subscriptions, of {MOST} that RingCentral admits, and none of them is "
            "for VOXLAKE_WEBHOOK_URL. End one that is not needed (DELETE /restapi/v1.0/subscription/{id})."
        )
    _end(client, [bad.pop()])


def _end(client: RingCentralClient, subscriptions: Sequence[Subscription]) -> None:
    for one in subscriptions:
        try:
            delete_subscription(client, one.id)
        except NotFoundError:
            log.info("subscription %s was gone already", one.id)
        else:
            log.info("ended subscription %s", one.id)
