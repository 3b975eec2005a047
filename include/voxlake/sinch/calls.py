"""A call as Sinch's API has it: `GET /calling/v1/calls/id/{callId}`.

https://developers.sinch.com/docs/voice/api-reference/voice/tag/Calls/
"""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from voxlake.sinch.parts import Endpoint, Money, Part
from voxlake.sinch.times import SinchTime


class Call(Part):
    """What became of a call; nothing but its id is promised, and what has no field here is in `model_extra`.

    Attributes:
        call_id: The call.
        from_: Who called.
        to: Who was called.
        domain: `pstn`, `mxp`, …
        duration: Seconds.
        status: `ONGOING` or `FINAL`.
        result: `ANSWERED`, `BUSY`, `NOANSWER`, `FAILED` or `N/A`.
        reason: Why it ended; an open list.
        timestamp: As Sinch gives it, without a zone, read as UTC.
        custom: What the application gave the call to carry.
        user_rate: Price of a minute.
        debit: What the call cost.
    """

    call_id: str
    from_: Endpoint | None = Field(default=None, validation_alias="from")
    to: Endpoint | None = None
    domain: str | None = None
    duration: Decimal | None = None
    status: str | None = None
    result: str | None = None
    reason: str | None = None
    timestamp: SinchTime | None = None
    custom: str | None = None
    user_rate: Money | None = None
    debit: Money | None = None
