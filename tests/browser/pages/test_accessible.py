"""For everybody: axe, a phone's width, the keyboard alone, light and dark as Airflow has it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.archived import HOSTILE_ID, Archived
from tests.browser.pages.conftest import SignIn, recordings
from tests.browser.pages.test_listening import await_place, path_of, row_of

Watch = Callable[[Page], Page]

PAGES = {
    "search": "/voxlake/",
    "search that cannot be made": "/voxlake/?number=abc",
    "nothing found": "/voxlake/?name=nobody-is-called-so",
    "conversation": "",
    "hostile": f"/voxlake/conversations/ringcentral/{HOSTILE_ID}",
    "archive": "/voxlake/archive",
    "access log": "/voxlake/access-log",
}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_finds_nothing_serious(sign_in: SignIn, archived: Archived, mode: str) -> None:
    # Not watched: axe itself tries a style that the policy forbids.
    page = sign_in("admin", color_scheme=mode)
    found = []
    for name, path in PAGES.items():
        page.goto(path or path_of(archived.whole))
        expect(page.locator("html")).to_have_attribute("data-theme", mode)
        for details in page.locator("details").all():
            details.evaluate("details => { details.open = true; }")
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                found += [f"{name}: {violation['id']}: {node['html'][:200]}" for node in violation["nodes"]]
    assert found == []


def test_a_phone_shows_all_without_scrolling_sideways(sign_in: SignIn, archived: Archived) -> None:
    page = sign_in("admin")
    page.set_viewport_size({"width": 360, "height": 740})
    wide = {}
    for name, path in PAGES.items():
        page.goto(path or path_of(archived.whole))
        for details in page.locator("details").all():
            details.evaluate("details => { details.open = true; }")
        wide[name] = page.evaluate("document.documentElement.scrollWidth")
    assert {name: width for name, width in wide.items() if width > 360} == {}


def test_the_keyboard_alone_is_enough(sign_in: SignIn, watch: Watch, archived: Archived) -> None:
    page = watch(sign_in("user"))
    page.goto("/voxlake/")
    _tab_to(page, "#name")
    page.keyboard.type("wireless")
    page.keyboard.press("Enter")
    page.wait_for_url("**name=wireless**")
    _tab_to(page, ".found tbody a")
    page.keyboard.press("Enter")
    page.locator("h1 .party").first.wait_for()

    page.goto(path_of(archived.whole))
    starts = [chapter["start_ms"] / 1000 for chapter in row_of(archived, archived.whole)["chapters"]]
    page.locator("#keys").wait_for()
    page.keyboard.press("Space")
    await_place(page, "at > place", 0.3)
    page.keyboard.press("k")
    await_place(page, "at > place", starts[1])
    page.keyboard.press("ArrowRight")
    await_place(page, "at > place + 5", starts[1])
    page.keyboard.press("Space")
    assert page.locator("#audio").evaluate("audio => audio.paused")
    page.keyboard.press("j")
    await_place(page, "at >= place && at < place + 4", starts[1])
    page.keyboard.press("Space")
    page.keyboard.press(".")
    expect(page.locator("#speed")).to_have_value("1.25")
    # The slider and the chapters are reached by Tab, and work there as everywhere.
    _tab_to(page, "#seek")
    page.keyboard.press("Home")
    await_place(page, "at === place", 0)
    _tab_to(page, '#chapters li[data-number="2"] .jump')
    page.keyboard.press("Enter")
    await_place(page, "at >= place", starts[1])


def test_the_page_is_light_or_dark_with_airflow_around_it(sign_in: SignIn, watch: Watch) -> None:
    page = watch(sign_in("user", color_scheme="light"))
    frame = recordings(page)
    expect(frame.locator("html")).to_have_attribute("data-theme", "light")
    # As Airflow's own switch does it.
    page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab")
