"""The daily file of call detail records: the calls of one UTC day, one a line, fields separated by semicolons.

Sinch documents its columns, and that they differ by the type of calls; where in the bucket the file lies is agreed with
Sinch's support.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

from sandbox.sinch.recorder import bucket_client
from sandbox.sinch.state import SandboxCall, State

COLUMNS = (
    *("CallId", "UserSpaceId", "CallTime", "Result", "Reason", "Duration", "AnswerTime", "From", "To"),
    *("Amount", "Currency", "Custom", "ApplicationKey"),
)
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_USER_SPACE = "51a3c9f1-0e3c-4c4b-8a19-2b6c6f3b7d40"


def cdr_file(state: State, day: date) -> bytes:
    """The file of a day, of the calls that are over."""
    target = io.StringIO()
    rows = csv.DictWriter(target, COLUMNS, delimiter=";", lineterminator="\r\n")
    rows.writeheader()
    for call in state.calls.values():
        if not call.ongoing and "timestamp" in call.facts and _placed(call).date() == day:
            rows.writerow(_row(state, call))
    return target.getvalue().encode()


def write_cdr(state: State, day: date, folder_url: str, credentials: str) -> str:
    """Writes the file of a day into a folder of a bucket; where it lies."""
    bucket, _, folder = folder_url.removeprefix("s3://").partition("/")
    key = f"{folder}{day:%Y-%m-%d}.csv"
    bucket_client(state.s3_endpoint, credentials).put_object(Bucket=bucket, Key=key, Body=cdr_file(state, day))
    return f"s3://{bucket}/{key}"


def _placed(call: SandboxCall) -> datetime:
    return datetime.fromisoformat(call.facts["timestamp"]).replace(tzinfo=UTC)


def _row(state: State, call: SandboxCall) -> dict[str, Any]:
    facts = call.facts
    debit = facts.get("debit") or {}
    return {
        "CallId": call.call_id,
        "UserSpaceId": _USER_SPACE,
        "CallTime": _placed(call).strftime(_TIME),
        "Result": facts.get("result"),
        "Reason": facts.get("reason"),
        "Duration": facts.get("duration"),
        "AnswerTime": call.answered_at.strftime(_TIME) if call.answered_at else "",
        "From": (facts.get("from") or {}).get("endpoint"),
        "To": (facts.get("to") or {}).get("endpoint"),
        "Amount": debit.get("amount"),
        "Currency": debit.get("currencyId"),
        "Custom": facts.get("custom"),
        "ApplicationKey": state.key,
    }
