"""One telephony session from RingCentral into the archive, in this process: what a run does in tasks of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from voxlake.archive.download import Patience, RecordingsFailedError, download_session
from voxlake.archive.extract import extract_session
from voxlake.archive.land import land_call_log
from voxlake.archive.merge import MergeOptions, merge_session
from voxlake.archive.plan import plan_sessions
from voxlake.archive.publish import Published, publish_run
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient

log = logging.getLogger(__name__)


class SessionNotListedError(LookupError):
    """RingCentral lists no call of the session."""


def archive_session(
    client: RingCentralClient,
    storage: Storage,
    telephony_session_id: str,
    patience: Patience,
    options: MergeOptions,
    waiting: Callable[[datetime], None],
) -> Published:
    """Reads, lands, downloads, merges and publishes one session; what is held is not fetched again.

    Args:
        client: Whose credentials read the call log and fetch the recordings.
        storage: The lake.
        telephony_session_id: Which session.
        patience: How long the provider is given for a recording that it does not have yet.
        options: How recordings are merged.
        waiting: Told until when a recording is waited for.

    Returns:
        What came of it; of no session if all of it was in the archive, or it has no recording.

    Raises:
        SessionNotListedError: There is no such session in the time that RingCentral keeps recordings.
        RingCentralError: A request failed.
        NotAudioError: None of its recordings plays.
    """
    began = datetime.now(UTC)
    run_id = f"fetch.{began:%Y%m%dT%H%M%S.%fZ}"
    folder = extract_session(client, storage, began - patience.retention, telephony_session_id=telephony_session_id)
    landed = land_call_log(storage, [folder])
    if not landed.calls:
        raise SessionNotListedError(
            f"RingCentral lists no call of session {telephony_session_id}: check the id; a call that has just ended is "
            "listed some seconds later"
        )
    planned = plan_sessions(storage, landed.sessions)
    for session in planned:
        try:
            while (look_again := download_session(client, storage, session, run_id, 1, patience)) is not None:
                waiting(look_again)
                time.sleep(max(0.0, (look_again - datetime.now(UTC)).total_seconds()))
        except RecordingsFailedError as error:
            # `publish` reads it from the outcomes; what could be had is merged.
            log.warning("%s", error)
        merge_session(storage, session, run_id, options)
    return publish_run(storage, planned, run_id)
