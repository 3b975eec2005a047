"""How fast a stored day of call-log pages becomes tables, and in how much memory: Voxlake beside dlt.

The pages are those that `extract` stores: gzip, 1,000 Detailed records each, made by the sandbox and kept for the next
run. Voxlake lands them: `calls`, `legs` and `recordings` as Parquet, checked field by field, one row a key, upserted.
dlt (https://dlthub.com) is what a Python programmer would take for JSON to Parquet: it gets the records of the same
pages, parsed by its own JSON library, and normalises them into a table and child tables of Parquet files.

What dlt does not do here: Parquet files in a folder cannot be merged into (its `merge` needs a database or a table
format), so it appends; a record that comes twice stands there twice. It sets no bad record aside, makes no table of
recordings, and cuts no days.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.contenders import PEERS, Outcome, print_table, run
from sandbox.ringcentral import CallMix, QuotaLimit, SandboxConfig, run_sandbox
from voxlake.archive.extract import extract_call_log
from voxlake.lake.local import LocalStorage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState

DAY = datetime(2026, 3, 3, tzinfo=UTC)
# Of 100 sessions some make two records; this many sessions make the records that are asked for, nearly.
RECORDS_A_SESSION = 1.04


def main() -> None:
    """Prints one line a contender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000, help="records in the day, nearly (default 100000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turns; the best counts (default 3)")
    parser.add_argument("--keep", type=Path, default=Path(".bench"), help="where the pages are kept (default .bench)")
    options = parser.parse_args()

    day = options.keep.absolute() / f"day-of-{options.records}"
    if not day.exists():
        _store_day(day, options.records)
    contenders = {"voxlake": ("land_with_voxlake", None), "dlt": ("land_with_dlt", PEERS)}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in contenders}
    for _ in range(options.runs):
        for name, (script, python) in contenders.items():
            with tempfile.TemporaryDirectory(prefix="voxlake-bench-") as folder:
                request = {"day": str(day), "folder": folder}
                outcomes[name].append(run(script, request, python) if python else run(script, request))
    print(f"land a stored day of call-log pages; the best of {options.runs} runs, the highest peak of all")
    print_table(outcomes)


def _store_day(folder: Path, records: int) -> None:
    """Extracts a day of the sandbox into a lake of nothing but raw pages."""
    config = SandboxConfig(
        now=DAY + timedelta(days=2),
        mix=CallMix(calls_per_day=round(records / RECORDS_A_SESSION)),
        quotas={"heavy": QuotaLimit(1_000_000)},
    )
    with tempfile.TemporaryDirectory(prefix="voxlake-bench-") as scratch, run_sandbox(config) as sandbox:
        login = Credentials(
            sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url
        )
        with RingCentralClient(login, SqliteState(Path(scratch, "state"))) as client:
            extract_call_log(client, LocalStorage(Path(scratch, "lake")), DAY, DAY + timedelta(days=1))
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(scratch, "lake"), folder)


if __name__ == "__main__":
    main()
