"""A contender of land.py: `land_call_log`, into a new lake."""

import json
import shutil
import sys
from pathlib import Path

from bench.contenders import report, timed
from voxlake.archive.land import land_call_log
from voxlake.lake.local import LocalStorage

request = json.load(sys.stdin)
lake = LocalStorage(Path(request["folder"]))
shutil.copytree(Path(request["day"], "raw"), Path(request["folder"], "raw"))
folders = sorted({path.rsplit("/", 1)[0] for path in lake.list("raw")})

with timed() as watch:
    landed = land_call_log(lake, folders)
report(landed.calls, watch)
