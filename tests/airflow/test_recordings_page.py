"""Where Airflow's UI is led to: the entry in its navigation, and the link of a merge."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from voxlake.airflow.recordings_page import link_to_sessions, navigation_entry

PROJECT = Path(__file__).resolve().parents[2]


def session(identifier: str, *days: str) -> dict[str, Any]:
    return {"telephony_session_id": identifier, "days": list(days), "recording_ids": []}


def test_one_session_leads_to_its_conversation() -> None:
    link = link_to_sessions([session("s-1", "2026-03-05", "2026-03-04")])
    assert link == "plugin/recordings/voxlake/conversations/ringcentral/s-1?day=2026-03-04"


def test_several_lead_to_the_search_of_their_days() -> None:
    link = link_to_sessions([session("s-1", "2026-03-05"), session("s-2", "2026-03-04", "2026-03-05")])
    assert urlsplit(link).path == "plugin/recordings/voxlake/"
    assert parse_qs(urlsplit(link).query) == {"from": ["2026-03-04"], "to": ["2026-03-05"], "recorded": ["yes"]}


def test_none_leads_nowhere() -> None:
    assert link_to_sessions([]) == ""


@pytest.mark.parametrize(
    ("base_url", "root"),
    [
        ("", ""),
        ("https://a.example", ""),
        ("https://a.example/airflow/", "/airflow"),
        ("https://a.example/x/y", "/x/y"),
    ],
)
def test_a_path_that_airflow_lies_below_comes_first(monkeypatch: pytest.MonkeyPatch, base_url: str, root: str) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert navigation_entry()["href"] == f"{root}/voxlake/"
    assert link_to_sessions([session("s-1", "2026-03-04")]).startswith(
        f"plugin/recordings{root}/voxlake/conversations/"
    )


def test_the_entry_opens_in_airflows_ui_and_brings_its_own_icons() -> None:
    entry = navigation_entry()
    assert (entry["name"], entry["destination"], entry["url_route"]) == ("Recordings", "nav", "recordings")
    assert entry["icon"].startswith("data:image/svg+xml,")
    assert entry["icon"] != entry["icon_dark_mode"]


def test_no_process_but_the_api_server_builds_the_page() -> None:
    program = (
        "import sys, airflow.plugins_manager as manager\n"
        "manager.ensure_plugins_loaded()\n"
        "manager.get_priority_weight_strategy_plugins()\n"
        "manager.integrate_macros_plugins()\n"
        "early = [name for name in sys.modules if name.startswith('voxlake.web')] + ['duckdb' in sys.modules]\n"
        "apps, _ = manager.get_fastapi_plugins()\n"
        "built = [(app['url_prefix'], type(app['app']).__name__) for app in apps]\n"
        "print(early, built, manager.get_import_errors())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ("[False] [('/voxlake', 'FastAPI'), ('/voxlake-webhooks', 'FastAPI')] {}")
