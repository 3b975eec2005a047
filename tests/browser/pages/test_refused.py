"""Who may not, does not: in the browser as over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.archived import Archived
from tests.browser.pages.conftest import SignIn
from tests.browser.pages.test_listening import path_of

Watch = Callable[[Page], Page]


def test_a_viewer_is_refused_in_words(sign_in: SignIn, archived: Archived) -> None:
    page = sign_in("viewer")
    for path in ("/voxlake/", path_of(archived.whole), f"{path_of(archived.whole)}/audio", "/voxlake/archive"):
        reply = page.goto(path)
        assert reply is not None
        assert reply.status == 403, path
        expect(page.locator("body")).to_contain_text("This needs the right “Recordings”")


def test_a_listener_sees_no_numbers_and_no_access_log(sign_in: SignIn, watch: Watch, archived: Archived) -> None:
    page = watch(sign_in("user"))
    page.goto("/voxlake/")
    expect(page.get_by_role("link", name="Access log")).to_have_count(0)
    numbers = [text for text in page.locator(".found .number").all_inner_texts() if text.startswith("+")]
    assert numbers
    assert all("•" in number for number in numbers)
    page.goto(path_of(archived.whole))
    assert all("•" in text for text in page.locator(".number").all_inner_texts() if text.startswith("+"))


def test_the_access_log_is_for_administrators(sign_in: SignIn) -> None:
    page = sign_in("op")
    reply = page.goto("/voxlake/access-log")
    assert reply is not None
    assert reply.status == 403
    expect(page.locator("body")).to_contain_text("Recordings Access Log")
