"""Runs each contender of a bench in a process of its own, so that its memory and its libraries are its own.

A contender is a module beside this one. It gets a JSON object on its standard input, and says what it did in the last
line of its standard output. Only the standard library is imported here, as contenders have different environments.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
PEERS = PROJECT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True)
class Outcome:
    """What a contender did.

    Attributes:
        records: Call-log records that it has in its tables.
        seconds: Wall time of the work, without the start of Python and its imports.
        cpu_seconds: Processor time of the same; unlike the wall time it does not depend on what else runs.
        peak_mb: The most memory that the process held at any time, in 10^6 bytes.
    """

    records: int
    seconds: float
    cpu_seconds: float
    peak_mb: float


def run(module: str, request: dict[str, Any], python: Path | str = sys.executable) -> Outcome:
    """Runs a contender to its end.

    Args:
        module: Its name in this folder.
        request: What it reads from its standard input.
        python: The interpreter of its environment.

    Raises:
        SystemExit: The environment does not exist, or the contender failed.
    """
    if not Path(python).exists():
        raise SystemExit(f"{python} does not exist; `make bench` makes it.")
    done = subprocess.run(  # noqa: S603 - our own modules
        [str(python), "-m", f"bench.{module}"],
        cwd=PROJECT,
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{module} failed with exit status {done.returncode}.")
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def print_table(outcomes: dict[str, Sequence[Outcome]]) -> None:
    """Prints the best run of each contender, and how many times its rate the first one's is."""
    best = {name: min(runs, key=lambda outcome: outcome.seconds) for name, runs in outcomes.items()}
    first = next(iter(best.values()))
    print(f"{'':28}{'records':>9}{'seconds':>9}{'records/s':>11}{'CPU s':>8}{'peak MB':>9}{'rate of the first':>19}")
    for name, outcome in best.items():
        rate = outcome.records / outcome.seconds
        ratio = first.records / first.seconds / rate
        print(
            f"{name:28}{outcome.records:9,}{outcome.seconds:9.1f}{rate:11,.0f}{outcome.cpu_seconds:8.1f}"
            f"{max(run.peak_mb for run in outcomes[name]):9,.0f}{ratio:17.1f} x"
        )


class Stopwatch:
    """The time that a contender's work took."""

    seconds = 0.0
    cpu_seconds = 0.0


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Times the block: the work, after the imports."""
    watch = Stopwatch()
    began, cpu_began = time.perf_counter(), time.process_time()
    yield watch
    watch.seconds, watch.cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began


def report(records: int, watch: Stopwatch) -> None:
    """Says what a contender did: the last thing it does."""
    # Not getrusage: its peak may be that of the process that started this one.
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    if peak is None:
        raise SystemExit("/proc/self/status names no VmHWM; the benches need Linux.")
    outcome = {
        "records": records,
        "seconds": watch.seconds,
        "cpu_seconds": watch.cpu_seconds,
        "peak_mb": int(peak[1]) * 1024 / 1e6,
    }
    print(json.dumps(outcome), flush=True)
