from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count, permutations
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxlake.archive.conversations import conversation_ids, update_conversations, update_sessions
from voxlake.lake import layout, tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import CALLS, CONVERSATIONS, LEGS, RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage, StoredObject

Row = dict[str, Any]

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = NOON.date()
SHORTLY = timedelta(minutes=5)


@dataclass(frozen=True)
class Landing:
    """Rows that land together."""

    calls: Sequence[Row]
    legs: Sequence[Row] = ()
    recordings: Sequence[Row] = ()


def call(session: str | None, start: datetime = NOON, **values: Any) -> Row:
    return {
        "account_id": "1",
        "call_id": f"call-of-{session}",
        "telephony_session_id": session,
        "start_time": start,
        "duration_ms": 60_000,
        "from_name": f"caller of {session}",
        "to_phone_number": f"number of {session}",
        "extracted_at": start + timedelta(hours=1),
        **values,
    }


def leg(of: Row, index: int = 0, **values: Any) -> Row:
    same = ("account_id", "call_id", "telephony_session_id", "start_time", "extracted_at")
    return {name: of[name] for name in same} | {
        "leg_index": index,
        "call_start_time": of["start_time"],
        **values,
    }


def recording(of: Row, **values: Any) -> Row:
    return {
        "provider": "ringcentral",
        "account_id": of["account_id"],
        "recording_id": f"recording-of-{of['telephony_session_id']}",
        "telephony_session_id": of["telephony_session_id"],
        "call_id": of["call_id"],
        "start_time": of["start_time"],
        "status": "pending",
        "attempts": 0,
        "extracted_at": of["extracted_at"],
        **values,
    }


def merged(session: str, start: datetime = NOON, account: str = "1", **values: Any) -> Row:
    """A row of `sessions`, as `publish` leaves it."""
    return {
        "provider": "ringcentral",
        "account_id": account,
        "telephony_session_id": session,
        "conversation_id": session,
        "start_time": start,
        "recording_ids": [f"recording-of-{session}"],
        **values,
    }


def upsert(storage: Storage, table: Table, rows: Iterable[Row]) -> None:
    tables.upsert(storage, table, tables.to_arrow(table, rows))


def land(storage: Storage, landing: Landing) -> int:
    """As `land` does: the rows into their tables, then the conversations."""
    calls, legs = tables.to_arrow(CALLS, landing.calls), tables.to_arrow(LEGS, landing.legs)
    tables.upsert(storage, CALLS, calls)
    tables.upsert(storage, LEGS, legs)
    upsert(storage, RECORDINGS, landing.recordings)
    return update_conversations(storage, calls, legs)


def land_all(storage: Storage, landings: Iterable[Landing]) -> None:
    for landing in landings:
        land(storage, landing)


def rows(storage: Storage, table: Table) -> list[Row]:
    """All rows of a table, with the day that they lie on."""
    days = sorted({path.split("/")[2].removeprefix("date=") for path in storage.list(f"tables/{table.name}")})
    return [row for day in days for row in tables.read(storage, table, [date.fromisoformat(day)]).to_pylist()]


def conversations(storage: Storage) -> list[Row]:
    return rows(storage, CONVERSATIONS)


def members(storage: Storage) -> list[list[str]]:
    return sorted(row["telephony_session_ids"] for row in conversations(storage))


def named(storage: Storage) -> dict[str, str]:
    """The conversation of each row of `sessions`."""
    return {row["telephony_session_id"]: row["conversation_id"] for row in rows(storage, SESSIONS)}


def state(storage: Storage) -> tuple[list[Row], list[Row]]:
    """All that the rows which land bring about."""
    return conversations(storage), rows(storage, SESSIONS)


# A rings, is put on hold and asked about in B, and put through to B; each call was recorded.
A = call("s-a", transfer_target_session_id="s-b")
B = call("s-b", NOON + SHORTLY, transferee_session_id="s-a", duration_ms=90_000)


