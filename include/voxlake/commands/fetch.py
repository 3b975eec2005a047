"""``python -m voxlake fetch``: one telephony session, read and archived now."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from typing import Any

_DESCRIPTION = """\
Reads the calls of one telephony session, downloads its recordings, merges them, and writes its rows, as a run of
ringcentral_session_events with the param telephony_session_id does. It uses the connection and the lake that the DAGs
use, and shares their quota, so run it with Airflow's environment. What the lake holds is not fetched again.
"""


def add_parser(commands: Any) -> None:
    """Adds the command to the others."""
    parser = commands.add_parser(
        "fetch",
        help="archive one telephony session now",
        description=_DESCRIPTION,
        epilog="exit status: 0; 1 if the session is not whole; 2 if it could not be read.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--session", required=True, metavar="ID", help="its telephonySessionId, such as s-…")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Archives the session; returns the exit status."""
    # Airflow takes seconds, which --help need not wait for.
    from airflow.sdk.exceptions import AirflowNotFoundException

    from voxlake.airflow.hook import RingCentralHook
    from voxlake.airflow.lake import open_lake
    from voxlake.airflow.steps import merge_options, patience_of
    from voxlake.archive.one_session import SessionNotListedError, archive_session
    from voxlake.audio.probe import NotAudioError
    from voxlake.ringcentral.errors import RingCentralError
    from voxlake.ringcentral.shared_state import StateUnavailableError
    from voxlake.settings import get_settings

    settings = get_settings()
    # A person waits, and so may the next minute's quota.
    hook = RingCentralHook(max_wait=180.0, awaited=True)
    try:
        with hook.get_conn(spread=False) as client:
            report = archive_session(
                client, open_lake(), options.session, patience_of(settings), merge_options(settings), _say_waiting
            )
    except (
        RingCentralError,
        StateUnavailableError,
        SessionNotListedError,
        NotAudioError,
        AirflowNotFoundException,
        ValueError,
    ) as error:
        print(f"python -m voxlake fetch: {error}", file=sys.stderr)
        return 2
    for session, reason in report.failed.items():
        print(f"{session}: {reason}", file=sys.stderr)
    if not report.sessions:
        print(f"{options.session}: nothing was to fetch; the archive has all that RingCentral lists")
    elif not report.failed:
        print(f"{options.session}: archived, with {report.downloaded} recordings")
    return 1 if report.failed else 0


def _say_waiting(until: datetime) -> None:
    print(f"a recording is not available yet; looking again at {until:%H:%M:%S}Z", file=sys.stderr)
