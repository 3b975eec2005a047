"""What the tasks of the DAGs run: the archive's steps with the connection, the lake and the context of Airflow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from voxlake.airflow.hook import RingCentralHook
from voxlake.airflow.lake import open_lake
from voxlake.airflow.retries import connection_errors_in_airflow_terms
from voxlake.airflow.window import resolve_window
from voxlake.archive.download import download_session
from voxlake.archive.extract import extract_call_log
from voxlake.archive.land import land_call_log
from voxlake.archive.merge import merge_session
from voxlake.archive.plan import SessionRef, batch, plan_sessions
from voxlake.archive.publish import publish_run, raise_for_failed
from voxlake.settings import get_settings

log = logging.getLogger(__name__)

# A read of many pages waits in place for the next minute's quota, and for a penalty to end: it would begin anew if it
# gave its slot back, and a window of more pages than a minute grants would never be read.
EXTRACT_MAX_WAIT = 180.0

Context = Mapping[str, Any]
Result = TypeVar("Result")


def extract(context: Context) -> list[str]:
    """Reads the call log of the run's window; returns the raw folders."""
    window = resolve_window(context, get_settings().call_log_overlap)
    log.info("reading the company call log from %s to %s", window.start, window.end)
    hook = RingCentralHook(max_wait=EXTRACT_MAX_WAIT)
    with connection_errors_in_airflow_terms(hook.ringcentral_conn_id):
        return extract_call_log(hook.get_conn(), open_lake(), window.start, window.end)


def land(raw_folders: Sequence[str], max_batches: int) -> list[list[dict[str, Any]]]:
    """Lands raw folders; returns the sessions that have something to download or merge, in batches."""
    lake = open_lake()
    landed = land_call_log(lake, raw_folders)
    sessions = plan_sessions(lake, landed.sessions)
    log.info("%d of %d sessions have something to download or merge", len(sessions), len(landed.sessions))
    return [[session.to_json() for session in group] for group in batch(sessions, max_batches)]


def download(sessions: Sequence[Mapping[str, Any]], context: Context) -> None:
    """Downloads the recordings of each session of a batch; comes back for those that are not available yet.

    Raises:
        AirflowRescheduleException: Some are not: the task gives its slot back until it is worth another look.
    """
    hook, lake = RingCentralHook(), open_lake()
    client = hook.get_conn()
    wait = get_settings().recording_wait

    def download_one(session: SessionRef) -> datetime | None:
        with connection_errors_in_airflow_terms(hook.ringcentral_conn_id):
            return download_session(client, lake, session, context["run_id"], context["ti"].try_number, wait)

    look_again = [time for time in _for_each(sessions, download_one) if time is not None]
    if look_again:
        raise AirflowRescheduleException(min(look_again))


def merge(sessions: Sequence[Mapping[str, Any]], context: Context) -> list[str]:
    """Merges each session of a batch; returns the paths of the files."""
    lake = open_lake()
    made = _for_each(sessions, lambda session: merge_session(lake, session, context["run_id"]))
    paths = [path for path in made if path is not None]
    if not paths:
        raise AirflowSkipException("no recording of these sessions is held, so there is nothing to merge")
    return paths


def publish(batches: Sequence[Sequence[Mapping[str, Any]]] | None, context: Context) -> None:
    """Writes the run's outcomes into the tables, and ends the run failed if a session is not whole."""
    if batches is None:
        raise AirflowFailException("extract or land failed, so there is nothing to publish; their logs say why")
    report = publish_run(open_lake(), [ref for group in batches for ref in _refs(group)], context["run_id"])
    raise_for_failed(report)


def _for_each(sessions: Iterable[Mapping[str, Any]], work: Callable[[SessionRef], Result]) -> list[Result]:
    """Does the work for every session; one that fails does not hold back the next, and the task fails at the end."""
    refs = _refs(sessions)
    done, errors = [], []
    for session in refs:
        try:
            done.append(work(session))
        except (AirflowRescheduleException, AirflowFailException):
            # About the connection: the next session would fare no better.
            raise
        except Exception as error:
            log.exception("session %s failed", session.telephony_session_id)
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup(f"{len(errors)} of {len(refs)} sessions failed", errors)
    return done


def _refs(sessions: Iterable[Mapping[str, Any]]) -> list[SessionRef]:
    return [SessionRef.from_json(session) for session in sessions]