def test_a_warm_transfer_is_one_conversation(storage: Storage) -> None:
    upsert(storage, SESSIONS, [merged("s-b", NOON + SHORTLY), merged("s-other")])

    written = land(storage, Landing([A, B, call("s-other")], [leg(A), leg(B)], [recording(B), recording(A)]))

    assert written == 1
    parties = {"from_phone_number": None, "to_name": None}
    assert conversations(storage) == [
        {
            "provider": "ringcentral",
            "account_id": "1",
            "conversation_id": "s-a",
            "start_time": NOON,
            "end_time": NOON + SHORTLY + timedelta(seconds=90),
            "telephony_session_ids": ["s-a", "s-b"],
            "sessions": [
                {
                    "telephony_session_id": "s-a",
                    "start_time": NOON,
                    "end_time": NOON + timedelta(seconds=60),
                    "from_name": "caller of s-a",
                    "to_phone_number": "number of s-a",
                    **parties,
                },
                {
                    "telephony_session_id": "s-b",
                    "start_time": NOON + SHORTLY,
                    "end_time": NOON + SHORTLY + timedelta(seconds=90),
                    "from_name": "caller of s-b",
                    "to_phone_number": "number of s-b",
                    **parties,
                },
            ],
            "links": [{"from_session_id": "s-a", "to_session_id": "s-b"}],
            "call_ids": ["call-of-s-a", "call-of-s-b"],
            "recording_ids": ["recording-of-s-a", "recording-of-s-b"],
            "extracted_at": NOON + SHORTLY + timedelta(hours=1),
        }
    ]
    assert named(storage) == {"s-b": "s-a", "s-other": "s-other"}


def test_landing_again_writes_nothing(storage: Storage) -> None:
    upsert(storage, SESSIONS, [merged("s-b")])
    landing = Landing([A, B], [leg(A), leg(B)], [recording(A)])
    assert land(storage, landing) == 1
    versions = {path: storage.version(path) for path in storage.list("tables")}

    assert land(storage, landing) == 0
    assert {path: storage.version(path) for path in storage.list("tables")} == versions


def test_a_call_and_a_recording_that_are_just_moving_over_midnight_count_once(storage: Storage) -> None:
    next_day = DAY + timedelta(days=1)
    late = B | {"start_time": NOON + timedelta(hours=12)}
    for table, rows_there in ((CALLS, [late]), (RECORDINGS, [recording(late)])):
        there = tables.to_parquet(tables.to_arrow(table, rows_there))
        storage.put(layout.table_file(table.name, next_day), there)
    # Far from midnight, so that the upsert does not look there.
    land(storage, Landing([A, B], [], [recording(B)]))

    (row,) = conversations(storage)
    assert row["call_ids"] == ["call-of-s-a", "call-of-s-b"]
    assert row["recording_ids"] == ["recording-of-s-b"]


def plain(row: Row) -> Row:
    return row | {"transfer_target_session_id": None, "transferee_session_id": None}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["A, B", "B, A"])
@pytest.mark.parametrize(
    "landings",
    [
        (Landing([A]), Landing([B])),
        (Landing([A]), Landing([plain(B)])),
        (Landing([plain(A)]), Landing([B])),
        (Landing([plain(A)], [leg(A, transfer_target_session_id="s-b")]), Landing([plain(B)])),
        (Landing([plain(A)]), Landing([plain(B)], [leg(B), leg(B, 1, transferee_session_id="s-a")])),
        (
            Landing([plain(A)], [leg(A, transfer_target_session_id="s-b", telephony_session_id=None)]),
            Landing([plain(B)]),
        ),
    ],
    ids=["both calls", "A's call", "B's call", "A's leg", "B's leg", "A's leg that names no session"],
)
def test_whichever_side_names_the_other_and_whichever_lands_first(
    storage: Storage, landings: Sequence[Landing], order: Sequence[int]
) -> None:
    upsert(storage, SESSIONS, [merged("s-a"), merged("s-b")])

    land_all(storage, (landings[number] for number in order))

    (row,) = conversations(storage)
    assert row["telephony_session_ids"] == ["s-a", "s-b"]
    assert row["links"] == [{"from_session_id": "s-a", "to_session_id": "s-b"}]
    assert row["call_ids"] == ["call-of-s-a", "call-of-s-b"]
    assert row["end_time"] == NOON + SHORTLY + timedelta(seconds=90)
    assert named(storage) == {"s-a": "s-a", "s-b": "s-a"}


