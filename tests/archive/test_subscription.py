from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from sandbox.ringcentral import QuotaLimit, Sandbox, SandboxConfig
from sandbox.served import served
from tests.conftest import StartSandbox
from voxlake.archive.subscription import (
    LASTS,
    TooManySubscriptionsError,
    Wanted,
    keep_subscribed,
    last_event_at,
    read_note,
)
from voxlake.lake.inbox import Event, acknowledge, append, draining
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import RequestError
from voxlake.ringcentral.shared_state import open_state
from voxlake.ringcentral.subscriptions import create_subscription, list_subscriptions
from voxlake.web.webhooks import create_webhooks

FILTER = "/restapi/v1.0/account/~/telephony/sessions?withRecordings=true"
OF_EXTENSION = "/restapi/v1.0/account/~/extension/~/telephony/sessions"
TOKEN = "what-is-sent-as-proof"
DAY = timedelta(days=1)


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> Sandbox:
    return start_sandbox(SandboxConfig(quotas={"light": QuotaLimit(5000), "medium": QuotaLimit(4000)}))


@pytest.fixture
def client(sandbox: Sandbox, tmp_path: Path) -> Iterator[RingCentralClient]:
    with RingCentralClient(_credentials(sandbox), open_state("", tmp_path / "state")) as connected:
        yield connected


@pytest.fixture
def receiver(storage: Storage) -> Iterator[str]:
    app = FastAPI()
    app.mount("/voxlake-webhooks", create_webhooks(lambda: storage, lambda: TOKEN, lambda: None, lambda *_: None))
    with served(app) as url:
        yield url


@pytest.fixture
def wanted(receiver: str) -> Wanted:
    return Wanted(FILTER, f"{receiver}/voxlake-webhooks/ringcentral", TOKEN)


def test_it_subscribes_once_and_the_receiver_knows_the_subscription(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, wanted: Wanted
) -> None:
    note = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    (one,) = list_subscriptions(client)
    assert (one.address, one.event_filters, one.status) == (wanted.address, (FILTER,), "Active")
    assert one.expires_at == pytest.approx(sandbox.clock.now() + LASTS, abs=timedelta(minutes=1))
    assert note.admits(one.id, sandbox.clock.now())
    assert not note.admits("another", sandbox.clock.now())

    again = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    assert again.subscription_ids == note.subscription_ids
    assert len(list_subscriptions(client)) == 1


def test_its_events_come_to_the_inbox(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, wanted: Wanted
) -> None:
    keep_subscribed(client, storage, wanted, sandbox.clock.now())
    assert last_event_at(storage) is None
    session = sandbox.truth(sandbox.clock.now() - DAY, sandbox.clock.now()).sessions[0]
    before = datetime.now(UTC)
    assert set(sandbox.send_events(session)) == {200}
    last = last_event_at(storage)
    assert last is not None
    assert before <= last <= datetime.now(UTC)


def test_it_is_renewed_in_time_and_not_before(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, wanted: Wanted
) -> None:
    first = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    sandbox.clock.advance(DAY.total_seconds())
    assert keep_subscribed(client, storage, wanted, sandbox.clock.now()).expires_at == first.expires_at
    sandbox.clock.advance(3 * DAY.total_seconds())
    renewed = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    assert renewed.subscription_ids == first.subscription_ids
    assert renewed.expires_at is not None
    assert first.expires_at is not None
    assert renewed.expires_at - first.expires_at == pytest.approx(4 * DAY, abs=timedelta(minutes=1))


def test_one_that_has_expired_is_replaced(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, wanted: Wanted
) -> None:
    first = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    sandbox.clock.advance(8 * DAY.total_seconds())
    second = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    assert second.subscription_ids[0] != first.subscription_ids[0]


