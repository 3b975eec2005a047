"""Takes RingCentral's notifications of telephony sessions, at `/voxlake-webhooks/ringcentral`.

https://developers.ringcentral.com/guide/notifications/webhooks/receiving
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request, Response

from voxlake.archive.subscription import SubscriptionNote, read_note
from voxlake.ringcentral.notifications import MalformedNotificationError, Notification, parse_notification
from voxlake.ringcentral.telephony_session import may_end_a_session
from voxlake.web.fresh import FRESH_SECONDS, LEAST_SECONDS, Fresh
from voxlake.web.once import Once
from voxlake.web.receiver import Receiver, RefusedError, read_body

# What is sent to be echoed; the whole answer may have 1,024 bytes.
_CHALLENGE = re.compile(r"[\x21-\x7e]{1,256}")

# No notification is delivered so late, and no clock that is looked after is so wrong.
_OLDEST = timedelta(hours=1)


def ringcentral_router(receiver: Receiver, verification_token: Callable[[], str]) -> APIRouter:
    """The endpoint.

    Args:
        receiver: Keeps the events.
        verification_token: Reads what each notification is to carry, from the connection.
    """
    router = APIRouter()
    notes = Fresh(lambda: read_note(receiver.open_lake()))
    tokens = Fresh(verification_token)
    seen = Once()

    @router.post("/ringcentral")
    async def receive(request: Request) -> Response:
        try:
            challenge = request.headers.get("validation-token")
            if not await _is_proven(request, tokens):
                if challenge is None or "verification-token" in request.headers:
                    raise RefusedError(401, "forged")
                return _consent(challenge)
            body = await read_body(request)
            notification = _parse(body)
            await _admit(notification, notes)
            with seen.taking(notification.uuid) as new:
                if not new:
                    # Answered as if it were new: to RingCentral it is a delivery that went well.
                    raise RefusedError(200, "repeated")
                await receiver.keep(body, notification.subscription_id)
        except RefusedError as error:
            receiver.refused(error)
            return Response(status_code=error.status)
        if may_end_a_session(notification):
            receiver.tell_airflow()
        return Response(status_code=200)

    return router


def _consent(challenge: str) -> Response:
    """The answer to the question whether notifications are welcome; it takes no proof and gives nothing away."""
    if not _CHALLENGE.fullmatch(challenge):
        raise RefusedError(400, "malformed")
    return Response(status_code=200, media_type="application/json", headers={"Validation-Token": challenge})


async def _is_proven(request: Request, tokens: Fresh[str]) -> bool:
    # The reference and the guide name different headers, the second of which carries the challenge too:
    # https://developers.ringcentral.com/guide/notifications/webhooks/receiving
    sent = request.headers.get("verification-token") or request.headers.get("validation-token") or ""
    for least in (FRESH_SECONDS, LEAST_SECONDS):
        if hmac.compare_digest(sent.encode(), (await tokens.get(least)).encode()):
            return True
    return False


def _parse(body: bytes) -> Notification:
    try:
        notification = parse_notification(body)
    except MalformedNotificationError as error:
        raise RefusedError(400, "malformed") from error
    if abs(datetime.now(UTC) - notification.timestamp) > _OLDEST:
        raise RefusedError(403, "replayed")
    return notification


async def _admit(notification: Notification, notes: Fresh[SubscriptionNote]) -> None:
    for least in (FRESH_SECONDS, LEAST_SECONDS):
        if (await notes.get(least)).admits(notification.subscription_id, datetime.now(UTC)):
            return
    raise RefusedError(403, "unknown_subscription")
