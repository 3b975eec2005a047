"""What callbacks and calls are made of."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Part(BaseModel):
    """A JSON object of Sinch's."""

    # What Sinch adds one day is kept (`model_extra`) and stops nothing.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)


class Money(Part):
    """An amount of money."""

    currency_id: str | None = None
    amount: Decimal | None = None


class Endpoint(Part):
    """Who is called; `type` is `number`, `did`, `username`, `sip` or another, in any case."""

    type: str | None = None
    endpoint: str | None = None


class MachineDetection(Part):
    """Whether a person or a machine answered."""

    status: str | None = None
    reason: str | None = None
    duration: float | None = None


class MenuResult(Part):
    """What a caller pressed or said in a menu."""

    menu_id: str | None = None
    type: str | None = None
    value: str | None = None
    input_method: str | None = None


class CallHeader(Part):
    """A header of the call, as the calling client set it."""

    key: str
    value: str | None = None
