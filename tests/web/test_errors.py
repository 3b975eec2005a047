"""What is said when something is wrong, and the headers that every response has."""

from __future__ import annotations

import re

import pytest
from fastapi import APIRouter

from tests.web.conftest import AUDIO, CONVERSATION, Serve, Site, token
from voxlake.lake.local import LocalStorage
from voxlake.web import pages

HTML = {"Accept": "text/html,application/xhtml+xml"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def faulty(archive: LocalStorage, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The app with a page that breaks."""

    def breaks() -> None:
        raise RuntimeError(f"a secret {HOSTILE}")

    router = APIRouter()
    router.add_api_route("/breaks", breaks)
    monkeypatch.setattr(pages, "ROUTERS", (router,))
    return serve(archive)


CASES = [
    ("/voxlake/nothing", None, 401),
    ("/voxlake/nothing", "viewer", 403),
    (f"/voxlake/{HOSTILE}", "admin", 404),
    (f"{AUDIO}?day={HOSTILE}", "admin", 422),
    ("/voxlake/breaks", "admin", 500),
    (AUDIO, "admin", 200),
    (f"{CONVERSATION}/peaks", "admin", 200),
]


@pytest.mark.parametrize(("path", "role", "status"), CASES)
def test_every_response_is_secured(faulty: Site, path: str, role: str | None, status: int) -> None:
    for accept in ("*/*", "text/html"):
        reply = faulty.get(path, role, headers={"Accept": accept})
        assert reply.status_code == status
        policy = dict(part.strip().split(" ", 1) for part in reply.headers["Content-Security-Policy"].split(";"))
        nonce = policy.pop("style-src").removeprefix("'self' ")
        assert re.fullmatch(r"'nonce-[\w-]{22}'", nonce)
        assert policy.pop("default-src") == policy.pop("base-uri") == "'none'"
        assert set(policy.values()) == {"'self'"}
        assert {"script-src", "frame-ancestors", "form-action", "connect-src", "media-src", "img-src"} <= set(policy)
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["Cache-Control"] == "private, no-store"
        assert "Set-Cookie" not in reply.headers
        assert "Access-Control-Allow-Origin" not in reply.headers


@pytest.mark.parametrize(("path", "role", "status"), [case for case in CASES if case[2] >= 400])
def test_a_browser_gets_a_page_and_all_else_json_and_neither_what_was_sent(
    faulty: Site, path: str, role: str | None, status: int
) -> None:
    page = faulty.get(path, role, headers=HTML)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.text.startswith("<!doctype html>")
    data = faulty.get(path, role)
    assert list(data.json()) == ["detail"]
    for text in (page.text, data.text):
        assert "alert(1)" not in text
        assert "secret" not in text
        assert "Traceback" not in text


def test_nonces_are_never_the_same(site: Site) -> None:
    policies = {site.get(AUDIO).headers["Content-Security-Policy"] for _ in range(5)}
    assert len(policies) == 5


def test_who_is_not_logged_in_is_shown_where_to(site: Site) -> None:
    page = site.get("/voxlake/conversations/ringcentral/s-1?day=2026-03-04&x=%22%3E%3Cscript%3E", None, headers=HTML)
    assert page.status_code == 401
    [link] = re.findall(r'href="([^"]*login[^"]*)"', page.text)
    assert link.endswith(
        "next=%2Fvoxlake%2Fconversations%2Fringcentral%2Fs-1%3Fday%3D2026-03-04%26x%3D%2522%253E%253Cscript%253E"
    )
    assert page.headers["WWW-Authenticate"] == "Bearer"
    assert token("admin")[:20] not in page.text


def test_a_refusal_names_the_right(site: Site) -> None:
    assert "Recordings" in site.get(AUDIO, "viewer").json()["detail"]
