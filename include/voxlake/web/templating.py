"""The HTML templates of the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.templating import Jinja2Templates

from voxlake.web.static_files import content_hash


def path_for(request: Request, name: str, /, **path_params: Any) -> str:
    """The path of a route by its name, wherever Airflow is mounted; without host, as a proxy may give it another."""
    path: str = request.app.url_path_for(name, **path_params)
    return str(request.scope.get("root_path", "")) + path


def static_for(request: Request, path: str) -> str:
    """The path of a file of `static/`, with the hash of its content."""
    return f"{path_for(request, 'static', path=path)}?v={content_hash(path)}"


def _context(request: Request) -> dict[str, Any]:
    return {
        "path_for": lambda name, /, **params: path_for(request, name, **params),
        "static_for": lambda path: static_for(request, path),
        # For style elements, which the policy of the page allows by this alone.
        "csp_nonce": request.state.csp_nonce,
        # Not there where an error is told to somebody who is not logged in.
        "reader": getattr(request.state, "reader", None),
    }


# Escapes what stands in `{{ }}`, in all files that end in .html.
templates = Jinja2Templates(Path(__file__).parent / "templates", context_processors=[_context])
