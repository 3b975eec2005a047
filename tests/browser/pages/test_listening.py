"""What a supervisor does all day: log in, find, hear, jump, save; and what an administrator sees of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Frame, Page, expect

from tests.browser.archived import Archived
from tests.browser.pages.conftest import SignIn, recordings
from voxlake.lake import tables
from voxlake.lake.schemas import SESSIONS

Watch = Callable[[Page], Page]


def path_of(session: Any) -> str:
    return f"/voxlake/conversations/ringcentral/{session.telephony_session_id}"


def row_of(archived: Archived, session: Any) -> dict[str, Any]:
    days = [session.start_time.date()]
    rows: list[dict[str, Any]] = tables.read(archived.lake, SESSIONS, days).to_pylist()
    return next(row for row in rows if row["telephony_session_id"] == session.telephony_session_id)


def await_place(page: Page | Frame, condition: str, argument: float) -> None:
    """Waits until the place `at` in the conversation is as a condition in JavaScript says; `place` is the argument."""
    page.wait_for_function(
        f"place => {{ const at = document.getElementById('audio').currentTime; return {condition}; }}", arg=argument
    )


def test_find_open_hear_jump_save_and_be_on_record(sign_in: SignIn, watch: Watch, archived: Archived) -> None:
    page = watch(sign_in("user"))
    frame = recordings(page)
    whole, stored = archived.whole, row_of(archived, archived.whole)

    frame.get_by_label("Recorded", exact=True).select_option("yes")
    frame.get_by_label("From day").fill(str(whole.start_time.date()))
    frame.get_by_role("button", name="Search").click()
    frame.wait_for_url("**recorded=yes**")
    # What was left empty is not in the address, and the address around the frame is the same search.
    assert "number=" not in frame.url
    page.wait_for_url("**/plugin/recordings/voxlake/?*recorded=yes*")
    frame.locator(f'a[href*="{whole.telephony_session_id}"]').click()

    frame.locator("#wave canvas").first.wait_for(state="attached")
    audio = frame.locator("#audio")
    assert audio.evaluate("audio => audio.readyState") == 0, "audio was fetched, though nobody has played it"
    frame.get_by_role("button", name="Play", exact=True).click()
    await_place(frame, "at > place", 0.5)
    first = audio.evaluate("audio => audio.currentTime")
    await_place(frame, "at > place + 0.5", first)

    chapter = stored["chapters"][2]
    frame.locator("#chapters .jump").nth(2).click()
    await_place(frame, "at > place && at < place + 5", chapter["start_ms"] / 1000)
    expect(frame.locator("#chapters > li[aria-current]")).to_have_attribute("data-number", "3")

    frame.get_by_label("Speed").select_option("2")
    assert audio.evaluate("audio => audio.playbackRate") == 2
    frame.get_by_role("button", name="Pause", exact=True).click()
    assert audio.evaluate("audio => audio.paused")

    box = frame.locator("#wave").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    await_place(frame, "Math.abs(at - place) < 1", stored["duration_ms"] / 4000)

    with page.expect_download() as saved:
        frame.locator("#controls").get_by_role("link", name="Download").click()
    assert saved.value.path().read_bytes() == archived.lake.read(stored["audio_path"]).data
    assert saved.value.suggested_filename.endswith(".mp3")

    frame.locator("#chapters summary").first.click()
    original = frame.locator("#chapters audio").first
    original.evaluate("audio => audio.play()")
    frame.wait_for_function("() => document.querySelector('#chapters audio').currentTime > 0.2")

    admin = watch(sign_in("admin"))
    admin.goto("/voxlake/access-log")
    rows = admin.locator(".accesses tbody tr").all_inner_texts()
    mine = [text.split("\t") for text in rows if whole.telephony_session_id in text]
    assert sorted(cells[2].strip() for cells in mine) == ["Download", "Play", "Play"]
    assert {(cells[1].strip(), cells[4].strip()) for cells in mine} == {("user", "127.0.0.1")}


@pytest.mark.parametrize("role", ["user", "op"])
def test_an_export_has_what_was_found_as_its_reader_may_see_it(sign_in: SignIn, watch: Watch, role: str) -> None:
    page = watch(sign_in(role))
    page.goto("/voxlake/")
    found = int(page.locator("#found b").first.inner_text())
    with page.expect_download() as as_csv:
        page.get_by_role("link", name="CSV").click()
    with page.expect_download() as as_parquet:
        page.get_by_role("link", name="Parquet").click()
    lines = list(csv.DictReader(io.StringIO(as_csv.value.path().read_text(encoding="utf-8-sig"))))
    table = pq.read_table(as_parquet.value.path())
    assert len(lines) == table.num_rows == found
    numbers = [line["from_phone_number"] for line in lines if line["from_phone_number"].startswith("+")]
    assert all(("•" in number) == (role == "user") for number in numbers)
    assert numbers


def test_a_partial_conversation_says_what_is_missing_and_why(sign_in: SignIn, watch: Watch, archived: Archived) -> None:
    page = watch(sign_in("user"))
    page.goto(path_of(archived.partial))
    notice = page.locator(".notice")
    expect(notice).to_contain_text("Something is missing in what you hear")
    expect(notice).to_contain_text(archived.partial.recordings[0].id)
    expect(notice).to_contain_text("The provider names it, but does not have it.")


def test_times_are_in_the_zone_of_the_reader_and_say_utc(sign_in: SignIn, watch: Watch, archived: Archived) -> None:
    page = watch(sign_in("user", timezone_id="Asia/Tokyo"))
    page.goto(path_of(archived.whole))
    time = page.locator(".summary time").first
    start = archived.whole.start_time
    expect(time).to_have_attribute("title", f"{start:%Y-%m-%d %H:%M:%S} UTC")
    shown = page.evaluate(
        "time => new Date(time).toLocaleString('sv-SE', {timeZone: 'Asia/Tokyo'}).slice(0, 16)", start.isoformat()
    )
    expect(time).to_have_text(shown)
    page.goto("/voxlake/")
    expect(page.locator("#zone")).to_have_text("Asia/Tokyo")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**tz=Asia%2FTokyo**")


def test_without_script_there_is_the_browsers_own_player(sign_in: SignIn, archived: Archived) -> None:
    page = sign_in("user", java_script_enabled=False)
    page.goto(path_of(archived.whole))
    audio = page.locator("#audio")
    expect(audio).to_have_js_property("controls", True)
    expect(page.locator("#controls")).to_be_hidden()
    expect(page.locator(".summary time").first).to_contain_text("UTC")


def test_without_the_waveform_all_else_works(sign_in: SignIn, archived: Archived) -> None:
    page = sign_in("user")
    page.route("**/peaks?*", lambda route: route.fulfill(status=500))
    page.goto(path_of(archived.whole))
    expect(page.locator("#said")).to_contain_text("Without a waveform")
    page.locator("#chapters .jump").nth(1).click()
    await_place(page, "at > place", row_of(archived, archived.whole)["chapters"][1]["start_ms"] / 1000)
