"""Passes Sinch's callbacks on to the team's own program, and its answers back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import cached_property
from urllib.parse import urlsplit

import httpx
from fastapi import Response

from voxlake.sinch.signature import Application, sign

log = logging.getLogger(__name__)

# Sinch does not say how long it waits for an answer; Voice 2.0 waits five seconds.
ANSWER_SECONDS = 3.0


class PassingOn:
    """Passes callbacks on to one address.

    Args:
        url: The team's own callback URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._path = urlsplit(url).path

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        # Made by the first callback, in the event loop that it stays with.
        return httpx.AsyncClient(timeout=ANSWER_SECONDS)

    async def ask(self, application: Application, headers: Mapping[str, str], body: bytes) -> Response | None:
        """What the team's program answers, as it is; None where it does not.

        The signature is over the path among others, so it is made anew for the path of this URL, of the same body and
        time. Where the two paths are the same, that is the signature that came.

        Args:
            application: Whose callback it is.
            headers: Those received, by lower-case names.
            body: As received.
        """
        timestamp, content_type = headers["x-timestamp"], headers["content-type"]
        scheme_and_key = headers["authorization"].rpartition(":")[0]
        signature = sign(application, "POST", self._path, content_type, timestamp, body).rpartition(":")[2]
        signed = {
            "authorization": f"{scheme_and_key}:{signature}",
            "x-timestamp": timestamp,
            "content-type": content_type,
        }
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reply = await self._client.post(self._url, content=body, headers=signed)
        except (httpx.HTTPError, TimeoutError) as error:
            log.warning("VOXLAKE_SINCH_CALLBACK_URL gave no answer to a callback: %s", type(error).__name__)
            return None
        kind = {"content-type": reply.headers["content-type"]} if "content-type" in reply.headers else {}
        return Response(reply.content, reply.status_code, headers=kind)
