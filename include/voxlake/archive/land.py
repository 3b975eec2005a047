"""Land: raw call-log pages into the tables `calls`, `legs` and `recordings`."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from voxlake.lake import layout, tables
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.ringcentral.call_log import account_id_of
from voxlake.ringcentral.records import ParsedRecords, RejectedRecord, parse_records

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Landed:
    """What came in with some raw folders.

    Attributes:
        calls: Call-log records that landed.
        legs: Their legs.
        recordings: Recordings that they claim.
        rejected: Records that did not land; they and the reasons lie in the folders' `rejected/`.
        sessions: The telephonySessionIds with recordings, each with the UTC days these start on.
    """

    calls: int
    legs: int
    recordings: int
    rejected: int
    sessions: dict[str, set[date]]


def land_call_log(storage: Storage, raw_folders: Sequence[str]) -> Landed:
    """Upserts every record of the raw folders' pages; a bad record is set aside with its reason, the rest lands.

    Raises:
        ValueError: A folder's name is not one that `extract` makes, or a page is not JSON with `records`.
        VersionConflictError: Other processes kept replacing the same day's table.
    """
    landed = ParsedRecords()
    for folder in raw_folders:
        extracted_at = layout.extracted_at(folder)
        for path in storage.list(folder):
            if path.startswith(f"{folder}/rejected/"):
                continue
            page = _read_page(storage, path)
            parsed = parse_records(page["records"], account_id_of(page), extracted_at)
            if parsed.rejected:
                number = int(path.rsplit("/", 1)[-1].split(".")[0])
                _set_aside(storage, layout.rejected_records(folder, number), parsed.rejected)
            landed.calls += parsed.calls
            landed.legs += parsed.legs
            landed.recordings += parsed.recordings
            landed.rejected += parsed.rejected
    # Recordings last: whoever sees one finds the call it belongs to.
    for table, rows in ((CALLS, landed.calls), (LEGS, landed.legs), (RECORDINGS, landed.recordings)):
        tables.upsert(storage, table, tables.to_arrow(table, rows))
    sessions: dict[str, set[date]] = {}
    for row in landed.recordings:
        sessions.setdefault(row["telephony_session_id"], set()).add(row["start_time"].date())
    report = Landed(len(landed.calls), len(landed.legs), len(landed.recordings), len(landed.rejected), sessions)
    log.info(
        "landed %d calls, %d legs, %d recordings of %d sessions; rejected %d records",
        report.calls,
        report.legs,
        report.recordings,
        len(sessions),
        report.rejected,
    )
    return report


def _read_page(storage: Storage, path: str) -> dict[str, Any]:
    try:
        page = json.loads(gzip.decompress(storage.read(path).data))
    except ValueError:
        page = None
    if not isinstance(page, dict) or not isinstance(page.get("records"), list):
        raise ValueError(f"{path}: expected a JSON object with a list `records`")
    return page


def _set_aside(storage: Storage, path: str, rejected: Sequence[RejectedRecord]) -> None:
    # As ASCII: JSON may hold half of a surrogate pair, which UTF-8 cannot say.
    lines = [json.dumps({"reason": item.reason, "record": item.record}) for item in rejected]
    storage.put(path, gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))
    for item in rejected:
        record_id = item.record.get("id") if isinstance(item.record, dict) else None
        log.warning("record %s rejected: %s; kept in %s", record_id, item.reason, path)
