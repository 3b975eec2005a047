"""Backfills two days from the sandbox into a lake of its own, reconciles them, takes calls in, shows what is there."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.airflow_standalone import PROJECT, AirflowStandalone, archive_environment
from sandbox.demo.report import print_report
from sandbox.demo.sinch_calls import SinchDemo, run_sinch_demo
from sandbox.ringcentral import CallMix, QuotaLimit, SandboxConfig, run_sandbox

# Of how many hourly runs the progress is told.
PROGRESS_STEP = 4
ARCHIVE, RECONCILE, SINCH = "ringcentral_recordings", "ringcentral_reconcile", "sinch_recordings"
# Ten requests a second instead of RingCentral's ten a minute, so that the demo shows the pipeline and not the waiting.
SANDBOX = SandboxConfig(
    mix=CallMix(calls_per_day=40, conversation_share=0.3, repeated_record_share=0.2),
    audio_format="mixed",
    quotas={"heavy": QuotaLimit(600), "auth": QuotaLimit(5)},
)


def main() -> int:
    """Runs the demo; 0 if everything was archived."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=PROJECT / ".demo", help="where the lake and Airflow's files lie")
    folder: Path = parser.parse_args().folder.resolve()
    # Ctrl-C and being terminated end the demo through every `with`, so that nothing is left running.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    # All that the demo talks to is on this machine.
    os.environ |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    started = time.monotonic()
    days = _days(folder)
    # Airflow's files are made anew each time: what is done already is to be seen from the lake alone.
    shutil.rmtree(folder / "airflow", ignore_errors=True)
    with run_sandbox(SANDBOX) as sandbox, run_sinch_demo() as sinch:
        _say(started, f"sandbox at {sandbox.platform_url}; making Airflow's database …")
        environment = archive_environment(sandbox.connection_json(), folder) | sinch.environment
        airflow = AirflowStandalone(folder / "airflow", environment)
        airflow.prepare()
        runs = 3 * (os.cpu_count() or 1)
        _say(started, airflow.backfill(ARCHIVE, days[0], days[1] - timedelta(hours=1), runs))
        # It compares when the hours are archived; until then its DAG is paused, and so are its runs.
        airflow.cli("dags", "pause", RECONCILE, "--yes")
        _say(started, airflow.backfill(RECONCILE, days[0], days[1] - timedelta(days=1), runs))
        _say(started, "starting Airflow (scheduler with LocalExecutor, DAG processor, triggerer, API server) …")
        with airflow:
            _say(started, f"Airflow at {airflow.url}")
            states = _watch(airflow, ARCHIVE, folder / "lake", started)
            _say(started, "comparing the archive with the source, day by day …")
            airflow.unpause(RECONCILE)
            states += _watch(airflow, RECONCILE, folder / "lake", started)
            calls = _call(sinch, airflow)
            _say(
                started,
                f"{calls} calls at Sinch, which Voxlake answered, were recorded into a bucket; taking them in …",
            )
            states += _watch(airflow, SINCH, folder / "lake", started)
        done_requests = sandbox.requests
    _say(started, "Airflow and the sandbox are stopped")
    if states["failed"]:
        print(f"{states['failed']} runs failed; the logs of their tasks lie in {folder / 'airflow' / 'logs'}")
        return 1
    return 0 if print_report(folder / "lake", done_requests, days) else 1


def _call(sinch: SinchDemo, airflow: AirflowStandalone) -> int:
    """Places calls at Sinch, and starts a run that takes in what was recorded of them; how many calls."""
    began = datetime.now(UTC)
    calls = sinch.place_calls(airflow.url)
    # Scheduled runs are switched off here, also those that a callback would start.
    window = {"start": began.isoformat(), "end": (datetime.now(UTC) + timedelta(minutes=1)).isoformat()}
    airflow.send("POST", f"/dags/{SINCH}/dagRuns", {"logical_date": None, "conf": window})
    return calls


def _days(folder: Path) -> tuple[datetime, datetime]:
    """The two whole days before the first demo in this folder, so that the next one finds them done.

    They ended four hours before at least: `ringcentral_reconcile` would wait for that.
    """
    remembered = folder / "days.json"
    if not remembered.exists():
        today = (datetime.now(UTC) - timedelta(hours=4)).replace(hour=0, minute=0, second=0, microsecond=0)
        folder.mkdir(parents=True, exist_ok=True)
        remembered.write_text(json.dumps([(today - timedelta(days=2)).isoformat(), today.isoformat()]))
    start, end = json.loads(remembered.read_text())
    return datetime.fromisoformat(start), datetime.fromisoformat(end)


def _watch(airflow: AirflowStandalone, dag_id: str, lake: Path, started: float) -> Counter[str]:
    """Shows the progress of the runs until all have ended; their states."""
    shown = -1
    while True:
        states = airflow.run_states(dag_id)
        ended = states["success"] + states["failed"]
        if ended >= shown + PROGRESS_STEP or ended == states.total():
            recordings, sessions = (
                # Beside each merged file lies its waveform.
                len([file for file in (lake / "audio").glob(f"{kind}/*/*/*") if file.suffix != ".json"])
                for kind in ("recordings", "sessions")
            )
            _say(
                started,
                f"{ended} of {states.total()} runs of {dag_id} done, {states['failed']} failed; "
                f"the lake has {recordings} recordings and {sessions} merged sessions",
            )
            shown = ended
        if ended and ended == states.total():
            return states
        time.sleep(1)


def _say(started: float, text: str) -> None:
    print(f"[{time.monotonic() - started:5.0f} s] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
