"""A contender of merge.py: the call of `merge` in a process that has merged before, as a worker makes it."""

import json
import sys
from pathlib import Path

from bench.contenders import report, timed
from voxlake.audio.merge import Target, merge

request = json.load(sys.stdin)
legs, result = [Path(leg) for leg in request["legs"]], Path(request["result"])
target = Target("mp3", request["bit_rate"]) if result.suffix == ".mp3" else Target()
merge(legs[:2], result, target=target)

with timed() as watch:
    done = merge(legs, result, [leg.stem for leg in legs], target=target)
if done.method != request["method"]:
    raise SystemExit(f"these legs should be merged by {request['method']}, and were by {done.method}")
report(len(done.chapters), watch)
