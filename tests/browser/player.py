"""An `<audio>` element in a page of Chromium, and what it plays: the functions of player.html, typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page


@dataclass(frozen=True)
class Heard:
    """What was heard in a short stretch behind a seek.

    Attributes:
        landed: `currentTime` when the seek was over, in seconds.
        middle: `currentTime` in the middle of the stretch.
        pitch: The strongest frequency of the stretch, in Hz.
    """

    landed: float
    middle: float
    pitch: float


@dataclass(frozen=True)
class Ended:
    """How a file played to its end.

    Attributes:
        at: `currentTime` at the event `ended`, in seconds.
        seconds: How long it played.
    """

    at: float
    seconds: float


class Player:
    """The element of a page of player.html. Each method fails when the element has had an error.

    Args:
        page: An open page of player.html.
    """

    def __init__(self, page: Page) -> None:
        self._page = page

    def load(self, address: str) -> float:
        """Loads a file as far as `loadedmetadata`; its duration in seconds."""
        return float(self._call("load", address))

    def hear(self, moment: float) -> Heard:
        """Seeks to a moment and plays from there until there is a steady sound to measure."""
        heard = self._call("hear", moment)
        return Heard(heard["landed"], heard["until"] - heard["window"] / 2, heard["pitch"])

    def play_to_end(self, moment: float) -> Ended:
        """Seeks to a moment and plays from there until the event `ended`."""
        return Ended(**self._call("playToEnd", moment))

    def _call(self, function: str, argument: str | float) -> Any:
        result = self._page.evaluate(f"argument => {function}(argument)", argument)
        errors = self._page.evaluate("errors")
        assert errors == [], f"{function}({argument!r}) left errors of the element: {errors}"
        return result
