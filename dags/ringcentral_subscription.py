"""Keeps the subscription to RingCentral's telephony events alive, and says whether events arrive.

**When it fails**

* `subscribe` is red at the first try: `VOXLAKE_WEBHOOK_URL` is not set, or the connection is refused; the log says what
  to change. The app needs the permissions *SubscriptionWebhook* and *CallControl* beside those of the archive.
* `subscribe` is red with SUB-525: RingCentral reached nothing at `VOXLAKE_WEBHOOK_URL` that agreed within three
  seconds. Open it from outside: a request with a header `Validation-Token` is answered with the same header.
* `subscribe` is red with too many subscriptions: the user and the app have all 30, for other addresses; end one of
  them.
* `subscribe` warns that a subscription was blacklisted: the API server did not answer for some minutes. It has been
  replaced; calls of that time are archived by the hourly run.
* `report` shows a `last_event_at` of long ago although calls were recorded: something between RingCentral and the API
  server swallows requests; `voxlake.webhook.refused` counts what the API server refuses itself.

| | |
| --- | --- |
| Source | RingCentral subscriptions of the connection's user and app |
| Rate limit | Light and Medium: 50 and 40 requests a minute, apart from the archive's |
| Schedule | Every 15 minutes |
| Requests | One to look; another to renew, some days before the end; one or two to replace |
| Output | one subscription for `VOXLAKE_WEBHOOK_URL`, and a note of it in `inbox/ringcentral/` of the lake |
| Run again | Any time: a subscription that works is left alone |
"""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import CronTriggerTimetable, dag, get_current_context, task

from voxlake.airflow.wiring import DEFAULT_ARGS


@dag(
    schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC"),
    start_date=datetime.fromisoformat("2024-01-01T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["ringcentral"],
    default_args=DEFAULT_ARGS,
)
def ringcentral_subscription() -> None:
    """Wiring only; what each task does stands in `voxlake.airflow.subscription_steps`."""

    @task(pool="ringcentral_api")
    def subscribe() -> None:
        from voxlake.airflow import subscription_steps

        subscription_steps.subscribe(get_current_context())

    @task
    def report() -> dict[str, str | None]:
        from voxlake.airflow import subscription_steps

        return subscription_steps.report()

    subscribe() >> report()


ringcentral_subscription()
