"""Compares Sinch's daily call detail records with what the archive holds, and says what is missing.

**When it fails**

* `compare` is red: recordings are missing, failed or not merged; its log says which, day by day. Run
  `sinch_recordings` for these days; if the bucket has no file, the calls were not recorded, or Sinch could not write.
* `compare` is red at the first try: the bucket refuses, or a file there is none of call detail records; the log names
  the permission, or the file and its line.
* `compare` waits as `up_for_reschedule`: the last day's file is not to be expected yet; it goes on by itself.
* `compare` is skipped: `VOXLAKE_SINCH_CDR_URL` is not set. Sinch's support has the files written into a bucket.

| | |
| --- | --- |
| Source | The daily files of call detail records at `VOXLAKE_SINCH_CDR_URL` |
| Rate limit | None |
| Schedule | Nightly, at 06:00 UTC, for the last `VOXLAKE_RECONCILE_DAYS` (3) days; a backfill for those of its dates |
| Expected | A recording of each call that Sinch told of one of, or of each answered one: `VOXLAKE_SINCH_RECORDED` |
| Sweep | `sweep` removes what killed processes left in the lake, and callbacks that were taken in a week ago |
| Output | A row an application and day in the table `reconciliation` |
| Run again | Any time: the newest comparison of a day stands |
"""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import CronDataIntervalTimetable, dag, get_current_context, task

from voxlake.airflow.wiring import DEFAULT_ARGS, WINDOW_PARAMS


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime.fromisoformat("2024-01-01T00:00:00+00:00"),
    catchup=False,
    doc_md=__doc__,
    tags=["sinch"],
    params=WINDOW_PARAMS,
    default_args=DEFAULT_ARGS,
)
def sinch_reconcile() -> None:
    """Wiring only; what each task does stands in `voxlake.airflow.sinch_steps` and `…reconcile_steps`."""

    @task
    def compare() -> None:
        from voxlake.airflow import sinch_steps

        sinch_steps.compare(get_current_context())

    @task
    def sweep() -> None:
        from voxlake.airflow import reconcile_steps

        reconcile_steps.sweep()

    compare()
    sweep()


sinch_reconcile()
