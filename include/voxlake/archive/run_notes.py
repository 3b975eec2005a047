"""What the tasks of a run note down for its summary: small files beside the run's outcomes, until it is published."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from voxlake.archive.land import Landed
from voxlake.lake import layout
from voxlake.lake.storage import Storage
from voxlake.ringcentral.grants import Grant
from voxlake.ringcentral.transport import Tally


@dataclass(frozen=True)
class RunNotes:
    """The notes of all tasks together; what a killed task had not noted yet is missing.

    Attributes:
        calls: Call-log records that landed; None if no task has noted it.
        rejected: Records that did not.
        requested: What the requests of all tasks came to.
        grants: What each credential is granted, as `Grant` has it: credential, group, limit, window in seconds.
        paths: The files that hold all this.
    """

    calls: int | None
    rejected: int
    requested: Tally
    grants: tuple[tuple[str, str, int, float], ...]
    paths: list[str] = field(repr=False)


def note_requests(storage: Storage, run_id: str, requested: Tally, grants: Sequence[Grant]) -> None:
    """Notes what a task's requests came to. One that comes back, or is tried again, notes what it did each time."""
    if requested == Tally():
        return
    granted = [(grant.credential, grant.group, grant.limit, grant.window) for grant in grants]
    _put(storage, run_id, f"requests-{uuid.uuid4().hex}", vars(requested) | {"grants": granted})


def note_landed(storage: Storage, run_id: str, landed: Landed) -> None:
    """Notes what landed, in place of what an earlier try has noted."""
    _put(storage, run_id, "landed", {"calls": landed.calls, "rejected": landed.rejected})


def read_notes(storage: Storage, run_id: str) -> RunNotes:
    """All that the tasks of a run have noted since it was last published."""
    landed: dict[str, int] = {}
    requested = Tally()
    grants: dict[tuple[str, str], tuple[int, float]] = {}
    paths = list(storage.list(layout.outcomes_folder(run_id, "notes")))
    # A thousand tasks leave a thousand notes, and S3 takes its time for each.
    with ThreadPoolExecutor(8) as pool:
        notes = [json.loads(read.data) for read in pool.map(storage.read, paths)]
    for path, note in zip(paths, notes, strict=True):
        if path.endswith("/landed.json"):
            landed = note
            continue
        requested.requests += note["requests"]
        requested.refused += note["refused"]
        requested.waited += note["waited"]
        requested.received += note["received"]
        grants |= {(credential, group): (limit, window) for credential, group, limit, window in note["grants"]}
    granted = tuple((*key, *value) for key, value in sorted(grants.items()))
    return RunNotes(landed.get("calls"), landed.get("rejected", 0), requested, granted, paths)


def _put(storage: Storage, run_id: str, name: str, note: dict[str, Any]) -> None:
    storage.put(f"{layout.outcomes_folder(run_id, 'notes')}/{name}.json", json.dumps(note).encode())