# The one whose id names the conversation is the last that began, after midnight; each names only the one before it.
CHAIN_CALLS = [
    call("s-3", NOON + timedelta(hours=11)),
    call("s-2", NOON + timedelta(hours=11, minutes=50), transferee_session_id="s-3"),
    call("s-1", NOON + timedelta(hours=12, minutes=30), transferee_session_id="s-2"),
]
CHAIN_DAYS = [f"date={DAY + timedelta(days=shift)}" for shift in (0, 1)]
CHAIN = [Landing([row], [leg(row)], [recording(row)]) for row in CHAIN_CALLS]


@pytest.mark.parametrize("order", list(permutations(CHAIN)), ids=lambda _: "")
def test_a_chain_across_midnight_gives_the_same_tables_in_any_order(storage: Storage, order: Sequence[Landing]) -> None:
    upsert(storage, SESSIONS, [merged(row["telephony_session_id"], row["start_time"]) for row in CHAIN_CALLS])

    land_all(storage, order)

    (row,) = conversations(storage)
    assert (row["conversation_id"], row["telephony_session_ids"]) == ("s-1", ["s-3", "s-2", "s-1"])
    assert row["recording_ids"] == ["recording-of-s-3", "recording-of-s-2", "recording-of-s-1"]
    assert [link["to_session_id"] for link in row["links"]] == ["s-1", "s-2"]
    assert next(iter(storage.list("tables/conversations"))) == layout.table_file("conversations", DAY)
    assert named(storage) == dict.fromkeys(("s-1", "s-2", "s-3"), "s-1")
    assert conversation_ids(storage, ["s-3", "s-1", "s-x"], [DAY]) == {"s-1": "s-1", "s-3": "s-1", "s-x": "s-x"}


def test_a_conversation_is_followed_over_days_that_did_not_land(storage: Storage) -> None:
    calls = [
        call(f"s-{number}", NOON + timedelta(hours=20 * number), transferee_session_id=f"s-{number - 1}")
        for number in range(1, 6)
    ]
    # Nobody has put them together before.
    upsert(storage, CALLS, calls[:-1])

    land(storage, Landing([calls[-1]]))

    assert members(storage) == [[f"s-{number}" for number in (1, 2, 3, 4, 5)] + ["s-0"]]


def test_accounts_are_not_mixed(storage: Storage) -> None:
    others = [row | {"account_id": "2"} for row in (plain(A), plain(B), call("s-c", transferee_session_id="s-b"))]
    upsert(storage, SESSIONS, [merged(session, account=account) for session in ("s-b", "s-c") for account in "12"])

    land(storage, Landing([A, B, call("s-c"), *others]))

    found = {row["account_id"]: row["telephony_session_ids"] for row in conversations(storage)}
    assert found == {"1": ["s-a", "s-b"], "2": ["s-c", "s-b"]}
    assert {
        (row["account_id"], row["telephony_session_id"]): row["conversation_id"] for row in rows(storage, SESSIONS)
    } == {("1", "s-b"): "s-a", ("1", "s-c"): "s-c", ("2", "s-b"): "s-b", ("2", "s-c"): "s-b"}


def test_a_conversation_that_grows_to_a_smaller_id_leaves_nothing_of_its_parts(storage: Storage) -> None:
    upsert(storage, SESSIONS, [merged(session) for session in ("s-a", "s-b", "s-c", "s-d")])
    land(storage, Landing([call("s-b", transfer_target_session_id="s-a9"), call("s-c")]))
    land(storage, Landing([call("s-d", transfer_target_session_id="s-c")]))
    assert members(storage) == [["s-b", "s-a9"], ["s-c", "s-d"]]

    # On the day before, which it starts on from now on.
    early = NOON - timedelta(hours=14)
    assert land(storage, Landing([call("s-a", early, transfer_target_session_id="s-b")])) == 1
    assert land(storage, Landing([call("s-b", call_id="2", transfer_target_session_id="s-d")])) == 1

    assert members(storage) == [["s-a", "s-b", "s-c", "s-d", "s-a9"]]
    assert conversations(storage)[0]["start_time"] == early
    assert tables.read(storage, CONVERSATIONS, [DAY]).num_rows == 0
    assert named(storage) == dict.fromkeys(("s-a", "s-b", "s-c", "s-d"), "s-a")


