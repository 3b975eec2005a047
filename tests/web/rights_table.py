"""What docs/recordings-page.md says of who may do what: the tests hold the app against it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute

from voxlake.web.rights import Right

DOC = Path(__file__).resolve().parents[2] / "docs" / "recordings-page.md"
SAMPLES = {
    "provider": "ringcentral",
    "telephony_session_id": "s-a1b2c3",
    "recording_id": "4711",
    "path": "page.js",
}


def rights_of_routes() -> dict[str, frozenset[Right]]:
    """The rights that each route needs, by its path with the prefix."""
    return {path: _rights(rights) for path, rights in _rows("route", 2)}


def rights_of_roles(auth_manager: str) -> dict[str, frozenset[Right]]:
    """The rights that each role has from the beginning; auth_manager is `FAB` or `Simple`."""
    return {
        role: _rights(rights)
        for manager, roles, rights in _rows("auth manager", 3)
        if manager == auth_manager
        for role in roles.split(", ")
    }


def routes_of(app: FastAPI) -> dict[str, APIRoute]:
    """Every route of the app by its path with the prefix; there may be nothing else that answers requests."""
    assert all(isinstance(route, APIRoute) for route in app.routes), app.routes
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    return {f"/voxlake{re.sub(r':[a-z]+}', '}', route.path)}": route for route in routes}


def sample_of(path: str) -> str:
    """The address of a route, with ids that the tests' lake has."""
    return path.format(**SAMPLES)


def _rights(cell: str) -> frozenset[Right]:
    return frozenset(Right(name) for name in re.findall(r"`([^`]+)`", cell))


def _rows(first_column: str, columns: int) -> Iterator[tuple[str, ...]]:
    lines = iter(DOC.read_text().splitlines())
    for line in lines:
        if line.startswith(f"| {first_column} |"):
            break
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            return
        first, *others = (cell.strip() for cell in line.strip("| ").split("|"))
        cells = (first.strip("`"), *others)
        assert len(cells) == columns, line
        yield cells
