"""From hang-up to archive: how long after a call's last event its merged file lies in the lake, through Airflow.

The look-alike tells of its own calls as they end in real time, and keeps each back for as long as RingCentral does: its
record and its recording come so many seconds after its end. That time is not ours, and is taken off. The quota is no
limit here, as at ten requests a minute it would be all that is measured; `bench/quota.py` is about that.

With --receiver: how many notifications a second are accepted, each answered when it is safe on the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from sandbox.airflow_standalone import AirflowStandalone
from sandbox.listening_airflow import listen, listening_airflow, merged_file
from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, run_sandbox
from sandbox.ringcentral.telephony_events import events_of
from voxlake.lake.local import LocalStorage
from voxlake.ringcentral.credentials import Credentials


def main() -> int:
    """0 if the aims are met: a median under 15 s, a 95th percentile under 30 s; or 500 notifications a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50, help="calls that end (50)")
    parser.add_argument("--kept-back", type=float, default=20, help="seconds until a call is in the call log (20)")
    parser.add_argument("--calls-a-day", type=int, default=14_000, help="of which about 70 %% are recorded (14,000)")
    parser.add_argument("--receiver", type=int, default=0, metavar="N", help="send N notifications instead")
    options = parser.parse_args()
    os.environ |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    config = SandboxConfig(
        mix=CallMix(calls_per_day=options.calls_a_day, leg_seconds=(30, 40)),
        quotas={"heavy": QuotaLimit(100_000), "auth": QuotaLimit(50)},
        appearance_delay=options.kept_back,
        recording_delay=options.kept_back,
    )
    with tempfile.TemporaryDirectory() as home, run_sandbox(config) as sandbox:
        airflow = listening_airflow(sandbox, Path(home))
        with airflow:
            listen(airflow, sandbox)
            if options.receiver:
                return 0 if flood(airflow, sandbox, Path(home), options.receiver) >= 500 else 1
            return 0 if follow(sandbox, Path(home) / "lake", options.sessions, options.kept_back) else 1


def follow(sandbox: Sandbox, lake: Path, count: int, kept_back: float) -> bool:
    """Tells of calls as they end, and times their merged files; whether the aims are met."""
    began = datetime.now(UTC)
    coming = [
        session
        for session in sandbox.sessions(began - timedelta(minutes=5), began + timedelta(hours=2))
        if session.recordings and session.end_time > began + timedelta(seconds=2)
    ]
    told: dict[str, float] = {}
    for session in sorted(coming, key=lambda one: one.end_time)[:count]:
        time.sleep(max(0.0, (session.end_time - datetime.now(UTC)).total_seconds()))
        if set(sandbox.send_events(session)) != {200}:
            raise RuntimeError("the receiver refused an event")
        told[session.telephony_session_id] = time.time()
    took = [_archived_at(lake, session_id) - at - kept_back for session_id, at in told.items()]
    over = (datetime.now(UTC) - began).total_seconds()
    median, late = statistics.median(took), statistics.quantiles(took, n=20)[-1]
    print(
        f"{len(took)} calls in {over:.0f} s: median {median:.1f} s, 95 % within {late:.1f} s, longest {max(took):.1f} s"
    )
    print(f"requests: {len(sandbox.requests)}")
    return median < 15 and late < 30


def _archived_at(lake: Path, telephony_session_id: str) -> float:
    while True:
        found = merged_file(lake, telephony_session_id)
        if found is not None:
            return found.stat().st_mtime
        time.sleep(0.2)


def flood(airflow: AirflowStandalone, sandbox: Sandbox, folder: Path, count: int) -> float:
    """Sends notifications as fast as they are accepted; how many a second that is."""
    (subscription,) = sandbox.subscriptions.current()
    connection = sandbox.connection()
    extra = connection["extra"]
    credentials = Credentials(
        connection["host"], connection["login"], connection["password"], extra["jwt"], extra["media_host"]
    )
    headers = {"Content-Type": "application/json", "Verification-Token": credentials.verification_token}
    now = datetime.now(UTC)
    event = next(events_of(session) for session in sandbox.sessions(now - timedelta(hours=1), now))[1]

    def send(share: int) -> None:
        with requests.Session() as session:
            for _ in range(share):
                notification = {
                    "uuid": uuid.uuid4().hex,
                    "event": "/restapi/v1.0/account/~/telephony/sessions",
                    "timestamp": datetime.now(UTC).isoformat(),
                    "subscriptionId": subscription.id,
                    "ownerId": "1",
                    "body": event.body,
                }
                answer = session.post(subscription.address, json.dumps(notification), headers=headers, timeout=60)
                answer.raise_for_status()

    senders = 32
    began = time.monotonic()
    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(send, [count // senders] * senders))
    took = time.monotonic() - began
    lake = LocalStorage(folder / "lake")
    kept = sum(len(lake.read(path).data.splitlines()) for path in lake.list("inbox/ringcentral/new"))
    sent = count // senders * senders
    print(f"{sent} notifications in {took:.1f} s: {sent / took:.0f} a second; {kept} of them in the inbox")
    return sent / took if kept == sent else 0.0


if __name__ == "__main__":
    sys.exit(main())