def test_a_session_that_no_call_tells_of_yet_is_kept_and_completed(storage: Storage) -> None:
    land(storage, Landing([A]))
    (row,) = conversations(storage)
    assert row["sessions"][1] == dict.fromkeys(row["sessions"][0]) | {"telephony_session_id": "s-b"}

    assert land(storage, Landing([plain(B)], recordings=[recording(B)])) == 1

    (row,) = conversations(storage)
    assert row["sessions"][1]["start_time"] == NOON + SHORTLY
    assert (row["call_ids"], row["recording_ids"]) == (["call-of-s-a", "call-of-s-b"], ["recording-of-s-b"])


def test_a_conversation_of_which_only_a_leg_knows_has_the_time_of_its_call(storage: Storage) -> None:
    other = call("s-other")
    assert land(storage, Landing([other], [leg(other, telephony_session_id="s-b", transferee_session_id="s-a")])) == 1

    (row,) = conversations(storage)
    assert (row["start_time"], row["end_time"], row["telephony_session_ids"]) == (NOON, None, ["s-a", "s-b"])
    land_all(storage, [Landing([plain(B)]), Landing([plain(A)])])
    assert [row["end_time"] for row in conversations(storage)] == [NOON + SHORTLY + timedelta(seconds=90)]


def test_a_call_without_telephony_session_goes_by_its_legacy_id(storage: Storage) -> None:
    land(storage, Landing([call(None, session_id="42", transfer_target_session_id="s-b"), plain(B)]))

    assert members(storage) == [["42", "s-b"]]
    assert conversations(storage)[0]["call_ids"] == ["call-of-None", "call-of-s-b"]


def test_a_link_that_the_source_does_not_name_any_more_stays(storage: Storage) -> None:
    newer = plain(A) | {"extracted_at": NOON + timedelta(days=1), "duration_ms": 120_000}
    for order in ([Landing([A]), Landing([newer])], [Landing([newer]), Landing([A])]):
        land_all(storage, order)
        assert members(storage) == [["s-a", "s-b"]]
        assert conversations(storage)[0]["end_time"] == NOON + timedelta(seconds=120)
        for path in list(storage.list("tables")):
            storage.delete(path)


