"""The query of the call log: what its parameters mean and which may not stand together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast
from urllib.parse import urlencode

from sandbox.ringcentral.calls import CallRecord, Leg, Recording
from sandbox.ringcentral.errors import invalid_parameter, not_combinable
from sandbox.ringcentral.operations import ApiRequest
from sandbox.ringcentral.timestamps import from_text, to_text

MAX_PER_PAGE = 1000
_DEFAULT_PER_PAGE = 100
_DEFAULT_RANGE = timedelta(hours=24)
# The documents name two of these; the others follow from "cannot be combined with other filters".
_NOT_WITH_SESSION_ID = (
    "extensionNumber",
    "phoneNumber",
    "direction",
    "type",
    "transport",
    "withRecording",
    "recordingType",
    "metadataCategory",
    "telephonySessionId",
)


@dataclass(frozen=True, slots=True)
class CallLogQuery:
    """One request for a page of the call log, with every default filled in.

    A multi-valued filter is empty when it is off.
    """

    view: Literal["Simple", "Detailed"]
    date_from: datetime
    date_to: datetime
    page: int
    per_page: int
    direction: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    transport: tuple[str, ...] = ()
    metadata_category: tuple[str, ...] = ()
    recording_type: Literal["Automatic", "OnDemand", "All"] | None = None
    extension_number: str | None = None
    phone_number: str | None = None
    session_id: str | None = None
    telephony_session_id: str | None = None
    show_blocked: bool = True
    show_deleted: bool = False

    def text(self, page: int) -> str:
        """The effective query of another page, as it stands in navigation links."""
        pairs: list[tuple[str, str]] = [("view", self.view)]
        if not self.show_blocked:
            pairs.append(("showBlocked", "false"))
        if self.show_deleted:
            pairs.append(("showDeleted", "true"))
        for name, values in (
            ("direction", self.direction),
            ("type", self.type),
            ("transport", self.transport),
            ("metadataCategory", self.metadata_category),
        ):
            pairs.extend((name, value) for value in values)
        for name, value in (
            ("recordingType", self.recording_type),
            ("extensionNumber", self.extension_number),
            ("phoneNumber", self.phone_number),
            ("sessionId", self.session_id),
            ("telephonySessionId", self.telephony_session_id),
        ):
            if value is not None:
                pairs.append((name, value))
        pairs += [("dateFrom", to_text(self.date_from)), ("dateTo", to_text(self.date_to))]
        pairs += [("page", str(page)), ("perPage", str(self.per_page))]
        return urlencode(pairs)

    def passing(
        self, records: list[CallRecord], kept: Callable[[CallRecord], tuple[Recording, ...]]
    ) -> list[CallRecord]:
        """The records of the date range that pass the other filters.

        Args:
            records: Of the call log.
            kept: Gives those recordings of a record that still exist.
        """
        tests = [test for is_on, test in self._tests(kept) if is_on]
        if not tests:
            return records
        return [record for record in records if all(test(record) for test in tests)]

    def _tests(
        self, kept: Callable[[CallRecord], tuple[Recording, ...]]
    ) -> Iterator[tuple[bool, Callable[[CallRecord], bool]]]:
        """Every filter: whether it is on, and what passes it."""
        yield bool(self.direction), lambda record: record.master.direction in self.direction
        yield bool(self.type), lambda record: record.type in self.type
        yield bool(self.transport), lambda record: record.master.transport in self.transport
        wanted = frozenset(self.metadata_category)
        yield bool(wanted), lambda record: not wanted.isdisjoint(record.metadata_categories)
        types = {"Automatic", "OnDemand"} if self.recording_type == "All" else {self.recording_type}
        yield types != {None}, lambda record: any(recording.type in types for recording in kept(record))
        extension = self.extension_number or ""
        yield bool(extension), lambda record: any(_has_extension(leg, extension) for leg in record.legs)
        phone = f"+{self.phone_number}"
        yield (
            self.phone_number is not None,
            lambda record: phone in {record.master.from_.phone_number, record.master.to.phone_number},
        )
        yield self.session_id is not None, lambda record: record.session_id == self.session_id
        yield (
            self.telephony_session_id is not None,
            lambda record: record.telephony_session_id == self.telephony_session_id,
        )
        yield not self.show_blocked, lambda record: record.master.result != "Blocked"


def _has_extension(leg: Leg, number: str) -> bool:
    return number in {leg.extension.number, leg.from_.extension_number, leg.to.extension_number}


def parse_query(
    request: ApiRequest, now: datetime, of_extension: bool, detailed_per_page_cap: int | None
) -> CallLogQuery:
    """Reads the parameters of a call-log request.

    Args:
        request: For the company's or an extension's call log.
        now: Default of dateTo.
        of_extension: Whether the parameters of the extension's log, showBlocked and transport, are understood.
        detailed_per_page_cap: Largest page of the Detailed view; None for the general one.

    Raises:
        ApiError: 400 CMN-101 for a value that is not understood, 400 CLG-110 for filters that exclude each other.
    """
    _check_combinations(request)
    date_to = read_moment(request, "dateTo", now)
    date_from = read_moment(request, "dateFrom", date_to - _DEFAULT_RANGE)
    if date_from > date_to:
        raise invalid_parameter("dateFrom", to_text(date_from))
    session_id = read_single(request, "sessionId")
    if session_id is not None and not session_id.isdecimal():
        raise invalid_parameter("sessionId", session_id)
    view = cast("Literal['Simple', 'Detailed']", read_choice(request, "view", ("Simple", "Detailed")) or "Simple")
    per_page = _per_page(request)
    if view == "Detailed" and detailed_per_page_cap is not None:
        per_page = min(per_page, detailed_per_page_cap)
    return CallLogQuery(
        view=view,
        date_from=date_from,
        date_to=date_to,
        page=read_positive(request, "page", 1),
        per_page=per_page,
        direction=_choices(request, "direction", ("Inbound", "Outbound")),
        type=_choices(request, "type", ("Voice", "Fax")),
        transport=_choices(request, "transport", ("PSTN", "VoIP")) if of_extension else (),
        metadata_category=tuple(request.values("metadataCategory")),
        recording_type=_recording_type(request),
        extension_number=read_single(request, "extensionNumber"),
        phone_number=read_single(request, "phoneNumber"),
        session_id=session_id,
        telephony_session_id=read_single(request, "telephonySessionId"),
        show_blocked=_flag(request, "showBlocked", default=True) if of_extension else True,
        show_deleted=_flag(request, "showDeleted", default=False),
    )


def _check_combinations(request: ApiRequest) -> None:
    given = {name for name, _ in request.query}
    if {"extensionNumber", "phoneNumber"} <= given:
        raise not_combinable("extensionNumber", "phoneNumber")
    if "sessionId" in given:
        for name in _NOT_WITH_SESSION_ID:
            if name in given:
                raise not_combinable(name, "sessionId")


def read_single(request: ApiRequest, name: str) -> str | None:
    """The value of a parameter, None without one; raises 400 CMN-101 for an empty one."""
    values = request.values(name)
    if values and not values[-1]:
        raise invalid_parameter(name, "")
    return values[-1] if values else None


def read_choice(request: ApiRequest, name: str, choices: tuple[str, ...]) -> str | None:
    """The value of a parameter with few values, None without one; raises 400 CMN-101 for another one."""
    value = read_single(request, name)
    if value is not None and value not in choices:
        raise invalid_parameter(name, value)
    return value


def _choices(request: ApiRequest, name: str, choices: tuple[str, ...]) -> tuple[str, ...]:
    """The values of a repeated parameter. Comma-joined values are reported to be accepted and to match nothing."""
    values = tuple(request.values(name))
    for value in values:
        if value not in choices and "," not in value:
            raise invalid_parameter(name, value)
    return values


def _flag(request: ApiRequest, name: str, default: bool) -> bool:
    flags: Mapping[str, bool] = {"true": True, "false": False}
    value = read_single(request, name)
    if value is None:
        return default
    if value.lower() not in flags:
        raise invalid_parameter(name, value)
    return flags[value.lower()]


def read_moment(request: ApiRequest, name: str, default: datetime) -> datetime:
    """The time in a parameter; raises 400 CMN-101 for what is none, or has no timezone."""
    value = read_single(request, name)
    if value is None:
        return default
    try:
        return from_text(value)
    except ValueError:
        raise invalid_parameter(name, value) from None


def read_positive(request: ApiRequest, name: str, default: int) -> int:
    """The whole number of at least 1 in a parameter; raises 400 CMN-101 for anything else."""
    value = read_single(request, name)
    if value is None:
        return default
    if not (value.isdecimal() and int(value) >= 1):
        raise invalid_parameter(name, value)
    return int(value)


def _per_page(request: ApiRequest) -> int:
    if read_single(request, "perPage") == "max":
        return MAX_PER_PAGE
    return min(read_positive(request, "perPage", _DEFAULT_PER_PAGE), MAX_PER_PAGE)


def _recording_type(request: ApiRequest) -> Literal["Automatic", "OnDemand", "All"] | None:
    """The effective recordingType; the deprecated withRecording counts only without it."""
    value = read_choice(request, "recordingType", ("Automatic", "OnDemand", "All"))
    if value is None and _flag(request, "withRecording", default=False):
        return "All"
    return cast("Literal['Automatic', 'OnDemand', 'All'] | None", value)
