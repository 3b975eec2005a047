"""Reads the last days of the call log again when they are settled, fetches what was missed, and says what is held.

**When it fails**

* `compare` is red: more is missing than `VOXLAKE_RECONCILE_MISSING_ALLOWED` (0) allows. Its log says what, day by day,
  and what to do; the same figures are rows of the table `reconciliation`.
* `publish` is red: it lists the sessions that are not whole and why. The next night tries them again; to do so now,
  clear the red `download` or `merge` instances with downstream.
* `extract` waits as `up_for_reschedule`: the day is not settled before `VOXLAKE_CALL_LOG_OVERLAP` (4 hours) after
  midnight UTC, as a call is listed when it is over; or the request quota is used up. It goes on by itself.
* `extract` is red at the first try: the connection is refused; the log says what to change.
* `land` reports rejected records: they count as missing until they land. The records and the reasons lie in the
  `rejected/` folder below the raw pages that the log names.

| | |
| --- | --- |
| Source | RingCentral company call log (Detailed) and recording content |
| Rate limit | Heavy: 10 requests a minute a user and app, call log and media together; the reply's headers rule |
| Schedule | Nightly for the last `VOXLAKE_RECONCILE_DAYS` (3) UTC days; a backfill reads just the days of its dates |
| Requests | One for each 1,000 calls of the days read, at least one a day; and one for each recording that was missed |
| Order | What is missing on older days is fetched too; what RingCentral deletes first (90 days, 100,000 files) first |
| Sweep | `sweep` removes what killed processes left in the lake: scratch files, unfinished uploads, ended leases |
| Output | a row a day in table `reconciliation`, and all that `ringcentral_recordings` puts out |
| Run again | Any time: rows are upserted, audio that is held is not fetched again |
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, TriggerRule, dag, get_current_context, task

from voxlake.airflow.wiring import DEFAULT_ARGS, MAX_MAPPED, WINDOW_PARAMS, archive_sessions


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime.fromisoformat("2024-01-01T00:00:00+00:00"),
    catchup=False,
    doc_md=__doc__,
    tags=["ringcentral"],
    params=WINDOW_PARAMS,
    default_args=DEFAULT_ARGS,
)
def ringcentral_reconcile() -> None:
    """Wiring only; what each task does stands in `voxlake.airflow.reconcile_steps` and `voxlake.airflow.steps`."""

    @task(pool="ringcentral_api")
    def extract() -> list[str]:
        from voxlake.airflow import reconcile_steps

        return reconcile_steps.extract(get_current_context())

    @task
    def land(raw_folders: list[str]) -> list[list[dict[str, Any]]]:
        from voxlake.airflow import reconcile_steps

        return reconcile_steps.land(raw_folders, MAX_MAPPED, get_current_context())

    # The one leaf: what is missing in the end says whether the run failed, not what went wrong on the way.
    @task(trigger_rule=TriggerRule.ALL_DONE)
    def compare(raw_folders: list[str], batches: list[list[dict[str, Any]]]) -> None:
        from voxlake.airflow import reconcile_steps

        reconcile_steps.compare(raw_folders, batches, get_current_context())

    @task
    def sweep() -> None:
        from voxlake.airflow import reconcile_steps

        reconcile_steps.sweep()

    raw_folders = extract()
    batches = land(raw_folders)
    [archive_sessions(batches), sweep()] >> compare(raw_folders, batches)


ringcentral_reconcile()
