from __future__ import annotations

from voxlake.archive.land import Landed
from voxlake.archive.run_notes import note_landed, note_requests, read_notes
from voxlake.lake.storage import Storage
from voxlake.ringcentral.grants import Grant
from voxlake.ringcentral.transport import Tally

HEAVY = Grant("one", "heavy", 10, 60.0, 3, 0.0, 0.5)


def landed(calls: int, rejected: int = 0) -> Landed:
    return Landed(calls, 0, 0, rejected, {})


def test_what_all_tasks_did_is_added_up_also_of_one_that_came_back(storage: Storage) -> None:
    note_requests(storage, "run", Tally(2, 0, 1.5, 100), [HEAVY])
    note_requests(storage, "run", Tally(2, 0, 1.5, 100), [HEAVY])
    note_requests(storage, "run", Tally(1, 1, 0.25, 7), [HEAVY])
    note_requests(storage, "another run", Tally(9, 9, 9.0, 9), [HEAVY])

    notes = read_notes(storage, "run")

    assert notes.requested == Tally(requests=5, refused=1, waited=3.25, received=207)
    assert len(notes.paths) == 3


def test_each_credentials_newest_grant_counts_once(storage: Storage) -> None:
    second = Grant("two", "heavy", 20, 60.0, 0, 0.0, 0.5)
    note_requests(storage, "run", Tally(1), [HEAVY, second])
    note_requests(storage, "run", Tally(1), [HEAVY, Grant("one", "auth", 5, 60.0, 1, 0.0, 0.1)])

    assert read_notes(storage, "run").grants == (
        ("one", "auth", 5, 60.0),
        ("one", "heavy", 10, 60.0),
        ("two", "heavy", 20, 60.0),
    )


def test_landing_again_replaces_what_was_noted(storage: Storage) -> None:
    note_landed(storage, "run", landed(7, rejected=2))
    note_landed(storage, "run", landed(8))
    notes = read_notes(storage, "run")
    assert (notes.calls, notes.rejected) == (8, 0)


def test_a_task_that_sent_nothing_leaves_no_note(storage: Storage) -> None:
    note_requests(storage, "run", Tally(), [HEAVY])
    notes = read_notes(storage, "run")
    assert (notes.calls, notes.requested, notes.grants, notes.paths) == (None, Tally(), (), [])
