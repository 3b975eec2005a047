"""The pages: one router each."""

from fastapi import APIRouter

from voxlake.web.pages import access_log, archive, conversation, exports, search
from voxlake.web.pages.formats import FILTERS
from voxlake.web.templating import templates

templates.env.filters.update(FILTERS)
templates.env.trim_blocks = templates.env.lstrip_blocks = True

ROUTERS: tuple[APIRouter, ...] = (
    search.router,
    exports.router,
    conversation.router,
    archive.router,
    access_log.router,
)
