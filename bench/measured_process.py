"""Runs a command and says what it cost: a small process of its own that starts the command and waits for it.

The kernel counts the memory of the process that starts another as that other's, until it has become the command; so
what starts it has to be smaller than what is measured. This module imports nothing but the standard library, and
`measure` starts it without the site packages: it takes about 10 MB, less than any of the contenders.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Between two looks at the memory of all of the command's processes.
_LOOK_SECONDS = 0.01
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Cost:
    """What a command cost.

    Attributes:
        status: Its exit status.
        seconds: From its start to its end.
        cpu_seconds: Processor time, its own and of the processes that it started and waited for.
        peak_mb: The most memory that it held at any time, in 10^6 bytes; with the processes that it started.
        complaint: The last line of its standard error; empty if there is none.
    """

    status: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    complaint: str


def measure(command: Sequence[str], folder: Path) -> Cost:
    """Runs a command in a folder to its end.

    Raises:
        CalledProcessError: It could not be started.
    """
    # Where it is set, every start of Python compiles its libraries anew, which takes longer than what is measured.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(  # noqa: S603 - this module
        [sys.executable, "-I", "-S", __file__, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Cost(**json.loads(done.stdout))


def _main(command: Sequence[str]) -> None:
    with tempfile.TemporaryFile() as complaints:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - what the bench names
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints
        )
        most = _watch(process.pid)
        seconds = time.perf_counter() - began
        _, status, usage = os.wait4(process.pid, 0)
        complaints.seek(0)
        lines = complaints.read().decode(errors="replace").split("\n")
    cost = {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        # The kernel's figure is exact, but of the largest process alone.
        "peak_mb": max(most, usage.ru_maxrss * 1024) / 1e6,
        "complaint": next((line.strip() for line in reversed(lines) if line.strip()), ""),
    }
    print(json.dumps(cost))


def _watch(pid: int) -> int:
    """Waits for the end of a process; the most bytes that it and those it started were seen to hold together."""
    most, descriptor = 0, os.pidfd_open(pid)
    try:
        while not select.select([descriptor], [], [], _LOOK_SECONDS)[0]:
            most = max(most, sum(_resident(one) for one in _tree(pid)))
    finally:
        os.close(descriptor)
    return most


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = children.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            # It ended while it was looked at.
            continue
        for child in found:
            yield from _tree(int(child))


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0


if __name__ == "__main__":
    _main(sys.argv[1:])
