"""The sweep: what nobody needs any more and nobody else will remove, mostly left by processes that were killed."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from voxlake.lake import layout
from voxlake.lake.inbox import sweep_acknowledged
from voxlake.lake.lease import discard_ended
from voxlake.lake.storage import Storage

log = logging.getLogger(__name__)

# No write takes so long.
_UNFINISHED = timedelta(days=1)
# A run that waits for the quota may take days from its first outcome to its publish.
_UNPUBLISHED = timedelta(days=30)


def sweep(storage: Storage, now: datetime) -> int:
    """Removes what killed processes left behind long ago; how many things that were.

    * Scratch files and unfinished uploads, a day old.
    * Leases that have ended: of recordings that were stored just before the process was killed.
    * Outcomes that no `publish` came for, 30 days old. No recording is lost with them: the next run that comes by the
      session finds the audio in the lake.
    * Events of the inboxes that were acknowledged a week ago.

    Args:
        storage: The lake.
        now: Up to when things have grown old.
    """
    removed = storage.sweep(now - _UNFINISHED)
    removed += sum(discard_ended(storage, path, now) for path in storage.list(layout.LEASES))
    removed += sweep_acknowledged(storage, now)
    for path in storage.list(layout.OUTCOMES, before=now - _UNPUBLISHED):
        log.warning("%s was never published: removed", path)
        storage.delete(path)
        removed += 1
    log.info("%d things that are not needed any more were removed", removed)
    return removed