@pytest.mark.parametrize(
    ("linked", "said"),
    [
        (call("s-a", transfer_target_session_id="s-a"), "call call-of-s-a: session 's-a' is linked with itself"),
        (call("s-a", transferee_session_id="../s-b"), "'../s-b' is no telephonySessionId"),
        (call(None, transferee_session_id="s-b"), "'s-b' is linked with a call that has no session"),
    ],
)
def test_a_transfer_that_links_nothing_is_ignored(
    storage: Storage, linked: Row, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert land(storage, Landing([linked])) == 0

    assert conversations(storage) == []
    assert "1 transfers ignored" in caplog.text
    assert said in caplog.text


class WatchedStorage:
    """A lake that tells of each call of its methods before it is done."""

    def __init__(self, storage: Storage, tell: Callable[[str, str], None]) -> None:
        self._storage = storage
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._storage, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self._tell(name, args[0] if args else "")
            return method(*args, **kwargs)

        return watched

    def read(self, path: str) -> StoredObject:
        self._tell("read", path)
        return self._storage.read(path)


def test_a_landing_without_a_link_reads_no_calls_and_no_legs(storage: Storage) -> None:
    land(storage, Landing([A, B], [leg(A), leg(B)]))
    others = [call(f"s-other-{number}") for number in range(100)]
    calls, legs = tables.to_arrow(CALLS, others), tables.to_arrow(LEGS, [leg(row) for row in others])
    tables.upsert(storage, CALLS, calls)
    tables.upsert(storage, LEGS, legs)
    seen: list[tuple[str, str]] = []

    assert update_conversations(WatchedStorage(storage, lambda *what: seen.append(what)), calls, legs) == 0

    days = [DAY + timedelta(days=shift) for shift in (-1, 0, 1)]
    assert {path for _, path in seen} == {layout.table_file("conversations", day) for day in days}
    assert sum(name == "read" for name, _ in seen) == 3
    assert {name for name, _ in seen} <= {"read", "version"}


def test_no_rows_ask_for_nothing(storage: Storage) -> None:
    seen: list[tuple[str, str]] = []
    nothing = WatchedStorage(storage, lambda *what: seen.append(what))
    assert update_conversations(nothing, CALLS.schema.empty_table(), LEGS.schema.empty_table()) == 0
    assert seen == []


def test_a_session_that_is_merged_after_its_conversation_landed_is_named(storage: Storage) -> None:
    land(storage, Landing([A, B]))
    upsert(storage, SESSIONS, [merged("s-b"), merged("s-x", conversation_id=None), merged("s-y", conversation_id=None)])

    assert update_sessions(storage, ["s-b", "s-x"], [DAY]) == 2

    assert named(storage) == {"s-b": "s-a", "s-x": "s-x", "s-y": None}
    assert update_sessions(storage, ["s-b", "s-x"], [DAY]) == 0


MERGED = [merged(row["telephony_session_id"], row["start_time"]) for row in CHAIN_CALLS]


def land_interrupted(lake: Storage, landing: Landing, access: int, interrupt: Callable[[], None]) -> bool:
    """Lands, with something else done as a whole before one access to the days of CHAIN; False if there are fewer."""
    accesses = iter(range(access + 1))

    def tell(name: str, path: str) -> None:
        # No moment differs from the next if nothing is read or written between them that others write or read.
        if name in ("read", "compare_and_swap") and path.split("/")[2] in CHAIN_DAYS and next(accesses, None) == access:
            interrupt()

    land(WatchedStorage(lake, tell), landing)
    return next(accesses, None) is None


@pytest.mark.parametrize("outer", range(3))
def test_a_landing_at_any_moment_of_another_one(tmp_path: Path, outer: int) -> None:
    alone = LocalStorage(tmp_path / "alone")
    upsert(alone, SESSIONS, MERGED)
    land_all(alone, CHAIN)
    first, second, third = CHAIN[outer:] + CHAIN[:outer]

    def interrupt(lake: Storage) -> None:
        land(lake, second)
        upsert(lake, SESSIONS, MERGED)
        update_sessions(lake, ["s-1", "s-2", "s-3"], [DAY, DAY + timedelta(days=1)])
        land(lake, third)

    for access in count():
        lake = LocalStorage(tmp_path / str(access))
        if not land_interrupted(lake, first, access, partial(interrupt, lake)):
            break
        assert state(lake) == state(alone), f"another landing before access {access}"
    assert access > 10


def star(size: int) -> list[Landing]:
    """Parts that land alone: session 0 is the smallest and knows of none, each other one names the next smaller."""
    calls = [
        call(f"s-{number:02}", NOON + number * SHORTLY, transfer_target_session_id=f"s-{number - 1:02}")
        for number in range(1, size)
    ]
    return [Landing([row], [leg(row)], [recording(row)]) for row in (call("s-00"), *calls)]


def test_threads_that_land_parts_leave_one_whole(storage: Storage, tmp_path: Path) -> None:
    parts = star(8)
    upsert(storage, SESSIONS, [merged(f"s-{number:02}") for number in range(8)])
    ready = Barrier(len(parts))

    def land_at_once(part: Landing) -> None:
        ready.wait()
        land(storage, part)

    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(land_at_once, parts))

    alone = LocalStorage(tmp_path / "alone")
    upsert(alone, SESSIONS, [merged(f"s-{number:02}") for number in range(8)])
    land_all(alone, parts)
    assert members(storage) == [[f"s-{number:02}" for number in range(8)]]
    assert state(storage) == state(alone)


def land_in_a_process(folder: Path, part: Landing) -> None:
    land(LocalStorage(folder), part)


def test_processes_that_land_parts_leave_one_whole(tmp_path: Path) -> None:
    parts = star(12)
    upsert(LocalStorage(tmp_path / "lake"), SESSIONS, [merged(f"s-{number:02}") for number in range(12)])
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        list(pool.map(land_in_a_process, [tmp_path / "lake"] * len(parts), parts))

    alone = LocalStorage(tmp_path / "alone")
    upsert(alone, SESSIONS, [merged(f"s-{number:02}") for number in range(12)])
    land_all(alone, parts)
    assert state(LocalStorage(tmp_path / "lake")) == state(alone)


