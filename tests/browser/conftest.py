"""Chromium, the files that it plays, and the server that it gets them from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import installed
from tests.browser.media_server import Metered, media_server
from tests.browser.player import Player
from tests.browser.sounds import KINDS, Merged, merged_glides, merged_tones

GetMerged = Callable[[str], Merged]

_OPTIONS = (
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(frozen=True)
class Served:
    """The folder that is served, where, and the meter of what is sent."""

    folder: Path
    url: str
    meter: Metered

    def address(self, path: Path) -> str:
        return "/" + str(path.relative_to(self.folder))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    shutil.copy(Path(__file__).with_name("player.html"), folder)
    with media_server(folder) as (url, meter):
        yield Served(folder, url, meter)


@pytest.fixture(scope="session")
def tones(served: Served) -> GetMerged:
    """The merged tones of a kind, made once."""
    return cache(lambda kind: merged_tones(KINDS[kind], served.folder / f"{kind}-tones"))


@pytest.fixture(scope="session")
def glides(served: Served) -> GetMerged:
    """The merged glides of a kind, made once."""
    return cache(lambda kind: merged_glides(KINDS[kind], served.folder / f"{kind}-glides"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """This machine's Chromium, without a window, in a profile of its own."""
    # Chromium's sandbox does not start as root, nor in most containers; what is opened here is made here.
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=installed.chromium(), headless=True, chromium_sandbox=False, args=_OPTIONS
        ) as browser,
    ):
        yield browser


@pytest.fixture(scope="session")
def page(served: Served, chromium: Browser) -> Iterator[Page]:
    """A page that ends before the server does."""
    with chromium.new_page() as page:
        yield page


@pytest.fixture
def player(page: Page, served: Served) -> Player:
    """An audio element that has played nothing yet."""
    page.goto(f"{served.url}/player.html")
    return Player(page)
