"""``python -m voxlake sinch record``: starts and stops the recording of a Sinch call that is going on."""

from __future__ import annotations

import argparse
import sys
from typing import Any

_DESCRIPTION = """\
Starts or stops the recording of a call that is going on (PSTN or SIP), by an Airflow connection of type Sinch, so run
it with Airflow's environment. What is recorded goes to the connection's destination, by a name of Sinch's own. A call
may be recorded several times; each makes a file.
"""


def add_parser(commands: Any) -> None:
    """Adds the command to the others."""
    parser = commands.add_parser("sinch", help="recording of Sinch calls")
    things = parser.add_subparsers(title="commands", required=True, metavar="command")
    record = things.add_parser(
        "record",
        help="start or stop the recording of a call",
        description=_DESCRIPTION,
        epilog="exit status: 0; 2 if Sinch or the connection refused.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    record.add_argument("what", choices=("start", "stop"), help="what to do")
    record.add_argument("call_id", metavar="CALL_ID", help="the call (callid of its callbacks)")
    record.add_argument("--conn-id", default="sinch_default", metavar="ID", help="the connection (sinch_default)")
    record.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Starts or stops; returns the exit status."""
    # Airflow takes seconds, which --help need not wait for.
    from airflow.sdk.exceptions import AirflowNotFoundException

    from voxlake.airflow.sinch_hook import SinchHook
    from voxlake.sinch.errors import SinchError

    hook = SinchHook(options.conn_id)
    try:
        if options.what == "start":
            hook.start_recording(options.call_id)
            print(f"{options.call_id} is being recorded to {hook.recording_options().destination}")
        else:
            hook.stop_recording(options.call_id)
            print(f"the recording of {options.call_id} has been stopped")
    except (SinchError, AirflowNotFoundException, ValueError) as error:
        print(f"python -m voxlake sinch record: {error}", file=sys.stderr)
        return 2
    return 0