def test_one_that_is_blacklisted_is_replaced_and_ended(
    client: RingCentralClient,
    storage: Storage,
    sandbox: Sandbox,
    wanted: Wanted,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    sandbox.subscriptions.blacklist(first.subscription_ids[0], "Webhook responses with code: [404]")
    second = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    (one,) = list_subscriptions(client)
    assert one.status == "Active"
    # What the first sent before it ended is still on its way.
    assert second.subscription_ids == (one.id, first.subscription_ids[0])
    assert "Blacklisted: Webhook responses with code: [404]; it is replaced" in caplog.text


def test_another_filter_replaces_it(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, wanted: Wanted
) -> None:
    keep_subscribed(client, storage, wanted, sandbox.clock.now())
    keep_subscribed(client, storage, Wanted(OF_EXTENSION, wanted.address, TOKEN), sandbox.clock.now())
    assert [one.event_filters for one in list_subscriptions(client)] == [(OF_EXTENSION,)]


def test_one_with_another_proof_replaces_it(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, wanted: Wanted
) -> None:
    """The client secret has changed: the receiver would refuse what the old subscription sends."""
    first = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    second = keep_subscribed(client, storage, Wanted(FILTER, wanted.address, "a new one"), sandbox.clock.now())
    (one,) = list_subscriptions(client)
    assert one.id == second.subscription_ids[0] != first.subscription_ids[0]


def test_of_two_that_are_alike_one_is_ended(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, wanted: Wanted
) -> None:
    """The reply to the first was lost, say."""
    for _ in range(2):
        create_subscription(client, FILTER, wanted.address, TOKEN, LASTS)
    note = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    (one,) = list_subscriptions(client)
    assert note.subscription_ids[0] == one.id


def test_others_are_left_alone_and_the_cap_is_named(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, wanted: Wanted
) -> None:
    for number in range(30):
        create_subscription(client, FILTER, f"{wanted.address}?{number}", TOKEN, LASTS)
    with pytest.raises(TooManySubscriptionsError, match="30 subscriptions, of 30"):
        keep_subscribed(client, storage, wanted, sandbox.clock.now())
    assert len(list_subscriptions(client)) == 30


def test_at_the_cap_one_of_ours_makes_room(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, wanted: Wanted
) -> None:
    first = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    for number in range(29):
        create_subscription(client, FILTER, f"{wanted.address}?{number}", TOKEN, LASTS)
    sandbox.subscriptions.blacklist(first.subscription_ids[0], "Read timed out")
    second = keep_subscribed(client, storage, wanted, sandbox.clock.now())
    listed = list_subscriptions(client)
    assert len(listed) == 30
    assert second.subscription_ids[0] in {one.id for one in listed}


def test_an_address_that_does_not_agree_is_refused(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, receiver: str
) -> None:
    with pytest.raises(RequestError, match="SUB-525"):
        keep_subscribed(client, storage, Wanted(FILTER, f"{receiver}/nowhere", TOKEN), sandbox.clock.now())
    # Its first events were to be ours; nobody knows their subscription now.
    note = read_note(storage)
    assert note.subscription_ids == ()
    assert note.opening_until is not None


def test_the_proof_is_in_no_place_where_others_read(
    client: RingCentralClient, storage: Storage, sandbox: Sandbox, wanted: Wanted, caplog: pytest.LogCaptureFixture
) -> None:
    keep_subscribed(client, storage, wanted, sandbox.clock.now())
    everything = [storage.read(path).data for path in storage.list("inbox")]
    assert everything
    assert TOKEN.encode() not in b"".join(everything)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(list_subscriptions(client))


def test_the_last_event_is_known_after_it_was_acknowledged(storage: Storage) -> None:
    append(storage, "ringcentral", [Event(b"{}", datetime.now(UTC), "sub")])
    with draining(storage, "ringcentral", "test") as deliveries:
        for delivery in deliveries:
            acknowledge(storage, delivery)
    last = last_event_at(storage)
    assert last is not None
    assert datetime.now(UTC) - last < timedelta(minutes=5)


def _credentials(sandbox: Sandbox) -> Credentials:
    return Credentials(sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url)
