from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.ringcentral import CallMix, QuotaLimit, SandboxConfig
from tests.conftest import StartSandbox
from tests.search.archive import (
    ANA,
    CUSTOMER,
    MIDNIGHT,
    NOON,
    Row,
    call,
    empty,
    find,
    leg,
    merged,
    put,
    put_calls,
    put_legs,
    put_recordings,
    put_sessions,
    recording,
)
from voxlake.archive.extract import extract_call_log
from voxlake.archive.land import land_call_log
from voxlake.lake import layout
from voxlake.lake.schemas import CONVERSATIONS
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState
from voxlake.search.conversation import ConversationMissingError, read_conversation
from voxlake.search.facts import Chapter, Conversation, Gap, Missing, Party
from voxlake.search.index import SearchIndex

TOLERANCE = timedelta(minutes=1)
DAY = NOON.date()


def read(index: SearchIndex, session: str = "s-1", day: date | None = DAY, *, numbers: bool = True) -> Conversation:
    return read_conversation(index, "ringcentral", session, day=day, tolerance=TOLERANCE, numbers=numbers)


def test_calls_with_their_legs_in_order(index: SearchIndex) -> None:
    first = call("s-1", reason_description="Answered.")
    second = call("s-1", NOON + timedelta(seconds=70), 1, result="Missed", duration_ms=5_000, deleted=True)
    put_calls(index.storage, second, first, call("s-2"))
    put_legs(index.storage, leg(first, 1, result="Missed"), leg(first, 0), leg(second), leg(call("s-2")))

    found = read(index)

    assert (found.start_time, found.duration_ms, found.day) == (NOON, 75_000, NOON.date())
    assert (found.direction, found.result, found.status, found.audio) == ("Inbound", "Accepted", None, None)
    assert found.caller == Party(CUSTOMER, "Zoë Müller", None, None)
    assert found.called == Party(ANA, "Ana Abel", "101", None)
    assert [(one.call_id, one.result, one.deleted) for one in found.calls] == [
        ("s-1-call-0", "Accepted", False),
        ("s-1-call-1", "Missed", True),
    ]
    assert [(one.leg_index, one.result, one.called.name) for one in found.calls[0].legs] == [
        (0, "Accepted", "Ben Brandt"),
        (1, "Missed", "Ben Brandt"),
    ]
    assert len(found.calls[1].legs) == 1
    assert found.linked == ()


@pytest.mark.parametrize("day", [date(2026, 11, 19), date(2026, 11, 22), None, date(2026, 1, 1)])
def test_it_is_found_whatever_day_the_link_says(index: SearchIndex, day: date | None) -> None:
    put_calls(index.storage, call("s-1"), call("s-1", MIDNIGHT + timedelta(minutes=5), 1))
    put_recordings(index.storage, recording("s-1", "r1", MIDNIGHT + timedelta(minutes=5)))

    found = read(index, day=day)

    assert (len(found.calls), len(found.recordings), found.day) == (2, 1, date(2026, 11, 20))


@pytest.mark.parametrize("session", ["s-2", "../../etc/passwd", "", "s-1'--", "s" * 200, "%"])
def test_what_is_not_there(index: SearchIndex, session: str) -> None:
    put_calls(index.storage, call("s-1"))

    with pytest.raises(ConversationMissingError):
        read(index, session)
    with pytest.raises(ConversationMissingError):
        read_conversation(index, "sinch", "s-1", day=NOON.date(), tolerance=TOLERANCE, numbers=True)


def test_chapters_in_real_time_and_the_gap_between_them(index: SearchIndex) -> None:
    later = NOON + timedelta(minutes=3)
    first, second = call("s-1", recording_id="r1"), call("s-1", later, 1, recording_id="r2")
    put_calls(index.storage, first, second)
    put_recordings(index.storage, recording("s-1", "r1"), recording("s-1", "r2", later, call_id="s-1-call-1"))
    put_sessions(index.storage, merged("s-1", "r1", "r2", peaks_path="p.json"))

    audio = read(index).audio

    assert audio is not None
    assert audio.chapters == (
        Chapter("r1", 0, 60_000, NOON, CUSTOMER, "Ana Abel"),
        Chapter("r2", 60_000, 120_000, later, CUSTOMER, "Ana Abel"),
    )
    assert audio.gaps == (Gap(at_ms=60_000, duration_ms=120_000, in_file=False),)
    assert (audio.duration_ms, audio.peaks_path) == (120_000, "p.json")
    assert audio.audio_path == layout.session_audio("s-1", NOON.date(), "audio/mpeg")


