"""The programs that these tests run and no Python package brings: Chromium and ffprobe."""

import os
import shutil

_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


class MissingProgramError(RuntimeError):
    """A program is not installed. The text says which, and how to get it."""


def chromium() -> str:
    """Where Chromium is: what `VOXLAKE_CHROMIUM` names, else the first of its usual names on the PATH.

    Raises:
        MissingProgramError: neither is a program.
    """
    named = os.environ.get("VOXLAKE_CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            raise MissingProgramError(f"VOXLAKE_CHROMIUM is {named!r}, which is no program: set it to Chromium's path")
        return found
    for name in _CHROMIUM_NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    raise MissingProgramError(
        f"no Chromium: none of {', '.join(_CHROMIUM_NAMES)} is on the PATH. Install it (Debian: `apt-get install"
        " chromium`), or set VOXLAKE_CHROMIUM to the path of a Chromium or Chrome"
    )


def ffprobe() -> str:
    """Where ffprobe is.

    Raises:
        MissingProgramError: it is not on the PATH.
    """
    found = shutil.which("ffprobe")
    if found is None:
        raise MissingProgramError("no ffprobe on the PATH. Install FFmpeg (Debian: `apt-get install ffmpeg`)")
    return found
