"""What a run came to, as a table for the log of its last task."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from voxlake.archive.deadlines import AT_RISK, Backlog
from voxlake.archive.publish import Published
from voxlake.archive.run_notes import RunNotes


def run_summary(report: Published, notes: RunNotes, backlog: Backlog, took: timedelta) -> str:
    """One line a subject, its name first.

    Args:
        report: What was published.
        notes: What the tasks of the run have noted.
        backlog: What is to be fetched now.
        took: Time since the run began.
    """
    lines = [*_run(report, notes), *_requests(notes), *_rest(report, backlog), ("took", _time(took))]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in lines)


def _run(report: Published, notes: RunNotes) -> Iterator[tuple[str, str]]:
    if notes.calls is not None:
        yield "calls", f"{notes.calls:,} landed, {notes.rejected:,} rejected"
    yield "sessions to archive", f"{report.sessions:,}"
    statuses = Counter(report.recordings)
    yield "recordings of these", f"{statuses.total():,}"
    yield "  downloaded now", f"{report.downloaded:,} ({_size(report.downloaded_bytes)})"
    yield "  held otherwise", f"{statuses['downloaded'] - report.downloaded:,} (from before, or from another run)"
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(report.unavailable.items()))
    yield "  unavailable", f"{statuses['unavailable']:,}{f' ({reasons})' if reasons else ''}"
    yield "  failed", f"{statuses['failed']:,}"
    yield (
        "sessions merged",
        f"{report.merged:,} ({report.merged - report.partial:,} complete, {report.partial:,} partial)",
    )
    yield "sessions not whole", f"{len(report.failed):,}"


def _requests(notes: RunNotes) -> Iterator[tuple[str, str]]:
    requested = notes.requested
    yield "requests", f"{requested.requests:,}, {requested.refused:,} of them answered with 429"
    yield "received", _size(requested.received)
    yield "waited", f"{_time(timedelta(seconds=requested.waited))} for the quota, all tasks together"
    groups: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for _, group, limit, window in notes.grants:
        groups[group].append((limit, window))
    for group, granted in groups.items():
        texts = " + ".join(f"{limit:,} in {window:g} s" for limit, window in granted)
        rate = sum(limit / window for limit, window in granted)
        yield f"granted ({group})", f"{texts} ({rate:.3g} a second)"


def _rest(report: Published, backlog: Backlog) -> Iterator[tuple[str, str]]:
    yield "still to fetch", f"{backlog.recordings:,} in all, {backlog.at_risk:,} deleted within {AT_RISK.days} days"
    if backlog.first is not None:
        first = backlog.first
        yield (
            "deleted first",
            f"recording {first['recording_id']} of session {first['telephony_session_id']} ({first['status']}), "
            f"about {first['deletes_at']:%Y-%m-%d %H:%M} UTC",
        )
    if report.failed:
        yield "next", "clear the failed tasks, or run the interval again; the next ringcentral_reconcile tries them too"
    elif backlog.recordings:
        yield "next", "the next ringcentral_reconcile looks for what is still to fetch"
    else:
        yield "next", "nothing: all that is known is held"


def _time(time: timedelta) -> str:
    minutes, seconds = divmod(time.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds:.0f} s" if minutes else f"{seconds:.1f} s"


def _size(size: int) -> str:
    return f"{size:,} bytes" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"
