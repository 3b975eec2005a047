"""One process of a contender that downloads.

Its first line of standard input is a JSON object: the contender's module, whose function `fetcher` gets it, and the
clock of its host. Each further line is an address and the file that its content goes to; an empty line says that it is
done with. Only the standard library is imported here, as contenders have different environments.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Fetches until nothing is asked for any more."""
    request = json.loads(sys.stdin.readline())
    _set_clock(request["clock_ahead"])
    # Not before the clock is set: it may keep the functions that tell the time.
    fetch = importlib.import_module(f"bench.{request['module']}").fetcher(request)
    print(flush=True)
    for line in sys.stdin:
        address, file = json.loads(line)
        with Path(file).open("wb") as content:
            fetch(address, content)
        print(flush=True)


def _set_clock(ahead: float) -> None:
    """Makes the time of this process wrong by `ahead` seconds: it cannot have a clock of its own."""
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + ahead
    time.time_ns = lambda: nanoseconds() + int(ahead * 1e9)


if __name__ == "__main__":
    main()
