"""Runs contenders that download: several processes of each, and a sandbox of its own for each.

A process takes the next recording when it is done with one, until none is left or the time is up.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from bench.contenders import PROJECT
from sandbox.ringcentral import CallMix, RequestEntry, Sandbox, SandboxConfig, run_sandbox

END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
START = END - timedelta(days=1)

# About two of three calls are answered for long enough to be recorded.
_CALLS_A_RECORDING = 1.7


@dataclass(frozen=True)
class Contender:
    """Processes that share a work.

    Attributes:
        name: In the table.
        module: In this folder, with a function `fetcher` that gets the sandbox's connection, `token` (an access token),
            `folder` (of the host), `redis` (the URL, or empty), and what `request` adds.
        hosts: How many processes run on each.
        clocks: Seconds by which the clock of each host is wrong.
        redis: URL of the Redis server that the hosts share.
        python: The interpreter of its environment.
        request: What else its module needs.
    """

    name: str
    module: str
    hosts: Sequence[int]
    clocks: Sequence[float] = (0.0,)
    redis: str = ""
    python: Path | str = sys.executable
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Delivery:
    """What came of a contender.

    Attributes:
        asked: Recordings that were to be fetched.
        delivered: How many of them were there in the end, byte for byte.
        requests: Requests for recordings.
        served: How many of them were answered with 200.
        refused: How many of them were answered with 429.
        seconds: From the first of these requests to the last that was served; to the end, if not all were delivered.
    """

    asked: int
    delivered: int
    requests: int
    served: int
    refused: int
    seconds: float


def mix_of(recordings: int, seconds: int) -> CallMix:
    """Calls of a day with at least so many recordings, of nearly one length: the audio of each length is made once."""
    return CallMix(
        calls_per_day=round(recordings * _CALLS_A_RECORDING) + 20,
        recorded_share=1.0,
        transferred_share=0.0,
        leg_seconds=(seconds, seconds + 1),
    )


def deliver(contenders: Sequence[Contender], config: SandboxConfig, recordings: int, cap: float) -> list[Delivery]:
    """Runs contenders at the same time.

    Args:
        contenders: Who.
        config: Of the sandbox that each gets.
        recordings: How many of a day's recordings each is to fetch.
        cap: Seconds after which those that are not done are stopped.

    Raises:
        SystemExit: A process of one of them failed.
    """
    start = threading.Barrier(len(contenders))
    with ThreadPoolExecutor(len(contenders)) as threads:
        running = [threads.submit(_deliver, one, config, recordings, cap, start) for one in contenders]
        return [one.result() for one in running]


def files_to_fetch(sandbox: Sandbox, recordings: int, folder: Path) -> dict[str, Path]:
    """The address of each of the first recordings of the day, and a file for it."""
    account = f"{sandbox.media_url}/restapi/v1.0/account/~"
    found = sandbox.truth(START, END).recordings[:recordings]
    for recording in found:
        # Makes the audio, which would else be made while it is measured.
        sandbox.content_of(recording.id)
    return {f"{account}/recording/{one.id}/content": folder / f"{one.id}.mp3" for one in found}


def access_token(sandbox: Sandbox) -> str:
    """Logs in, for those that know no JWT logins of RingCentral's kind."""
    reply = requests.post(
        f"{sandbox.platform_url}/restapi/oauth/token",
        data={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": sandbox.jwt},
        auth=(sandbox.client_id, sandbox.client_secret),
        timeout=60,
    )
    reply.raise_for_status()
    return str(reply.json()["access_token"])


def delivery(sandbox: Sandbox, files: Mapping[str, Path], ended: float) -> Delivery:
    """What came of fetching these files until a moment of the sandbox's clock."""
    delivered = sum(file.exists() and file.read_bytes() == sandbox.content_of(file.stem) for file in files.values())
    asked = content_requests(sandbox)
    served = [entry.seconds for entry in asked if entry.status == 200]
    last = served[-1] if delivered == len(files) else ended
    refused = sum(entry.status == 429 for entry in asked)
    return Delivery(len(files), delivered, len(asked), len(served), refused, last - asked[0].seconds)


def content_requests(sandbox: Sandbox) -> list[RequestEntry]:
    """Those for the content of recordings, as they arrived."""
    asked = [entry for entry in sandbox.requests if entry.path.endswith("/content")]
    return sorted(asked, key=lambda entry: entry.seconds)


def _deliver(
    contender: Contender, config: SandboxConfig, recordings: int, cap: float, start: threading.Barrier
) -> Delivery:
    try:
        with run_sandbox(config) as sandbox, tempfile.TemporaryDirectory(prefix="voxlake-bench-") as home:
            files = files_to_fetch(sandbox, recordings, Path(home))
            with _processes(contender, sandbox, Path(home)) as processes:
                # All are ready before the first begins, as starting them takes the processors.
                start.wait()
                _hand_out(processes, files, cap)
                ended = sandbox.clock.seconds()
            return delivery(sandbox, files, ended)
    except BaseException:
        # The others need not wait for one that failed.
        start.abort()
        raise


@contextmanager
def _processes(contender: Contender, sandbox: Sandbox, home: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Starts them, and ends them however far they are."""
    shared = {**sandbox.connection(), "token": access_token(sandbox), "redis": contender.redis, **contender.request}
    running: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        for host, (count, clock) in enumerate(zip(contender.hosts, contender.clocks, strict=True)):
            folder = home / f"host-{host}"
            folder.mkdir()
            request = {**shared, "module": contender.module, "folder": str(folder), "clock_ahead": clock}
            for _ in range(count):
                process = stack.enter_context(_start(contender.python))
                stack.callback(process.kill)
                running.append(process)
                _write(process, request)
        if not all(_is_done(process) for process in running):
            raise SystemExit(f"{contender.module} did not start.")
        yield running


def _hand_out(processes: Sequence[subprocess.Popen[bytes]], files: Mapping[str, Path], cap: float) -> None:
    """Has each file fetched by the process that is free first; kills the processes when the time is up."""
    left = deque((address, str(file)) for address, file in files.items())
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        for process in processes:
            process.kill()

    def keep_busy(process: subprocess.Popen[bytes]) -> None:
        while left and not stopped.is_set():
            try:
                work = left.popleft()
            except IndexError:
                # Another has just taken the last one.
                return
            if not _is_fetched(process, work) and not stopped.is_set():
                raise SystemExit(f"A process ended with exit status {process.wait()} before its work was done.")

    timer = threading.Timer(cap, stop)
    timer.start()
    try:
        with ThreadPoolExecutor(len(processes)) as threads:
            for busy in [threads.submit(keep_busy, process) for process in processes]:
                busy.result()
    finally:
        timer.cancel()


def _start(python: Path | str) -> subprocess.Popen[bytes]:
    # Without buffers: what could not be written to one that was killed must not be tried again when it is closed.
    return subprocess.Popen(  # noqa: S603 - our own modules
        [str(python), "-m", "bench.fetch_worker"],
        bufsize=0,
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _write(process: subprocess.Popen[bytes], line: object) -> None:
    process.stdin.write(json.dumps(line).encode() + b"\n")  # type: ignore[union-attr]


def _is_done(process: subprocess.Popen[bytes]) -> bool:
    """Waits for the line that says so; False if the process ends instead."""
    return process.stdout.read(1) == b"\n"  # type: ignore[union-attr]


def _is_fetched(process: subprocess.Popen[bytes], work: tuple[str, str]) -> bool:
    """Has one file fetched; False if the process ends instead."""
    try:
        _write(process, work)
    except BrokenPipeError:
        return False
    return _is_done(process)