def test_silence_in_the_file_is_a_gap_too(index: SearchIndex) -> None:
    chapters = [
        {"recording_id": "r1", "start_ms": 0, "end_ms": 60_000},
        {"recording_id": "r2", "start_ms": 90_000, "end_ms": 150_000},
    ]
    put_recordings(index.storage, recording("s-1", "r1"), recording("s-1", "r2"))
    put_sessions(index.storage, merged("s-1", "r1", "r2", chapters=chapters))

    audio = read(index).audio

    assert audio is not None
    assert audio.gaps == (Gap(at_ms=60_000, duration_ms=30_000, in_file=True),)


def test_what_is_missing_is_said_in_words(index: SearchIndex) -> None:
    put_calls(index.storage, call("s-1"))
    put_recordings(
        index.storage,
        recording("s-1", "r1", defect="truncated"),
        recording("s-1", "r2", status="unavailable", unavailable_reason="damaged", error="no MP3 frame in 12 bytes"),
        recording("s-1", "r3", status="pending"),
    )
    noted = [
        {"recording_id": "r1", "reason": "damaged", "detail": "3 frames"},
        {"recording_id": "r2", "reason": "damaged", "detail": "no MP3 frame in 12 bytes"},
    ]
    put_sessions(index.storage, merged("s-1", "r1", status="partial", missing=noted))

    found = read(index)

    assert found.status == "partial"
    assert found.missing == (
        Missing("r1", "damaged", "Parts of it are damaged and cannot be heard.", "3 frames"),
        Missing(
            "r2",
            "damaged",
            "What the provider has of it cannot be played; the archive keeps it as it is.",
            "no MP3 frame in 12 bytes",
        ),
        # Became known after the merge.
        Missing("r3", "pending", "It has not been downloaded yet; a later run does it.", None),
    )
    assert [one.why for one in found.recordings] == [
        "It ends too early: the end of its file is missing.",
        "What the provider has of it cannot be played; the archive keeps it as it is.",
        "It has not been downloaded yet; a later run does it.",
    ]


def test_without_a_merged_file_what_is_not_held_is_missing(index: SearchIndex) -> None:
    put_recordings(
        index.storage,
        recording("s-1", "r1"),
        recording("s-1", "r2", status="unavailable", unavailable_reason="expired"),
    )

    found = read(index)

    assert (found.status, found.audio) == ("pending", None)
    assert [(one.recording_id, one.reason) for one in found.missing] == [("r2", "expired")]


def test_the_sessions_of_a_transfer(index: SearchIndex) -> None:
    put_calls(index.storage, call("s-2", MIDNIGHT + timedelta(minutes=5)))
    sessions = [
        {"telephony_session_id": "s-1", "start_time": NOON, "end_time": MIDNIGHT, "from_phone_number": CUSTOMER},
        {"telephony_session_id": "s-2", "start_time": MIDNIGHT, "end_time": MIDNIGHT, "to_name": "Ana Abel"},
        {"telephony_session_id": "s-3"},
    ]
    row: Row = {
        "provider": "ringcentral",
        "account_id": "37439510",
        "conversation_id": "s-1",
        "start_time": NOON,
        "telephony_session_ids": ["s-1", "s-2", "s-3"],
        "sessions": sessions,
        "links": [
            {"from_session_id": "s-1", "to_session_id": "s-2"},
            {"from_session_id": "s-1", "to_session_id": "s-3"},
        ],
    }
    put(index.storage, CONVERSATIONS, row, row | {"conversation_id": "s-8", "telephony_session_ids": ["s-8", "s-9"]})

    linked = read(index, "s-2", numbers=False).linked

    assert [(one.telephony_session_id, one.day, one.transferred_to) for one in linked] == [
        ("s-1", date(2026, 11, 20), ("s-2", "s-3")),
        ("s-2", date(2026, 11, 21), ()),
        ("s-3", None, ()),
    ]
    assert (linked[0].caller.phone_number, linked[1].called.name) == ("+4420•••••18", "Ana Abel")


