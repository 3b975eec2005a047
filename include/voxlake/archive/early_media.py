"""Early media: recordings that events named, fetched before the call log lists their calls.

RingCentral serves a recording at an address that can be made of its id, but does not promise to: its support calls it
quick, and the call log's `contentUri` the safe way. So what does not come by it is left to the call log:
https://stackoverflow.com/questions/55072244
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from voxlake.archive.download import LEASE, held_audio, measure_held
from voxlake.archive.open_sessions import OpenSession
from voxlake.audio.decode import judge
from voxlake.audio.probe import NotAudioError
from voxlake.lake import layout
from voxlake.lake.lease import LeaseHeldError, lease
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.errors import RateLimitedError, RingCentralError
from voxlake.ringcentral.recordings import content_uri_of, download_recording

log = logging.getLogger(__name__)

Row = dict[str, Any]


def fetch_by_id(client: RingCentralClient, storage: Storage, sessions: Iterable[OpenSession], holder: str) -> int:
    """Fetches recordings that events of some sessions named, as far as the quota goes and RingCentral has them.

    They lie where `download_session` looks first, so that it fetches none of them again. A recording that is not there
    yet, that is no audio, or not whole, is left to it.

    Args:
        client: Whose credentials fetch the audio.
        storage: The lake.
        sessions: Sessions that are over.
        holder: Who does this, in words.

    Returns:
        How many came.
    """
    brought = 0
    for session in sessions:
        for recording_id in sorted(filter(layout.is_safe_id, session.told.recording_ids)):
            try:
                brought += _fetch(client, storage, recording_id, session, holder)
            except RateLimitedError as error:
                log.info("further recordings are left to the call log: %s", error)
                return brought
            except (RingCentralError, NotAudioError, LeaseHeldError) as error:
                log.info("recording %s does not come by its id, and is left to the call log: %s", recording_id, error)
    return brought


def _fetch(client: RingCentralClient, storage: Storage, recording_id: str, session: OpenSession, holder: str) -> bool:
    began = session.told.began_at
    row: Row = {"provider": layout.RINGCENTRAL, "recording_id": recording_id, "start_time": began, "status": "pending"}
    with lease(storage, layout.recording_lease(recording_id), holder, LEASE):
        if held_audio(storage, row) is not None:
            return False
        with storage.scratch() as scratch:
            with scratch.open("wb") as file:
                received = download_recording(client, content_uri_of(client, recording_id), file, began)
            path = layout.recording_audio(recording_id, began.date(), received.content_type)
            if (defect := judge(measure_held(scratch, path)).defect) is not None:
                # RingCentral may still be writing it.
                log.info("recording %s is left to the call log: %s", recording_id, defect.detail)
                return False
            storage.publish(scratch, path)
    log.info("recording %s: %d bytes to %s, before its call is listed", recording_id, received.size_bytes, path)
    return True