@dataclass
class World:
    """Random calls of few sessions in one night, with transfers between them, and how they land."""

    landings: list[Landing]
    links: set[tuple[str, str]] = field(default_factory=set)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    session_ids = [f"s-{number}" for number in range(draw(st.integers(2, 7)))]
    one_of_them = st.sampled_from([*session_ids, "s-9"])
    links: set[tuple[str, str]] = set()
    calls, legs, recordings = [], [], []
    for number in range(draw(st.integers(1, 9))):
        session = draw(st.sampled_from(session_ids))
        start = NOON + timedelta(hours=draw(st.integers(0, 23)))
        target, transferee = draw(st.none() | one_of_them), draw(st.none() | one_of_them)
        row = call(session, start, call_id=f"c-{number}", duration_ms=draw(st.none() | st.integers(0, 10**6)))
        ends = {"transfer_target_session_id": target, "transferee_session_id": transferee}
        where = draw(st.sampled_from(["call", "leg", "both"]))
        calls.append(row | (ends if where != "leg" else {}))
        legs.append(leg(row, **(ends if where != "call" else {})))
        if draw(st.booleans()):
            recordings.append(recording(row, recording_id=f"r-{number}"))
        links |= {pair for pair in ((session, target), (transferee, session)) if None not in pair}  # type: ignore[misc]
    batches = draw(st.lists(st.integers(0, 3), min_size=len(calls), max_size=len(calls)))
    landings = [
        Landing(
            [row for row, of in zip(calls, batches, strict=True) if of == batch],
            [row for row, of in zip(legs, batches, strict=True) if of == batch],
            [row for row in recordings if batches[int(row["recording_id"][2:])] == batch],
        )
        for batch in sorted(set(batches))
    ]
    repeated = draw(st.lists(st.sampled_from(landings), max_size=2))
    return World(draw(st.permutations([*landings, *repeated])), links)


def connected(links: set[tuple[str, str]]) -> list[set[str]]:
    """The components, by putting together what overlaps until nothing does."""
    parts: list[set[str]] = []
    for one, other in links:
        if one != other:
            overlapping = [part for part in parts if part & {one, other}]
            parts = [part for part in parts if part not in overlapping]
            parts.append({one, other}.union(*overlapping))
    return parts


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_any_links_in_any_order_of_landing_give_what_is_connected(world: World) -> None:
    calls = {row["call_id"]: row for landing in world.landings for row in landing.calls}
    held = {row["recording_id"]: row for landing in world.landings for row in landing.recordings}
    with tempfile.TemporaryDirectory() as folder:
        lake = LocalStorage(Path(folder))
        upsert(lake, SESSIONS, [merged(f"s-{number}") for number in range(7)])
        land_all(lake, world.landings)
        found = {row["conversation_id"]: row for row in conversations(lake)}
        assert len(found) == len(conversations(lake))
        names = named(lake)

    parts = {min(part): part for part in connected(world.links)}
    assert {name: set(row["telephony_session_ids"]) for name, row in found.items()} == parts
    for name, row in found.items():
        of_part = sorted(
            (one["start_time"], one["call_id"]) for one in calls.values() if one["telephony_session_id"] in parts[name]
        )
        assert row["call_ids"] == [call_id for _, call_id in of_part]
        assert row["start_time"] == of_part[0][0]
        assert row["recording_ids"] == [
            recording_id
            for _, recording_id in sorted(
                (one["start_time"], one["recording_id"])
                for one in held.values()
                if one["telephony_session_id"] in parts[name]
            )
        ]
        assert {(link["from_session_id"], link["to_session_id"]) for link in row["links"]} == {
            link for link in world.links if set(link) <= parts[name] and link[0] != link[1]
        }
    of_session = {session: name for name, part in parts.items() for session in part}
    assert names == {f"s-{number}": of_session.get(f"s-{number}", f"s-{number}") for number in range(7)}
