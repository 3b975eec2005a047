"""What the tasks of the DAGs run: the archive's steps with the connection, the lake and the context of Airflow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from voxlake.airflow import metrics
from voxlake.airflow.hook import RingCentralHook
from voxlake.airflow.lake import open_lake
from voxlake.airflow.retries import connection_errors_in_airflow_terms
from voxlake.airflow.window import Window, is_awaited, is_backfill, is_scheduled, resolve_window, wanted_sessions
from voxlake.airflow.wiring import CALL_LOG
from voxlake.archive.deadlines import read_backlog
from voxlake.archive.download import Patience, download_session
from voxlake.archive.extract import extract_call_log, extract_modified
from voxlake.archive.land import land_call_log
from voxlake.archive.merge import MergeOptions, merge_session
from voxlake.archive.plan import SessionRef, batch, find_sessions, plan_sessions
from voxlake.archive.publish import publish_run, raise_for_failed
from voxlake.archive.run_notes import note_landed, note_requests, read_notes
from voxlake.archive.settled import is_settled
from voxlake.archive.summary import run_summary
from voxlake.archive.sync_token import sync_token_of
from voxlake.audio.merge import Target
from voxlake.lake.layout import RINGCENTRAL
from voxlake.lake.storage import Storage
from voxlake.ringcentral.errors import NotFoundError, SyncTokenRefusedError
from voxlake.settings import Settings, get_settings

if TYPE_CHECKING:
    from voxlake.ringcentral.client import RingCentralClient

log = logging.getLogger(__name__)

# A read of many pages waits in place for the next minute's quota, and for a penalty to end: it would begin anew if it
# gave its slot back, and a window of more pages than a minute grants would never be read.
EXTRACT_MAX_WAIT = 180.0

# A download gives its slot back where it would wait for longer.
DOWNLOAD_MAX_WAIT = 15.0

# In the state of the asset `CALL_LOG`: the token of the last page that has landed.
PROGRESS = "modifications_read_to"

_SHOWN = 20

Context = Mapping[str, Any]
Result = TypeVar("Result")


def extract(context: Context) -> list[str]:
    """Reads the call log of the run's window; returns the raw folders.

    The call log is asked by start time, but shows a call only when it is over. So the runs of the schedule read some
    hours more before their interval, however late they run: the runs before them read those hours at their own time,
    and it takes this one to find what was not over then. A backfill reads all its intervals at one time: none of them
    could find more before another than that does itself.

    A run by hand for some sessions reads nothing, as their calls have landed.
    """
    if wanted_sessions(context):
        log.info("this run is for the sessions of its param `telephony_session_ids`: no call log is read")
        return []
    settings, lake = get_settings(), open_lake()
    window = resolve_window(context)
    if is_scheduled(context):
        if settings.call_log_read == "modifications" and (folders := _extract_modified(context, lake, window)):
            return folders
        begin = window.start - settings.call_log_overlap
        if not is_settled(lake, begin, window.start, settings.call_log_overlap):
            window = Window(begin, window.end)
    return extract_window(lake, window, context)


def _extract_modified(context: Context, lake: Storage, window: Window) -> list[str]:
    """Reads what changed since the token that an earlier run's `land` left, else since the window with its overlap.

    Returns:
        The raw folders; none if the source refuses, so that the window is read instead.
    """
    state = context["asset_state_store"][CALL_LOG]
    since = window.start - get_settings().call_log_overlap
    with connected(context, lake, EXTRACT_MAX_WAIT, spread=False) as (conn_id, client):
        try:
            with connection_errors_in_airflow_terms(conn_id):
                folder = extract_modified(client, lake, state.get(PROGRESS), since, window.end)
        except (SyncTokenRefusedError, NotFoundError) as error:
            log.warning("modifications cannot be read: this run reads its window, and the next starts anew: %s", error)
            state.delete(PROGRESS)
            return []
    return [folder]


def extract_window(lake: Storage, window: Window, context: Context) -> list[str]:
    """Reads the call log of a window; returns the raw folders."""
    log.info("reading the company call log from %s to %s", window.start, window.end)
    with (
        connected(context, lake, EXTRACT_MAX_WAIT, spread=False) as (conn_id, client),
        connection_errors_in_airflow_terms(conn_id),
    ):
        return extract_call_log(client, lake, window.start, window.end)


def land(raw_folders: Sequence[str], max_batches: int, context: Context) -> list[list[dict[str, Any]]]:
    """Lands raw folders; returns the sessions that have something to download or merge, in batches.

    Of a run by hand for some sessions it returns those of them.

    Raises:
        AirflowFailException: The lake has no recording of a session that the run is for.
    """
    lake = open_lake()
    if wanted := wanted_sessions(context):
        known = find_sessions(lake, wanted)
        if unknown := [session for session in wanted if session not in known]:
            raise AirflowFailException(
                "param `telephony_session_ids`: the lake has no recording of "
                + ", ".join(unknown[:_SHOWN])
                + "; leave "
                "these out, or archive the hours of their calls first (`start` and `end`)"
            )
        return plan(lake, known, max_batches)
    landed = land_call_log(lake, raw_folders)
    note_landed(lake, run_of(context), landed)
    # Not before: what a token says was read must be in the tables.
    if (token := sync_token_of(lake, raw_folders)) is not None:
        context["asset_state_store"][CALL_LOG].set(PROGRESS, token)
    return plan(lake, landed.sessions, max_batches)


def plan(lake: Storage, sessions: Mapping[str, Iterable[date]], max_batches: int) -> list[list[dict[str, Any]]]:
    """Of some sessions those that have something to download or merge, in batches, as XComs have them."""
    unfinished = plan_sessions(lake, sessions)
    log.info("%d of %d sessions have something to download or merge", len(unfinished), len(sessions))
    return [[session.to_json() for session in group] for group in batch(unfinished, max_batches)]


def download(sessions: Sequence[Mapping[str, Any]], context: Context) -> None:
    """Downloads the recordings of each session of a batch; comes back for those that are not available yet.

    Raises:
        AirflowRescheduleException: Some are not: the task gives its slot back until it is worth another look.
    """
    settings, lake = get_settings(), open_lake()
    patience = patience_of(settings)

    with connected(context, lake, DOWNLOAD_MAX_WAIT, spread=True) as (conn_id, client):

        def download_one(session: SessionRef) -> datetime | None:
            with connection_errors_in_airflow_terms(conn_id):
                return download_session(client, lake, session, run_of(context), context["ti"].try_number, patience)

        looks, errors = _for_each(sessions, download_one)
    look_again = [time for time in looks if time is not None]
    if look_again:
        # What failed is told when this is over: a failed try would be all tries' end for what may still come.
        raise AirflowRescheduleException(min(look_again))
    _raise_all(errors, len(sessions))


def merge(sessions: Sequence[Mapping[str, Any]], context: Context) -> list[str]:
    """Merges each session of a batch; returns the paths of the files."""
    settings, lake = get_settings(), open_lake()
    task = context["ti"]
    made_by = f"{context['dag_run'].dag_id}/{context['run_id']}/{task.task_id}/{task.map_index}"
    options = merge_options(settings)
    made, errors = _for_each(sessions, lambda session: merge_session(lake, session, run_of(context), options, made_by))
    _raise_all(errors, len(sessions))
    paths = [path for path in made if path is not None]
    if not paths:
        raise AirflowSkipException("no recording of these sessions is held, so there is nothing to merge")
    return paths


def patience_of(settings: Settings) -> Patience:
    """How long the settings give the provider for a recording."""
    return Patience(wait=settings.recording_wait, retention=settings.recording_retention)


def merge_options(settings: Settings) -> MergeOptions:
    """How the settings have recordings merged."""
    return MergeOptions(
        timeline=settings.merge == "timeline",
        target=Target(settings.merge_format, settings.merge_bit_rate),
        tolerance=settings.recording_tolerance,
    )


def publish(batches: Sequence[Sequence[Mapping[str, Any]]] | None, context: Context) -> None:
    """Writes the run's outcomes into the tables, and ends the run failed if a session is not whole."""
    if batches is None:
        raise AirflowFailException("a task before failed, so there is nothing to publish; its log says why")
    settings, lake, now = get_settings(), open_lake(), datetime.now(UTC)
    notes = read_notes(lake, run_of(context))
    sessions = [ref for group in batches for ref in _refs(group)]
    # A DAG archives one provider.
    provider = sessions[0].provider if sessions else RINGCENTRAL
    report = publish_run(lake, sessions, run_of(context), provider)
    backlog = read_backlog(lake, now, settings.recording_retention, settings.recording_limit)
    took = now - context["dag_run"].start_date
    log.info("what the run came to:\n%s", run_summary(report, notes, backlog, took))
    metrics.send_published(report, backlog, now, {"dag_id": context["dag_run"].dag_id})
    for path in notes.paths:
        lake.delete(path)
    raise_for_failed(report)


