"""Text of callers and of addresses is text, on every page."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browser.archived import HOSTILE, HOSTILE_ID, HOSTILE_NUMBER
from tests.browser.pages.conftest import SignIn

Watch = Callable[[Page], Page]

PAGES = {
    "search": "/voxlake/",
    "conversation": f"/voxlake/conversations/ringcentral/{HOSTILE_ID}",
    "archive": "/voxlake/archive",
}
FIELDS = ("number", "name", "extension", "direction", "result", "status", "from", "tz", "sort", "page", "min_seconds")


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_what_a_caller_says_is_shown_and_not_done(sign_in: SignIn, watch: Watch, path: str) -> None:
    page = watch(sign_in("admin"))
    page.goto(path)
    for details in page.locator("details").all():
        details.evaluate("details => { details.open = true; }")
    expect(page.locator("main")).to_contain_text(HOSTILE)
    assert page.locator("main :is(script, img, svg)").count() == 0
    page.wait_for_load_state("networkidle")
    assert page.title() != "taken"


@pytest.mark.parametrize("field", FIELDS)
def test_what_an_address_says_is_not_done(sign_in: SignIn, field: str) -> None:
    page = sign_in("admin")
    for hostile in (HOSTILE, HOSTILE_NUMBER, "javascript:document.title='taken'"):
        reply = page.goto(f"/voxlake/?{urlencode({field: hostile})}")
        assert reply is not None
        assert reply.status in (200, 422)
        assert page.locator("main :is(script, img, svg)").count() == 0
        assert page.title() == "Conversations · Recordings"


def test_an_address_that_is_no_conversation_is_none(sign_in: SignIn) -> None:
    page = sign_in("admin")
    for identifier in ("../../etc/passwd", "s-none", HOSTILE[:100], "..%2f..%2fairflow.db"):
        reply = page.goto(f"/voxlake/conversations/ringcentral/{quote(identifier, safe='')}")
        assert reply is not None
        assert reply.status in (404, 422), identifier
        assert page.title() != "taken"


def test_an_export_on_record_is_text_too(sign_in: SignIn, watch: Watch) -> None:
    page = watch(sign_in("admin"))
    page.goto("/voxlake/")
    assert page.evaluate(
        "query => fetch(query).then(reply => reply.ok)", f"export.csv?{urlencode({'name': HOSTILE[:90]})}"
    )
    page.goto("/voxlake/access-log")
    expect(page.locator(".accesses")).to_contain_text(HOSTILE[:90])
    assert page.locator("main :is(script, img, svg)").count() == 0
    assert page.title() == "Access log · Recordings"
