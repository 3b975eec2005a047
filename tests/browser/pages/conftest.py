"""A real Airflow over an archived lake, and people who log in to it with Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page

from tests.browser.archived import Archived, archive_days
from tests.web.airflow_servers import PASSWORD, Server, simple_server

SignIn = Callable[..., Page]
GetBrowser = Callable[..., BrowserContext]

# Nothing here takes as long on a machine with nothing else to do.
_PATIENCE_MS = 60_000


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archived")


@pytest.fixture(scope="session")
def archiving(folder: Path) -> Iterator[Future[Archived]]:
    """The lake is made while Airflow starts."""
    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(archive_days, folder, days=5)


@pytest.fixture(scope="session")
def airflow(archiving: Future[Archived], folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An API server with a user of each of the SimpleAuthManager's roles, who is called as the role is."""
    environment = {"VOXLAKE_LAKE_URL": str(folder / "lake"), "VOXLAKE_STATE_DIR": str(folder / "state")}
    with simple_server(tmp_path_factory.mktemp("airflow") / "home", environment) as server:
        yield server


@pytest.fixture(scope="session")
def archived(archiving: Future[Archived], airflow: Server) -> Archived:
    return archiving.result()


@pytest.fixture(scope="session")
def browsers(airflow: Server, chromium: Browser) -> Iterator[GetBrowser]:
    """Browsers in which somebody has logged in through Airflow's own login page, once a role."""
    made: dict[tuple[Any, ...], BrowserContext] = {}

    def browser_of(role: str, **options: Any) -> BrowserContext:
        key = (role, *sorted(options.items()))
        if key not in made:
            state = browser_of(role).storage_state() if options else None
            made[key] = chromium.new_context(base_url=airflow.url, storage_state=state, **options)
            made[key].set_default_timeout(_PATIENCE_MS)
            if not options:
                _log_in(made[key], role)
        return made[key]

    yield browser_of
    for context in made.values():
        context.close()


@pytest.fixture
def sign_in(browsers: GetBrowser) -> Iterator[SignIn]:
    """Makes a page of somebody of a role; options are those of playwright's `new_context`, each of one value."""
    pages: list[Page] = []

    def sign_in_as(role: str, **options: Any) -> Page:
        pages.append(browsers(role, **options).new_page())
        return pages[-1]

    yield sign_in_as
    for page in pages:
        page.close()


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


def _log_in(context: BrowserContext, role: str) -> None:
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill(role)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Dags").wait_for()
    page.close()