def test_no_number_is_left_for_those_who_may_not_see_them(index: SearchIndex) -> None:
    record = call("s-1", from_name=CUSTOMER, delegate_name=CUSTOMER)
    put_calls(index.storage, record)
    put_legs(index.storage, leg(record, from_name=CUSTOMER))
    put_recordings(index.storage, recording("s-1", "r1"))
    put_sessions(index.storage, merged("s-1", "r1"))

    shown = repr(read(index, numbers=False))

    assert "+4420•••••18" in shown
    for number in (CUSTOMER, ANA, "+16505550102"):
        assert number[1:] not in shown
        assert number[1:] in repr(read(index))


_STATUS = st.sampled_from(["pending", "failed", "unavailable", "downloaded"])


@st.composite
def _conversations(draw: st.DrawFn) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
    """Calls, legs, recordings and a merged file of one session within two days of each other; any may be missing."""
    starts = st.integers(-600, 600).map(lambda minutes: MIDNIGHT + timedelta(minutes=minutes))
    calls = [
        call("s-1", draw(starts), number, duration_ms=draw(st.sampled_from([None, 0, 90_000])))
        for number in range(draw(st.integers(0, 3)))
    ]
    legs = [leg(one, index) for one in calls for index in range(draw(st.integers(0, 2)))]
    recordings = [
        recording("s-1", f"r{number}", draw(starts), status=draw(_STATUS)) for number in range(draw(st.integers(0, 3)))
    ]
    held = [row["recording_id"] for row in recordings if row["status"] == "downloaded"]
    sessions = []
    if held and draw(st.booleans()):
        status = draw(st.sampled_from(["complete", "partial"]))
        some = draw(st.lists(st.sampled_from(held), min_size=1, unique=True))
        sessions.append(merged("s-1", *some, start=draw(starts), status=status))
    return calls, legs, recordings, sessions


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_conversations())
def test_a_conversation_says_what_the_search_says(
    local_index: SearchIndex, rows: tuple[list[Row], list[Row], list[Row], list[Row]]
) -> None:
    empty(local_index.storage)
    for put_rows, some in zip((put_calls, put_legs, put_recordings, put_sessions), rows, strict=True):
        put_rows(local_index.storage, *some)
    found = find(local_index, since="2026-11-01", to="2026-11-30").conversations
    if not any(rows):
        assert found == ()
        return
    (row,) = found
    whole = read(local_index, day=row.day)

    for name in (
        "provider",
        "telephony_session_id",
        "day",
        "start_time",
        "duration_ms",
        "direction",
        "result",
        "status",
    ):
        assert getattr(whole, name) == getattr(row, name), name
    assert (whole.caller.phone_number, whole.called.name) == (row.from_phone_number, row.to_name)
    assert (len(whole.calls), len(whole.recordings)) == (row.calls, row.recordings)
    assert sum(len(one.legs) for one in whole.calls) == row.legs
    assert (whole.audio is not None) == row.has_audio


def test_a_call_log_that_was_read_and_landed(index: SearchIndex, start_sandbox: StartSandbox, tmp_path: Path) -> None:
    end = datetime.fromisoformat("2026-11-21T00:00:00+00:00")
    mix = CallMix(calls_per_day=12, recorded_share=1, transferred_share=0.5)
    quotas = {"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)}
    sandbox = start_sandbox(SandboxConfig(seed=3, now=end, mix=mix, quotas=quotas, detailed_per_page_cap=4))
    credentials = Credentials(
        sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url
    )
    with RingCentralClient(credentials, SqliteState(tmp_path / "quota")) as client:
        for hours in (24, 12):
            land_call_log(index.storage, extract_call_log(client, index.storage, end - timedelta(hours=hours), end))
    truth = sandbox.truth(end - timedelta(hours=24), end)
    assert find(index, to="2026-11-21").total == len({record.telephony_session_id for record in truth.calls})
    assert truth.sessions

    for session in truth.sessions:
        found = read(index, session.telephony_session_id)
        assert [one.call_id for one in found.calls] == [record.id for record in session.records]
        assert {one.recording_id for one in found.recordings} == {one.id for one in session.recordings}
        for one in found.calls:
            assert one.raw_page is not None
            # The later of the two reads is where the row comes from.
            assert one.raw_page.count("/") == 5
            folder = one.raw_page.rpartition("/")[0]
            assert one.extracted_at == layout.extracted_at(folder)
