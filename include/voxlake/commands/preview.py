"""``python -m voxlake preview``: what archiving a range would take, before it is begun."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxlake.archive.preview import Preview

_DESCRIPTION = """\
Reads the call log of a range, and says how many calls, recordings, requests, minutes at the granted rate and bytes a
backfill of it would take. It fetches no recording and writes nothing. It takes one request for each 1,000 calls, of the
same quota, by the connection that the DAGs use, so run it with Airflow's environment.
"""


def add_parser(commands: Any) -> None:
    """Adds the command to the others."""
    parser = commands.add_parser(
        "preview",
        help="what archiving a range would take",
        description=_DESCRIPTION,
        epilog="exit status: 0; 2 if the call log could not be read.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, which in (("--from", "first moment"), ("--to", "where it stops")):
        parser.add_argument(
            name,
            dest=name.strip("-") + "_",
            required=True,
            type=_moment,
            metavar="TIME",
            help=f"{which}, ISO 8601 with its zone, such as 2026-11-01T00:00:00+00:00",
        )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the preview; returns the exit status."""
    # Airflow takes seconds, which --help need not wait for.
    from airflow.sdk.exceptions import AirflowNotFoundException

    from voxlake.airflow.hook import RingCentralHook
    from voxlake.airflow.lake import open_lake
    from voxlake.archive.preview import preview_range
    from voxlake.ringcentral.errors import RingCentralError
    from voxlake.ringcentral.shared_state import StateUnavailableError

    # A person waits, and so may the next minute's quota.
    hook = RingCentralHook(max_wait=180.0)
    try:
        with hook.get_conn(spread=False) as client:
            found = preview_range(client, open_lake(), options.from_, options.to_, len(hook.credentials()))
    except (RingCentralError, StateUnavailableError, AirflowNotFoundException, ValueError) as error:
        print(f"python -m voxlake preview: {error}", file=sys.stderr)
        return 2
    print("\n".join(described(found)))
    return 0


def described(found: Preview) -> list[str]:
    """The lines of a preview."""
    by = "of recordings that the lake holds" if found.from_the_lake else "as of MP3 with 32 kbit/s"
    takes = "the quota is not known yet" if found.takes is None else _time(found.takes)
    lines = [
        ("range", f"{found.start.isoformat()} to {found.end.isoformat()}"),
        ("calls", f"{found.calls:,}"),
        ("recordings", f"{found.recordings:,}, {found.held:,} of them held by the lake"),
        ("requests", f"{found.requests:,}: {found.call_log_requests:,} for the call log, the rest for recordings"),
        ("time", f"{takes}, at {found.rate * 60:g} requests a minute"),
        ("audio", f"{found.seconds / 3600:,.1f} hours"),
        ("bytes", f"{_bytes(2 * found.bytes)}: half of it recordings ({by}), half merged sessions"),
    ]
    if found.unreadable:
        lines.append(("rejected", f"{found.unreadable:,} records would not land"))
    return [f"{name.ljust(10)}  {text}" for name, text in lines]


def _time(duration: timedelta) -> str:
    minutes = max(1, round(duration / timedelta(minutes=1)))
    days, minutes = divmod(minutes, 24 * 60)
    parts = [(days, "d"), (minutes // 60, "h"), (minutes % 60, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _moment(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a date and time with its zone")
    return time
