"""Archives each telephony session as soon as it is over, when RingCentral tells of it; or one by hand.

**When it fails**

* `publish` is red: it lists the sessions that are not whole and why. Clear the red `download` or `merge` instances
  (with downstream); else the next hourly run tries them again.
* `extract` waits as `up_for_reschedule`: the sessions are not in the call log yet, which takes 15 to 30 seconds from
  their end, or the request quota is used up. What has not come after an hour is left to `ringcentral_recordings` and
  `ringcentral_reconcile`.
* `extract` is red at the first try: the connection is refused, and the log says what to change; or a run by hand names
  a session that RingCentral does not list. The events lie in the inbox until a run takes them.
* `look_again` is green when it has waited for a session that was not listed yet: the run that it starts looks for it.
* No run comes although calls end: `ringcentral_subscription` says whether events arrive. Nothing is lost meanwhile, as
  the hourly run reads the call log of every hour.

| | |
| --- | --- |
| Source | Notifications of telephony sessions, then the company call log (Detailed) and recording content |
| Rate limit | Heavy: 10 requests a minute a user and app, call log and media together; the reply's headers rule |
| Order | These recordings go before those of hourly runs; call-log reads before both |
| Schedule | Woken by the asset `ringcentral_session_events`; every ten minutes for what no event of the asset told of |
| By hand | With the param `telephony_session_id` (`s-…`), or `session_id` (numeric) |
| Requests | A look or two at the call log a session, or one for more than ten; and one for each recording |
| Output | what `ringcentral_recordings` puts out, which later finds it whole; `extract` does what `land` does there |
| Run again | Any time: rows are upserted, audio that is held is not fetched again |
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, get_current_context, task

from voxlake.airflow.window import SESSION_EVENTS_DAG
from voxlake.airflow.wiring import DEFAULT_ARGS, MAX_MAPPED, ONE_SESSION_PARAMS, SESSION_EVENTS, archive_sessions


@dag(
    dag_id=SESSION_EVENTS_DAG,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/10 * * * *", timezone="UTC"), assets=[SESSION_EVENTS]
    ),
    start_date=datetime.fromisoformat("2024-01-01T00:00:00+00:00"),
    catchup=False,
    doc_md=__doc__,
    tags=["ringcentral"],
    params=ONE_SESSION_PARAMS,
    default_args=DEFAULT_ARGS,
)
def ringcentral_session_events() -> None:
    """Wiring only; what each task does stands in `voxlake.airflow.session_steps` and `voxlake.airflow.steps`."""

    # One at a time, as it takes the events in. Many runs are woken for sessions that go on, or that another run waits
    # for: all that follows is skipped then, and costs nothing.
    @task.short_circuit(pool="ringcentral_api", max_active_tis_per_dag=1)
    def extract() -> list[list[dict[str, Any]]]:
        from voxlake.airflow import session_steps

        return session_steps.extract(MAX_MAPPED, get_current_context())

    # Not after an extract that failed: the next would fail at once too. The run by time tries again.
    @task(outlets=[SESSION_EVENTS])
    def look_again() -> None:
        from voxlake.airflow import session_steps

        session_steps.look_again(get_current_context())

    batches = extract()
    batches >> look_again()
    archive_sessions(batches)


ringcentral_session_events()
