"""How fast a day of the call log is read and stored as tables: Voxlake beside dlt's own source for REST APIs.

Both read the same sandbox, which runs in a process beside them, grants all requests and answers each 50 ms late, as a
server far away does; against RingCentral itself the quota of ten requests a minute decides alone. Voxlake extracts (raw
pages are kept, the quota is shared with other processes) and lands; dlt's `rest_api` source follows the links from page
to page and normalises into Parquet. What dlt does not do here: see land.py, and it keeps no raw pages.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.contenders import PEERS, Outcome, print_table, run
from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, run_sandbox
from voxlake.ringcentral.call_log import iter_call_log_pages
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState

DAY = datetime(2026, 3, 3, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)


def main() -> None:
    """Prints one line a contender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000, help="telephony sessions in the day (default 20000)")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds each answer is late (default 0.05)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turns; the best counts (default 3)")
    options = parser.parse_args()

    config = SandboxConfig(
        now=DAY + timedelta(days=2),
        mix=CallMix(calls_per_day=options.calls),
        quotas={"heavy": QuotaLimit(1_000_000), "auth": QuotaLimit(1_000_000)},
        parallel_sessions=1000,
        latency=options.latency,
    )
    contenders = {"voxlake": ("extract_with_voxlake", None), "dlt": ("extract_with_dlt", PEERS)}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in contenders}
    with run_sandbox(config) as sandbox:
        _warm_up(sandbox)
        for _ in range(options.runs):
            for name, (script, python) in contenders.items():
                with tempfile.TemporaryDirectory(prefix="voxlake-bench-") as folder:
                    request = {
                        **sandbox.connection(),
                        "start": DAY.isoformat(),
                        "end": NEXT_DAY.isoformat(),
                        "folder": folder,
                    }
                    outcomes[name].append(run(script, request, python) if python else run(script, request))
    print(f"extract and land a day, answers {options.latency * 1000:.0f} ms late; the best of {options.runs} runs")
    print_table(outcomes)


def _warm_up(sandbox: Sandbox) -> None:
    """Reads the day once: the sandbox invents its calls when they are first asked for."""
    login = Credentials(sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url)
    with tempfile.TemporaryDirectory() as state, RingCentralClient(login, SqliteState(Path(state))) as client:
        for _ in iter_call_log_pages(client, DAY, NEXT_DAY):
            pass


if __name__ == "__main__":
    main()
