"""What somebody is told whose request cannot be answered: a plain page for a browser, JSON for all else."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from voxlake.web import headers
from voxlake.web.rights import login_url
from voxlake.web.templating import templates


def error_reply(request: Request, status: int, detail: str) -> Response:
    """The reply to a request that failed.

    Args:
        request: Which; HTML is answered only to who asks for it, as the address bar of a browser does.
        status: Of HTTP.
        detail: What is wrong and what to do, in words; nothing of what was sent that has not been checked.
    """
    with_headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": detail}, status, with_headers)
    context = {
        "status": status,
        "title": HTTPStatus(status).phrase,
        "detail": detail,
        "login_url": login_url(request) if status == HTTPStatus.UNAUTHORIZED else None,
    }
    return templates.TemplateResponse(request, "error.html", context, status, with_headers)


def register_error_handlers(app: FastAPI) -> None:
    """Makes `error_reply` the answer to all that goes wrong in the routes of an app."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        reply = error_reply(request, error.status_code, str(error.detail))
        reply.headers.update(error.headers or {})
        return reply

    @app.exception_handler(RequestValidationError)
    async def bad_request(request: Request, error: RequestValidationError) -> Response:
        # What was sent is left out: the names of the params and what is wrong with them are ours.
        wrong = "; ".join(f"{part['loc'][-1]}: {part['msg']}" for part in error.errors())
        return error_reply(request, 422, f"The address is not one of this page: {wrong}.")

    @app.exception_handler(Exception)
    async def fault(request: Request, _: Exception) -> Response:
        reply = error_reply(request, 500, "Something went wrong here. The log of Airflow's API server says what.")
        # This one is answered outside of the middleware that does it for all others.
        headers.secure(request, reply.headers)
        return reply
