"""How many recordings are downloaded in a second where nothing is refused: Voxlake beside aria2c.

RingCentral's own quota, ten requests a minute, is far below all that is measured here; this shows what a program is
able to do. The sandbox answers each request 50 ms late, as a server far away does, with 200 KB. Each contender fetches
the same recordings from a new sandbox, one after another: `voxlake` and `requests` (a session and nothing more) in 1, 4
and 8 processes, `aria2c` (https://aria2.github.io) eight at a time, and the DAG with Airflow's LocalExecutor, in which
each recording has a task of its own, and another one that merges.

The client counts each request for all processes, and checks length and kind of the audio; the DAG also stores it in the
lake with its row. aria2c and requests do neither.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.fetchers import (
    END,
    START,
    Contender,
    Delivery,
    access_token,
    deliver,
    delivery,
    files_to_fetch,
    mix_of,
)
from sandbox.airflow_standalone import AirflowStandalone, archive_environment
from sandbox.ringcentral import QuotaLimit, SandboxConfig, run_sandbox
from voxlake.lake import layout

DAG_ID = "ringcentral_recordings"
AUDIO_SECONDS = 50  # of 4 KB each
CAP_SECONDS = 600.0


def main() -> None:
    """Prints one line a contender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=300, help="to be fetched; the DAG takes some more (300)")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds each answer is late (default 0.05)")
    options = parser.parse_args()
    config = SandboxConfig(
        mix=mix_of(options.recordings, AUDIO_SECONDS),
        quotas={"heavy": QuotaLimit(1_000_000), "auth": QuotaLimit(1_000_000)},
        latency=options.latency,
    )
    print(f"downloads of 200 KB, answers {options.latency * 1000:.0f} ms late")
    print(f"{'':26}{'delivered':>12}{'seconds':>9}{'a second':>10}{'rate of the first':>19}")
    first = 0.0
    for name, one in _deliveries(config, options.recordings):
        rate = one.delivered / one.seconds
        first = first or rate
        delivered = f"{one.delivered} of {one.asked}"
        print(f"{name:26}{delivered:>12}{one.seconds:9.1f}{rate:10.1f}{first / rate:17.1f} x", flush=True)


def _deliveries(config: SandboxConfig, recordings: int) -> Iterator[tuple[str, Delivery]]:
    for name, module in (("voxlake", "fetch_with_voxlake"), ("requests", "fetch_with_retry_after")):
        for processes in (8, 4, 1):
            one = Contender(f"{name}, {processes} at a time", module, hosts=(processes,))
            yield one.name, deliver([one], config, recordings, CAP_SECONDS)[0]
    if shutil.which("aria2c"):
        yield "aria2c -j8 -x1", _with_aria2(config, recordings)
    else:
        print("aria2c is left out, as it is not installed: apt-get install aria2")
    yield "DAG, LocalExecutor", _with_airflow(config)


def _with_aria2(config: SandboxConfig, recordings: int) -> Delivery:
    with run_sandbox(config) as sandbox, tempfile.TemporaryDirectory(prefix="voxlake-bench-") as home:
        files = files_to_fetch(sandbox, recordings, Path(home))
        bearer = f"header=Authorization: Bearer {access_token(sandbox)}"
        work = "".join(f"{address}\n  {bearer}\n  out={file.name}\n" for address, file in files.items())
        command = ["aria2c", "--quiet", "-j8", "-x1", "--no-conf", f"--dir={home}", "--input-file=-"]
        subprocess.run(command, input=work, text=True, check=True)  # noqa: S603 - what is measured
        return delivery(sandbox, files, sandbox.clock.seconds())


def _with_airflow(config: SandboxConfig) -> Delivery:
    with run_sandbox(config) as sandbox, tempfile.TemporaryDirectory(prefix="voxlake-bench-") as home:
        folder = Path(home)
        stored = folder / "lake" / layout.recording_audio("any", START.date(), "audio/mpeg")
        files = files_to_fetch(sandbox, len(sandbox.truth(START, END).recordings), stored.parent)
        airflow = AirflowStandalone(folder / "airflow", archive_environment(sandbox.connection_json(), folder))
        airflow.prepare()
        window = {"start": START.isoformat(), "end": END.isoformat()}
        airflow.cli("dags", "trigger", DAG_ID, "--conf", json.dumps(window))
        with airflow:
            while not (ended := airflow.run_states(DAG_ID).keys() & {"success", "failed"}):
                time.sleep(5)
            if "failed" in ended:
                raise SystemExit("The run of the DAG failed.")
        return delivery(sandbox, files, sandbox.clock.seconds())


if __name__ == "__main__":
    main()
