"""Takes the pictures of docs/images/ anew: `make screenshots`. Not one of the tests, as no two days give the same."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Frame, Page, ViewportSize

from tests.browser.archived import Archived, archive_days
from tests.browser.pages.conftest import log_in, recordings
from tests.web.airflow_servers import simple_server

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
_SIZE: ViewportSize = {"width": 1280, "height": 860}


def test_take(chromium: Browser, tmp_path: Path) -> None:
    IMAGES.mkdir(exist_ok=True)
    archived = archive_days(tmp_path, days=30, hostile=False)
    environment = {"VOXLAKE_LAKE_URL": str(tmp_path / "lake"), "VOXLAKE_STATE_DIR": str(tmp_path / "state")}
    with simple_server(tmp_path / "home", environment) as airflow:
        light = _logged_in(chromium, airflow.url, "light")
        frame = recordings(light)
        _take(light, "recordings-search")
        _open(frame, archived)
        _take(light, "recordings-conversation")
        frame.get_by_role("link", name="Archive").click()
        frame.locator(".calendar").wait_for()
        _take(light, "recordings-archive")
        dark = _logged_in(chromium, airflow.url, "dark")
        _open(recordings(dark), archived)
        _take(dark, "recordings-conversation-dark")
        for page in (light, dark):
            page.context.close()


def _logged_in(chromium: Browser, url: str, mode: Literal["light", "dark"]) -> Page:
    context = chromium.new_context(base_url=url, color_scheme=mode, viewport=_SIZE, timezone_id="America/New_York")
    page = context.new_page()
    log_in(page, "op")
    return page


def _open(frame: Frame, archived: Archived) -> None:
    """Opens a conversation, and hears a little of its third chapter."""
    frame.locator(f'a[href*="{archived.whole.telephony_session_id}"]').click()
    frame.locator("#wave canvas").first.wait_for(state="attached")
    frame.locator("#chapters .jump").nth(2).click()
    frame.wait_for_function("() => document.getElementById('audio').currentTime > 3")
    frame.get_by_role("button", name="Pause", exact=True).click()


def _take(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / f"{name}.png")
