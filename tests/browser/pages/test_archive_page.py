"""Whether all is well, and what is done about it: the archive page in a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.archived import Archived
from tests.browser.pages.conftest import SignIn, recordings
from tests.web.airflow_servers import Server

Watch = Callable[[Page], Page]


@pytest.fixture(scope="module")
def dags(airflow: Server) -> None:
    airflow.airflow.cli("dags", "reserialize")


def test_it_says_first_that_something_is_wrong(sign_in: SignIn, watch: Watch, archived: Archived) -> None:
    page = watch(sign_in("user"))
    page.goto("/voxlake/archive")
    verdict = page.locator(".verdict")
    expect(verdict).to_have_attribute("data-level", "failed")
    expect(verdict).to_contain_text("could not be downloaded")
    failed = page.locator(f'.calendar a[href*="from={archived.failed.start_time.date()}"]')
    expect(failed.locator("..")).to_have_attribute("data-state", "failed")
    failed.click()
    expect(page.locator(f'a[href*="{archived.failed.telephony_session_id}"]')).to_be_visible()


def test_the_button_starts_a_run_for_what_failed(
    sign_in: SignIn, watch: Watch, archived: Archived, airflow: Server, dags: None
) -> None:
    page = watch(sign_in("user"))
    frame = recordings(page)
    frame.get_by_role("link", name="Archive").click()
    frame.get_by_role("button", name="again").first.click()
    expect(frame.locator(".said").first).to_contain_text("A run has been started.")
    (run,) = airflow.get("/api/v2/dags/ringcentral_recordings/dagRuns", "admin").json()["dag_runs"]
    assert archived.failed.telephony_session_id in run["conf"]["telephony_session_ids"]
    assert run["triggering_user_name"] == "user"
    # Out of the frame, into Airflow.
    frame.get_by_role("link", name="See the run").click()
    page.wait_for_url("**/dags/ringcentral_recordings/runs/manual__**")


def test_the_button_says_who_may_not_start_runs(sign_in: SignIn) -> None:
    page = sign_in("user")
    # With the SimpleAuthManager, whoever may open this page may also start runs.
    page.route("**/dagRuns", lambda route: route.fulfill(status=403, json={"detail": "Forbidden"}))
    page.goto("/voxlake/archive")
    page.get_by_role("button", name="again").first.click()
    expect(page.locator(".said").first).to_contain_text("You may not start runs of this DAG.")


def test_a_conversation_leads_to_the_task_that_merged_it(sign_in: SignIn, watch: Watch, archived: Archived) -> None:
    page = watch(sign_in("user"))
    frame = recordings(page)
    frame.locator(f'a[href*="{archived.whole.telephony_session_id}"]').click()
    frame.get_by_role("link", name="session.merge").click()
    page.wait_for_url("**/dags/ringcentral_recordings/runs/*/tasks/session.merge/mapped/*")
