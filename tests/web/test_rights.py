"""Every route, for everybody: as the table in docs/recordings-page.md says."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
import requests
from fastapi import APIRouter

from tests.web import rights_table
from tests.web.conftest import AUDIO, Serve, Site, accesses, token
from tests.web.rights_table import rights_of_roles, rights_of_routes, routes_of, sample_of
from voxlake.lake.local import LocalStorage
from voxlake.web import guard, pages, rights
from voxlake.web.rights import Right

ROLES = rights_of_roles("Simple")


def test_the_docs_know_every_route_and_no_other(site: Site) -> None:
    assert set(routes_of(site.app)) == set(rights_of_routes())


def test_no_route_changes_anything(site: Site) -> None:
    for path, route in routes_of(site.app).items():
        assert route.methods <= {"GET", "HEAD"}, path
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert site.get(sample_of(path), "admin", method).status_code == 405, (method, path)


def test_nobody_who_is_not_logged_in_gets_in(site: Site) -> None:
    for path, route in routes_of(site.app).items():
        for method in route.methods:
            assert site.get(sample_of(path), None, method).status_code == 401, (method, path)
    for path in ("/voxlake", "/voxlake/nothing", "/voxlake/docs", "/voxlake/openapi.json", "/voxlake/static/"):
        # One without the last slash may be led to the one with it.
        assert requests.get(site.url + path, timeout=60).status_code == 401, path
    assert accesses(site.lake) == []


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_what_the_docs_say(site: Site, role: str) -> None:
    for path, needed in rights_of_routes().items():
        status = site.get(sample_of(path), role).status_code
        assert status == (200 if needed <= ROLES[role] else 403), path


def test_a_user_without_any_role_gets_nothing(site: Site) -> None:
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    nobody = create_auth_manager().generate_jwt(SimpleAuthManagerUser(username="nobody", role=None))
    reply = requests.get(site.url + AUDIO, headers={"Authorization": f"Bearer {nobody}"}, timeout=60)
    assert reply.status_code == 403


def test_airflows_cookie_is_as_good_as_a_token_and_a_bad_token_is_none(site: Site) -> None:
    assert site.get(AUDIO, None, cookies={"_token": token("user")}).status_code == 200
    assert site.get(AUDIO, None, cookies={"_token": token("viewer")}).status_code == 403
    bad = token("admin")[:-4] + "AAAA"
    assert site.get(AUDIO, None, cookies={"_token": bad}).status_code == 401
    assert site.get(AUDIO, None, headers={"Authorization": f"Bearer {bad}"}).status_code == 401
    # What is said explicitly counts before the cookie.
    both: dict[str, Any] = {"headers": {"Authorization": f"Bearer {bad}"}, "cookies": {"_token": token("admin")}}
    assert site.get(AUDIO, None, **both).status_code == 401


def test_a_token_that_was_revoked_or_is_over_is_none(site: Site) -> None:
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    manager, user = create_auth_manager(), SimpleAuthManagerUser(username="ann", role="admin")
    revoked = manager.generate_jwt(user)
    assert site.get(AUDIO, None, cookies={"_token": revoked}).status_code == 200
    manager.revoke_token(revoked)
    over = manager.generate_jwt(user, expiration_time_in_seconds=-3600)
    for bad in (revoked, over):
        assert site.get(AUDIO, None, cookies={"_token": bad}).status_code == 401


def test_a_page_that_forgets_to_ask_is_closed_all_the_same(
    archive: LocalStorage, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = APIRouter()
    router.add_api_route("/forgotten", lambda: "secret")
    monkeypatch.setattr(pages, "ROUTERS", (router,))
    site = serve(archive)
    assert [site.get("/voxlake/forgotten", role).status_code for role in (None, "viewer", "user")] == [401, 403, 200]
    with pytest.raises(AssertionError):
        assert set(routes_of(site.app)) <= set(rights_of_routes())


def test_where_airflow_cannot_be_asked_everything_is_closed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "AIRFLOW_IS_KNOWN", False)
    for path in map(sample_of, routes_of(site.app)):
        assert site.get(path, "admin").status_code == 503, path
    page = site.get("/voxlake/", "admin", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")


def test_another_release_of_airflow_with_other_names_is_not_known() -> None:
    program = (
        "import sys\n"
        "sys.modules['airflow.api_fastapi.core_api.security'] = None\n"
        "from voxlake.web import rights, app\n"
        "print(rights.AIRFLOW_IS_KNOWN)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert "stays closed" in done.stdout + done.stderr


def test_a_fault_of_the_auth_manager_lets_nobody_in(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("the database is gone")

    monkeypatch.setattr(rights, "_rights_of", broken)
    reply = site.get(AUDIO, "admin")
    assert reply.status_code == 500
    assert "database" not in reply.text
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert accesses(site.lake) == []


def test_only_one_module_knows_airflows_users() -> None:
    folder = rights_table.DOC.parents[1] / "include" / "voxlake" / "web"
    asking = {file.name for file in folder.rglob("*.py") if "airflow.api_fastapi" in file.read_text()}
    assert asking == {"rights.py"}
    assert guard.read_reader is rights.read_reader


def test_what_the_log_says_holds_no_token(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    secret = token("admin")
    with caplog.at_level(logging.DEBUG):
        site.get(AUDIO, None, cookies={"_token": secret})
        site.get(AUDIO, None, cookies={"_token": secret + "x"})
    assert secret not in caplog.text


def test_every_right_is_in_the_docs() -> None:
    assert frozenset().union(*rights_of_routes().values()) | {Right.NUMBERS} == set(Right)
    assert rights_of_roles("FAB")["Admin"] == ROLES["admin"] == set(Right)
