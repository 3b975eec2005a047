"""A contender of extract.py: `extract_call_log` and `land_call_log`, into a new lake."""

import json
import sys
from datetime import datetime
from pathlib import Path

from bench.contenders import report, timed
from voxlake.archive.extract import extract_call_log
from voxlake.archive.land import land_call_log
from voxlake.lake.local import LocalStorage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState

request = json.load(sys.stdin)
folder, extra = Path(request["folder"]), request["extra"]
login = Credentials(request["host"], request["login"], request["password"], extra["jwt"], extra["media_host"])
lake = LocalStorage(folder / "lake")

with timed() as watch, RingCentralClient(login, SqliteState(folder / "state")) as client:
    raw = extract_call_log(
        client, lake, datetime.fromisoformat(request["start"]), datetime.fromisoformat(request["end"])
    )
    landed = land_call_log(lake, raw)
report(landed.calls, watch)
