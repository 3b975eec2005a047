"""Metrics, sent as Airflow sends its own: by StatsD or OpenTelemetry, as `[metrics]` of its configuration says.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html

Airflow puts its prefix (`airflow.`) before each name. Plain StatsD has no tags, and so no DAG and no credential.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from airflow.sdk.observability.stats import gauge, incr, normalize_name_for_stats, timing

if TYPE_CHECKING:
    from voxlake.archive.deadlines import Backlog
    from voxlake.archive.publish import Published
    from voxlake.ringcentral.grants import Grant
    from voxlake.ringcentral.transport import Tally


@dataclass(frozen=True)
class Metric:
    """A metric, as `docs/metrics.md` describes it.

    Attributes:
        name: Without Airflow's prefix; `<group>` stands for a group of RingCentral's quota.
        kind: Counters add up, gauges hold the last value.
        unit: Of its values.
        tags: Names of its tags.
        meaning: What is measured, and when it is sent.
        alarm: When to worry; empty where a value is neither good nor bad.
    """

    name: str
    kind: Literal["counter", "gauge", "timer"]
    unit: str
    tags: tuple[str, ...]
    meaning: str
    alarm: str = ""


_TASK = ("dag_id", "task_id")
_CREDENTIAL = ("credential",)
_RUN = ("dag_id",)

REQUESTS = Metric("voxlake.requests", "counter", "requests", _TASK, "Requests sent, logins among them.")
REFUSED = Metric(
    "voxlake.requests_refused",
    "counter",
    "requests",
    _TASK,
    "Requests that RingCentral answered with 429.",
    "Any. Another program uses the same user and app beyond its share, or RingCentral has cut the grant.",
)
WAITED = Metric(
    "voxlake.waited", "timer", "ms", _TASK, "Time that a task's requests waited in place for the quota, all together."
)
RECEIVED = Metric("voxlake.received", "counter", "bytes", _TASK, "Bytes of the bodies that were read.")
LIMIT = Metric(
    "voxlake.quota.<group>.limit",
    "gauge",
    "requests",
    _CREDENTIAL,
    "What RingCentral grants a credential in one window.",
    "Less than before: RingCentral has cut the grant.",
)
PER_SECOND = Metric(
    "voxlake.quota.<group>.per_second", "gauge", "requests a second", _CREDENTIAL, "The same, over the window's length."
)
USED = Metric(
    "voxlake.quota.<group>.used",
    "gauge",
    "requests",
    _CREDENTIAL,
    "Places of the window that are taken when a task ends, by Voxlake and by other programs.",
    "Well below `limit` while `voxlake.backlog.recordings` is high: workers are missing, or the pool is too small.",
)
BLOCKED = Metric(
    "voxlake.quota.<group>.blocked",
    "gauge",
    "seconds",
    _CREDENTIAL,
    "What is left of a penalty after a 429; nobody sends during it.",
    "More than 0 for longer than some minutes.",
)
DOWNLOADED = Metric(
    "voxlake.recordings.downloaded", "counter", "recordings", _RUN, "Recordings that a run brought; sent by `publish`."
)
UNAVAILABLE = Metric(
    "voxlake.recordings.unavailable",
    "counter",
    "recordings",
    _RUN,
    "Recordings of a run that RingCentral does not have; sent by `publish`.",
    "A jump: recordings were deleted before they were archived.",
)
FAILED = Metric(
    "voxlake.recordings.failed",
    "counter",
    "recordings",
    _RUN,
    "Recordings of a run that could not be had; sent by `publish`, whose log says why.",
    "Any.",
)
MERGED = Metric("voxlake.sessions.merged", "counter", "sessions", _RUN, "Sessions merged; sent by `publish`.")
NOT_WHOLE = Metric(
    "voxlake.sessions.not_whole",
    "counter",
    "sessions",
    _RUN,
    "Sessions that a run was to archive, and did not archive whole; sent by `publish`.",
    "Any that does not go after the next night.",
)
PENDING = Metric(
    "voxlake.backlog.recordings",
    "gauge",
    "recordings",
    (),
    "Recordings of the whole lake that are still to be fetched; sent by `publish`.",
    "Grows from day to day: the quota does not suffice. Add a credential.",
)
OLDEST = Metric(
    "voxlake.backlog.oldest",
    "gauge",
    "seconds",
    (),
    "Age of the oldest of them; 0 if there is none.",
    "More than some days (86,400 s each).",
)
AT_RISK = Metric(
    "voxlake.backlog.at_risk",
    "gauge",
    "recordings",
    (),
    "How many of them RingCentral deletes within 14 days.",
    "Any.",
)

WEBHOOK_ACCEPTED = Metric(
    "voxlake.webhook.accepted",
    "counter",
    "requests",
    ("provider",),
    "Notifications that are safe in the inbox; sent by the API server.",
    "None for longer than the company is ever without a call: the subscription is gone.",
)
WEBHOOK_REFUSED = Metric(
    "voxlake.webhook.refused",
    "counter",
    "requests",
    ("provider", "reason"),
    "Requests to the webhook address that were refused as `forged`, `unknown_subscription`, `malformed`, `oversized`, "
    "`content_type`, `replayed` or `not_kept`, or `repeated` and so nothing new; those of Sinch also as `stale` or "
    "`unknown_application`; sent by the API server.",
    "`not_kept`: the lake cannot be written. `forged`: somebody tries, or the client secret was changed and "
    "`ringcentral_subscription` has not run since; of Sinch, the connection has another secret than the "
    "application, or a proxy changes the path. `stale`: a clock is wrong.",
)
SINCH_ANSWERS = Metric(
    "voxlake.sinch.answers",
    "counter",
    "callbacks",
    ("outcome",),
    "Calls that were answered so as to be `recorded`, or connected and `not_recorded`, and those that waited but whose "
    "callback was `not_kept`; callbacks that the team's own program answered (`passed_on`) or failed to "
    "(`not_passed_on`); sent by the API server.",
    "`not_recorded`: the connection lacks a destination or its credentials, the API server's log says which. "
    "`not_kept`: the lake cannot be written.",
)
SILENT = Metric(
    "voxlake.events.silent",
    "gauge",
    "seconds",
    (),
    "Time since RingCentral last told of a call, at most a week; sent by `ringcentral_subscription`.",
    "More than the company is ever without a recorded call.",
)

METRICS = (
    *(REQUESTS, REFUSED, WAITED, RECEIVED),
    *(LIMIT, PER_SECOND, USED, BLOCKED),
    *(DOWNLOADED, UNAVAILABLE, FAILED, MERGED, NOT_WHOLE),
    *(PENDING, OLDEST, AT_RISK),
    *(WEBHOOK_ACCEPTED, WEBHOOK_REFUSED, SINCH_ANSWERS, SILENT),
)


def send_requests(requested: Tally, grants: Sequence[Grant], tags: dict[str, str]) -> None:
    """Sends what a task's requests came to, and what its credentials are granted.

    Args:
        requested: What the client has counted.
        grants: What is granted by credential and group.
        tags: `dag_id` and `task_id`.
    """
    incr(REQUESTS.name, requested.requests, tags=tags)
    incr(REFUSED.name, requested.refused, tags=tags)
    timing(WAITED.name, requested.waited * 1000, tags=tags)
    incr(RECEIVED.name, requested.received, tags=tags)
    for grant in grants:
        values = {
            LIMIT: grant.limit,
            PER_SECOND: grant.limit / grant.window,
            USED: grant.used,
            BLOCKED: grant.blocked_for,
        }
        for metric, value in values.items():
            # In the name, as plain StatsD has no tags: the login's quota is none to be mistaken for the media's.
            name = metric.name.replace("<group>", grant.group)
            gauge(normalize_name_for_stats(name, log_warning=False), value, tags={"credential": grant.credential})


def count_webhook(provider: str, became: str) -> None:
    """Counts a request to a webhook address.

    Args:
        provider: Whose address.
        became: `accepted`, or the reason of its refusal.
    """
    if became == "accepted":
        incr(WEBHOOK_ACCEPTED.name, tags={"provider": provider})
    else:
        incr(WEBHOOK_REFUSED.name, tags={"provider": provider, "reason": became})


def count_sinch_answer(outcome: str) -> None:
    """Counts what became of a call that waited for Voxlake's answer, or of a callback that was passed on."""
    incr(SINCH_ANSWERS.name, tags={"outcome": outcome})


def send_silence(silence: timedelta | None) -> None:
    """Sends how long no event came; nothing where none is known of."""
    if silence is not None:
        gauge(SILENT.name, silence.total_seconds())


def send_published(report: Published, backlog: Backlog, now: datetime, tags: dict[str, str]) -> None:
    """Sends what a run came to, and what is still to be fetched.

    Args:
        report: What was published.
        backlog: What is still to be fetched.
        now: What counts as now.
        tags: `dag_id`.
    """
    incr(DOWNLOADED.name, report.downloaded, tags=tags)
    incr(UNAVAILABLE.name, report.recordings.get("unavailable", 0), tags=tags)
    incr(FAILED.name, report.recordings.get("failed", 0), tags=tags)
    incr(MERGED.name, report.merged, tags=tags)
    incr(NOT_WHOLE.name, len(report.failed), tags=tags)
    gauge(PENDING.name, backlog.recordings)
    gauge(OLDEST.name, (now - backlog.oldest).total_seconds() if backlog.oldest else 0)
    gauge(AT_RISK.name, backlog.at_risk)
