"""Archives the company call log of each hour with all its recordings, and merges those of a session into one file.

**When it fails**

* `publish` is red: it lists the sessions that are not whole and why; all others are archived. Clear the red `download`
  or `merge` instances (with downstream), or run the interval again: only what is missing is fetched.
* `extract` is red at the first try: the connection is refused. The log names the connection, RingCentral's error code
  and what to change. Nothing was read, nothing is lost.
* `extract` or `download` waits as `up_for_reschedule`: the request quota is used up, or a recording is not available
  yet; the task goes on by itself. What has not come within `VOXLAKE_RECORDING_WAIT` (1 hour) becomes `unavailable`,
  and runs that read its call within three days look once more.
* A session is `partial`: `sessions.missing` says which recording is not, or not wholly, in its file, and why; the task
  `merge` is green, as all that there is was merged.
* `land` is red at once in a run for some sessions: the lake has no recording of one of them; the log names it.
* `land` reports rejected records: the rest of the page landed. The records and the reasons lie in the `rejected/`
  folder below the raw pages that the log names.

| | |
| --- | --- |
| Source | RingCentral company call log (Detailed) and recording content |
| Rate limit | Heavy: 10 requests a minute a user and app, call log and media together; the reply's headers rule |
| Schedule | Hourly, UTC, by data interval; backfill any range; by hand with the params `start` and `end` |
| Just some | By hand with the param `telephony_session_ids`: archives these sessions again, without the call log |
| Late calls | A call is listed when it is over: scheduled runs read `VOXLAKE_CALL_LOG_OVERLAP` (4 hours) more before |
| Requests | One for each 1,000 calls of the hours read, at least one a UTC day; and one for each recording, once |
| Tasks | A `download` and a `merge` a session; of more than 1,024 sessions in a run, 256 of each share them |
| Merge | Copied where recordings are alike, else encoded; `VOXLAKE_MERGE`, `VOXLAKE_MERGE_FORMAT` |
| Output | `raw/ringcentral/call_log/`, tables `calls`, `legs`, `recordings`, `sessions`, and `audio/` |
| Run again | Any time: rows are upserted, audio that is held is not fetched again |
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, dag, get_current_context, task

from voxlake.airflow.wiring import (
    CALL_LOG,
    DEFAULT_ARGS,
    MAX_MAPPED,
    SESSION_PARAMS,
    WINDOW_PARAMS,
    archive_sessions,
)


@dag(
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime.fromisoformat("2024-01-01T00:00:00+00:00"),
    catchup=False,
    doc_md=__doc__,
    tags=["ringcentral"],
    params=WINDOW_PARAMS | SESSION_PARAMS,
    default_args=DEFAULT_ARGS,
)
def ringcentral_recordings() -> None:
    """Wiring only; what each task does stands in `voxlake.airflow.steps`."""

    @task(pool="ringcentral_api", inlets=[CALL_LOG])
    def extract() -> list[str]:
        from voxlake.airflow import steps

        return steps.extract(get_current_context())

    @task(inlets=[CALL_LOG], outlets=[CALL_LOG])
    def land(raw_folders: list[str]) -> list[list[dict[str, Any]]]:
        from voxlake.airflow import steps

        return steps.land(raw_folders, MAX_MAPPED, get_current_context())

    # Its publish is the one leaf: it ends the run failed if anything before it did.
    archive_sessions(land(extract()))


ringcentral_recordings()
