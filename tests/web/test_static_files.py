"""Scripts, styles and images: for those who may find recordings, kept under the hash of what they hold."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import Request

from tests.web.conftest import Serve, Site, token
from voxlake.lake.local import LocalStorage
from voxlake.web import static_files
from voxlake.web.templating import static_for


@pytest.fixture
def site(archive: LocalStorage, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The app with a folder of its own."""
    folder = tmp_path / "static"
    (folder / "vendor").mkdir(parents=True)
    (folder / "page.js").write_text("export const a = 1;")
    (folder / "vendor" / "player.css").write_text("p {}")
    (tmp_path / "secret.js").write_text("secret")
    monkeypatch.setattr(static_files, "FOLDER", folder)
    monkeypatch.setattr(static_files, "_files", static_files.StaticFiles(directory=folder))
    monkeypatch.setattr(static_files, "_names", static_files.names_in(folder))
    static_files.content_hash.cache_clear()
    yield serve(archive)
    static_files.content_hash.cache_clear()


def path_of(site: Site, name: str, root: str = "") -> str:
    scope = {"type": "http", "app": site.app, "root_path": f"{root}/voxlake", "headers": []}
    return static_for(Request(scope), name)


def test_a_file_is_kept_for_a_year_under_its_hash_and_else_looked_at_each_time(site: Site) -> None:
    hashed = site.get(path_of(site, "vendor/player.css"))
    assert (hashed.text, hashed.headers["Content-Type"]) == ("p {}", "text/css; charset=utf-8")
    assert hashed.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    for other in ("", "?v=", "?v=0123456789abcdef"):
        reply = site.get(f"/voxlake/static/page.js{other}")
        assert reply.headers["Cache-Control"] == "private, no-cache"
        again = site.get(f"/voxlake/static/page.js{other}", headers={"If-None-Match": reply.headers["ETag"]})
        assert again.status_code == 304


def test_another_content_has_another_path(site: Site) -> None:
    before = path_of(site, "page.js")
    (static_files.FOLDER / "page.js").write_text("export const a = 2;")
    static_files.content_hash.cache_clear()
    assert path_of(site, "page.js") != before


def test_the_path_goes_on_from_where_airflow_lies(site: Site) -> None:
    assert path_of(site, "page.js", "/airflow").startswith("/airflow/voxlake/static/page.js?v=")


@pytest.mark.parametrize(
    "name", ["../secret.js", "%2e%2e/secret.js", "..%2fsecret.js", "vendor", "", "vendor/../page.js"]
)
def test_nothing_but_the_files_of_the_folder_is_given(site: Site, name: str) -> None:
    connection = http.client.HTTPConnection(site.url.removeprefix("http://"), timeout=60)
    connection.request("GET", f"/voxlake/static/{name}", headers={"Authorization": f"Bearer {token('admin')}"})
    assert connection.getresponse().status == 404
    connection.close()


def test_who_may_not_find_recordings_gets_none(site: Site) -> None:
    assert site.get("/voxlake/static/page.js", None).status_code == 401
    assert site.get("/voxlake/static/page.js", "viewer").status_code == 403
