"""The daily file of call detail records: a line a call, fields separated by semicolons.

Each type of call has columns of its own, of which those that are read here are in all:
https://github.com/sinch/docs (voice-rest-api-call-detail-records.md)
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime

from voxlake.sinch.times import parse_time

_NEEDED = ("CallId", "CallTime", "Result")


class RecordFileError(ValueError):
    """A file is none of call detail records; the text names it and what is missing."""


@dataclass(frozen=True)
class CallRecord:
    """A call.

    Attributes:
        call_id: Which.
        application_key: Whose; empty where the file does not say.
        call_time: When it was made.
        result: `ANSWERED`, `BUSY`, `NOANSWER`, `FAILED`.
    """

    call_id: str
    application_key: str
    call_time: datetime
    result: str

    @property
    def day(self) -> date:
        """The UTC day of the call."""
        return self.call_time.date()

    @property
    def answered(self) -> bool:
        """Whether it was."""
        return self.result.upper() == "ANSWERED"


def parse_records(data: bytes, name: str) -> tuple[list[CallRecord], list[str]]:
    """The calls of a file, and a line about each record that is none.

    Args:
        data: The file.
        name: What to call it in texts.

    Raises:
        RecordFileError: It has no header with the columns that every type of call has.
    """
    lines = csv.reader(io.StringIO(data.decode("utf-8-sig", errors="replace")), delimiter=";")
    header: list[str] = []
    records, rejected = [], []
    for number, fields in enumerate(lines, 1):
        # Each type of call may begin with a header of its own.
        if "CallId" in fields:
            header = [field.strip() for field in fields]
            if missing := [column for column in _NEEDED if column not in header]:
                raise RecordFileError(f"{name}, line {number}: the column {', '.join(missing)} is missing.")
        elif any(fields):
            if not header:
                raise RecordFileError(f"{name}, line {number}: expected a header with {', '.join(_NEEDED)}.")
            try:
                records.append(_record(dict(zip(header, fields, strict=False))))
            except ValueError as error:
                rejected.append(f"{name}, line {number}: {error}")
    return records, rejected


def _record(values: dict[str, str]) -> CallRecord:
    call_id, time = values.get("CallId", "").strip(), values.get("CallTime", "").strip()
    if not call_id:
        raise ValueError("CallId: missing")
    try:
        # Other systems of Sinch write a space there.
        call_time = parse_time(time.replace(" ", "T", 1))
    except ValueError as error:
        raise ValueError(f"CallTime: {error}") from None
    return CallRecord(call_id, values.get("ApplicationKey", "").strip(), call_time, values.get("Result", "").strip())
