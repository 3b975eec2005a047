"""Where Airflow's UI shows the Recordings page, and what leads there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.sdk.configuration import conf

# Where the API server mounts the app, and where Airflow's UI shows it within itself.
PREFIX = "/voxlake"
UI_ROUTE = "recordings"
# Of sessions in the XComs of a run that began before there were several.
PROVIDER = "ringcentral"

# A data URI, as the page's own files are only for those who may open it, and Airflow shows the entry to all who may see
# plugins.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='{colour}' "
    "stroke-width='2' stroke-linecap='round'%3E%3Cpath d='M3 10v4M7.5 6v12M12 3v18M16.5 7v10M21 10v4'/%3E%3C/svg%3E"
)


def navigation_entry() -> dict[str, Any]:
    """The entry “Recordings” of Airflow's navigation, as a plugin's `external_views` have it."""
    return {
        "name": "Recordings",
        "href": f"{_root()}{PREFIX}/",
        "destination": "nav",
        "url_route": UI_ROUTE,
        "nav_top_level": True,
        "icon": _ICON.format(colour="%23374151"),
        "icon_dark_mode": _ICON.format(colour="%23d1d5db"),
    }


def link_to_sessions(sessions: Sequence[Mapping[str, Any]]) -> str:
    """The page of a session in Airflow's UI; of several the search for conversations of their days.

    Args:
        sessions: In the form of `SessionRef.to_json`.

    Returns:
        A path to be resolved against the root of Airflow's UI; empty without a session.
    """
    days = sorted(day for session in sessions for day in session["days"])
    if not days:
        return ""
    if len(sessions) == 1:
        provider = sessions[0].get("provider", PROVIDER)
        path = f"/conversations/{provider}/{quote(sessions[0]['telephony_session_id'], safe='')}"
        query = {"day": days[0]}
    else:
        path, query = "/", {"from": days[0], "to": days[-1], "recorded": "yes"}
    return f"plugin/{UI_ROUTE}{_root()}{PREFIX}{path}?{urlencode(query)}"


def _root() -> str:
    """The path that Airflow lies at, where a proxy has it below one; empty if it has a host of its own."""
    base_url: str = conf.get("api", "base_url", fallback="")
    return urlsplit(base_url).path.rstrip("/")