@contextmanager
def connected(
    context: Context, lake: Storage, max_wait: float, *, spread: bool
) -> Iterator[tuple[str, RingCentralClient]]:
    """The name of the connection and a client of it; what its requests came to is told, however the task ends.

    The call log is for one user to read: another may see less of it, so that pages would not follow one another, and a
    sync token may be good only for who got it.
    """
    task, run = context["ti"], run_of(context)
    # The name by which a task that comes back has its place in the line.
    waiter = f"{run}.{task.task_id}.{task.map_index}"
    hook = RingCentralHook(max_wait=max_wait, waiter=waiter, backfill=is_backfill(context), awaited=is_awaited(context))
    with hook.get_conn(spread=spread) as client:
        try:
            yield hook.ringcentral_conn_id, client
        finally:
            tags = {"dag_id": context["dag_run"].dag_id, "task_id": task.task_id}
            try:
                grants = client.grants()
                metrics.send_requests(client.tally, grants, tags)
                note_requests(lake, run, client.tally, grants)
            except Exception:
                # What the task itself came to counts more: a retry for a note would fetch nothing anew, but burn a try.
                log.warning("the summary of the run will lack the requests of this task", exc_info=True)


def run_of(context: Context) -> str:
    """What a run is called in the lake and in the line for the quota."""
    # Runs of two DAGs may have one run id: it is made of the kind of run and its time.
    return f"{context['dag_run'].dag_id}.{context['run_id']}"


def _for_each(
    sessions: Iterable[Mapping[str, Any]], work: Callable[[SessionRef], Result]
) -> tuple[list[Result], list[Exception]]:
    """Does the work for every session; one that fails does not hold back the next."""
    done, errors = [], []
    for session in _refs(sessions):
        try:
            done.append(work(session))
        except (AirflowRescheduleException, AirflowFailException):
            # About the connection: the next session would fare no better.
            raise
        except Exception as error:
            log.exception("session %s failed", session.telephony_session_id)
            errors.append(error)
    return done, errors


def _raise_all(errors: Sequence[Exception], of: int) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup(f"{len(errors)} of {of} sessions failed", errors)


def _refs(sessions: Iterable[Mapping[str, Any]]) -> list[SessionRef]:
    return [SessionRef.from_json(session) for session in sessions]
