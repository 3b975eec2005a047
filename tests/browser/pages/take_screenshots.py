"""Takes the pictures of docs/images/ anew: `make screenshots`. Not one of the tests, as no two days give the same."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser.archived import archive_days
from tests.browser.pages.conftest import log_in, recordings
from tests.web.airflow_servers import simple_server

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
_SIZE = {"width": 1280, "height": 860}


def test_take(chromium: Browser, tmp_path: Path) -> None:
    IMAGES.mkdir(exist_ok=True)
    archived = archive_days(tmp_path, days=30, hostile=False)
    environment = {"VOXLAKE_LAKE_URL": str(tmp_path / "lake"), "VOXLAKE_STATE_DIR": str(tmp_path / "state")}
    with simple_server(tmp_path / "home", environment) as airflow:
        for mode in ("light", "dark"):
            context = chromium.new_context(
                base_url=airflow.url, color_scheme=mode, viewport=_SIZE, timezone_id="America/New_York"
            )
            log_in(context, "op")
            page = context.new_page()
            frame = recordings(page)
            _take(page, f"recordings-search-{mode}")
            frame.locator(f'a[href*="{archived.whole.telephony_session_id}"]').click()
            frame.locator("#wave canvas").first.wait_for(state="attached")
            frame.locator("#chapters .jump").nth(2).click()
            frame.wait_for_function("() => document.getElementById('audio').currentTime > 3")
            frame.get_by_role("button", name="Pause", exact=True).click()
            _take(page, f"recordings-conversation-{mode}")
            frame.get_by_role("link", name="Archive").click()
            frame.locator(".calendar").wait_for()
            _take(page, f"recordings-archive-{mode}")
            context.close()


def _take(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / f"{name}.png")
