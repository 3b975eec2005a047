"""A real Airflow over an archived lake, and people who log in to it with Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page

from tests.browser.archived import Archived, archive_days
from tests.web.airflow_servers import PASSWORD, Server, simple_server

SignIn = Callable[..., Page]

# Nothing here takes as long on a machine with nothing else to do.
_PATIENCE_MS = 60_000


@pytest.fixture(scope="session")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Archived:
    return archive_days(tmp_path_factory.mktemp("archived"), days=5)


@pytest.fixture(scope="session")
def airflow(archived: Archived, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An API server with a user of each of the SimpleAuthManager's roles, who is called as the role is."""
    folder = archived.folder
    environment = {"VOXLAKE_LAKE_URL": str(folder / "lake"), "VOXLAKE_STATE_DIR": str(folder / "state")}
    with simple_server(tmp_path_factory.mktemp("airflow") / "home", environment) as server:
        yield server


@pytest.fixture(scope="session")
def sign_in(airflow: Server, chromium: Browser) -> Iterator[SignIn]:
    """Makes a page of a browser in which somebody has logged in through Airflow's own login page, once a role."""
    logged_in: dict[str, Any] = {}
    contexts: list[BrowserContext] = []

    def sign_in_as(role: str, **options: Any) -> Page:
        context = chromium.new_context(base_url=airflow.url, storage_state=logged_in.get(role), **options)
        contexts.append(context)
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        if role not in logged_in:
            page.goto("/")
            page.get_by_label("Username").fill(role)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.get_by_role("link", name="Recordings").or_(page.get_by_role("link", name="Dags")).first.wait_for()
            logged_in[role] = context.storage_state()
        return page

    yield sign_in_as
    for context in contexts:
        context.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the consoles of watched pages said that they should not; nothing is left in it at the end of a test."""
    return []


@pytest.fixture
def watch(complaints: list[str]) -> Iterator[Callable[[Page], Page]]:
    """Watches a page: an error of a script, or a thing that the policy of the page forbids, fails the test."""

    def watched(page: Page) -> Page:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        return page

    yield watched
    assert complaints == []


def recordings(page: Page) -> Frame:
    """The Recordings page in Airflow's frame, reached through Airflow's navigation."""
    page.goto("/")
    page.get_by_role("link", name="Recordings").click()
    element = page.locator('iframe[title="Recordings"]').element_handle()
    frame = element.content_frame()
    assert frame is not None
    frame.get_by_role("heading", name="Conversations", exact=True).wait_for()
    return frame

