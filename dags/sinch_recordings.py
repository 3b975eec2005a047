"""Takes in the recordings that Sinch delivered and the callbacks it sent, and merges those of a call into one file.

**When it fails**

* `take_in` is red at the first try: Sinch or the bucket refuses; the log names the connection, or the bucket and the
  permission that is missing. Nothing is lost: callbacks wait in the inbox, files in the bucket.
* `take_in` waits as `up_for_reschedule`: another run is at the inbox, or Sinch asks to wait; it goes on by itself.
* `publish` is red: a file that Sinch delivered is no audio, or a merge failed; it names the conversation. All others
  are archived. What is no audio is kept below `raw/sinch/recordings/`; no run makes more of it.
* A recording is `unavailable` with the reason `not_delivered`: Sinch told of it, and no file came within
  `VOXLAKE_SINCH_DELIVERY_WAIT` (6 hours). Mostly the bucket credentials of the connection are no good any more, of
  which Sinch says nothing. If the file comes all the same, it is taken in.

| | |
| --- | --- |
| Source | The inbox of callbacks, and the bucket at the destination of the connection `sinch_default` |
| Rate limit | Sinch names none; each call with a recording is asked for once |
| Schedule | As soon as Sinch tells of a file; hourly, UTC, by data interval; backfill any range; by hand with params |
| Window | Hourly runs look at the whole bucket folder; backfills and runs by hand at files written in their window |
| Overwritten | Each version of an object is a recording; without versioning, as far as a run came in between |
| Tasks | A `merge` a call or conference; of more than 1,024 in a run, 256 of each share them |
| Output | `raw/sinch/`, tables `calls`, `recordings`, `sessions`, and `audio/` |
| Run again | Any time: rows are upserted, a version that is held is not copied again |
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronDataIntervalTimetable, dag, get_current_context, task

from voxlake.airflow.wiring import DEFAULT_ARGS, MAX_MAPPED, SINCH_EVENTS, WINDOW_PARAMS, merge_sessions


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronDataIntervalTimetable("0 * * * *", timezone="UTC"), assets=[SINCH_EVENTS]
    ),
    start_date=datetime.fromisoformat("2024-01-01T00:00:00+00:00"),
    catchup=False,
    doc_md=__doc__,
    tags=["sinch"],
    params=WINDOW_PARAMS,
    default_args=DEFAULT_ARGS,
)
def sinch_recordings() -> None:
    """Wiring only; what each task does stands in `voxlake.airflow.sinch_steps` and `voxlake.airflow.steps`."""

    @task(pool="sinch_media")
    def take_in() -> list[list[dict[str, Any]]]:
        from voxlake.airflow import sinch_steps

        return sinch_steps.take_in(MAX_MAPPED, get_current_context())

    # Its publish is the one leaf: it ends the run failed if anything before it did.
    merge_sessions(take_in())


sinch_recordings()
