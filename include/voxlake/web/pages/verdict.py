"""The answer that the archive page begins with: is all well, and what is to be done if not."""

from __future__ import annotations

from dataclasses import dataclass

from voxlake.search.overview import ArchiveState


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        level: `well`, `pending` (nothing to do but to wait) or `failed` (somebody has to look).
        headline: The answer itself.
        points: What is behind it, and what to do, a sentence or two each.
    """

    level: str
    headline: str
    points: tuple[str, ...]


def verdict(state: ArchiveState) -> Verdict:
    """What can be said of an archive at a glance."""
    wrong, waiting = _wrong(state), _waiting(state)
    if wrong:
        return Verdict("failed", "Something needs you.", (*wrong, *waiting, *_lost(state)))
    if waiting:
        return Verdict("pending", "Nothing is wrong; some things are still to come.", (*waiting, *_lost(state)))
    held = sum(day.held for day in state.days)
    days = sum(day.state != "empty" for day in state.days)
    if not days:
        return Verdict("pending", "Nothing has been archived in these weeks.", (_START,))
    return Verdict(
        "well", "All is well.", (f"{_count(held, 'recording')} of {_count(days, 'day')} held.", *_lost(state))
    )


_START = "Is the DAG ringcentral_recordings switched on, or are these weeks of before? A backfill archives them."


def _wrong(state: ArchiveState) -> list[str]:
    found = []
    if state.at_risk:
        found.append(
            f"The provider deletes {_count(state.at_risk, 'recording')} within 14 days, and the archive does not have "
            f"{_them(state.at_risk)} yet. See “Still to come”, and start a run."
        )
    failed = sum(day.failed for day in state.days)
    if failed:
        found.append(f"{_count(failed, 'recording')} could not be downloaded. See “Not held”, and try again there.")
    missing = sum(day.calls_missing for day in state.days)
    if missing:
        found.append(
            f"{_count(missing, 'call')} that the source lists {_is(missing)} not in the archive. The next nightly "
            "ringcentral_reconcile reads them again; if they stay, its log says which records were rejected."
        )
    return found


def _waiting(state: ArchiveState) -> list[str]:
    found = []
    if state.pending_total:
        recordings = _count(state.pending_total, "recording")
        found.append(f"{recordings} {_is(state.pending_total)} still to be fetched; the next runs do it.")
    unmerged = sum(day.unmerged for day in state.days)
    if unmerged:
        found.append(f"{_count(unmerged, 'conversation')} {_is(unmerged)} still to be merged; the next runs do it.")
    if any(day.recordings for day in state.days) and not any(day.reconciled_at for day in state.days):
        found.append(
            "None of these days has been compared with the source yet: the nightly DAG ringcentral_reconcile does it."
        )
    return found


def _lost(state: ArchiveState) -> list[str]:
    lost = sum(day.unavailable for day in state.days)
    return [f"{_count(lost, 'recording')} cannot be had from the provider; “Not held” says why."] if lost else []


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
