"""Which addresses may be asked, and how an address is written into an error.

A bearer token opens the whole account, so it goes to the connection's own host and its media host and nowhere else,
whatever a reply or a redirect names.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlencode, urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from voxlake.ringcentral.errors import ForeignHostError

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Query parameters of the call log that tell nothing secret or personal. All others are hidden: an address from a
# reply may be signed, and `?access_token=` is a documented way to ask for media
# (https://developers.ringcentral.com/guide/basics/media).
_SHOWN_PARAMETERS = frozenset(
    {
        "dateFrom",
        "dateTo",
        "direction",
        "page",
        "perPage",
        "recordCount",
        "recordingType",
        "showBlocked",
        "showDeleted",
        "syncType",
        "telephonySessionId",
        "type",
        "view",
    }
)

# Parsers of URLs disagree about these: `https://a\@b/` is host a for one and host b for another.
_AMBIGUOUS = re.compile(r"[\\\s\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port, with the scheme's default port filled in, so that `host` equals `host:443`."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Self:
        """The origin of an absolute http(s) URL.

        Raises:
            ValueError: `url` is not absolute, not http(s), or says different things to different parsers.
        """
        if _AMBIGUOUS.search(url):
            raise ValueError("contains a backslash, white space or a control character")
        try:
            parsed = parse_url(url)
        except LocationParseError:
            raise ValueError("is not a URL") from None
        if parsed.scheme not in _DEFAULT_PORTS or not parsed.host:
            raise ValueError("does not start with https://<host>")
        if parsed.auth is not None:
            raise ValueError("contains a user name before the host")
        return cls(parsed.scheme, parsed.host.lower(), parsed.port or _DEFAULT_PORTS[parsed.scheme])

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine, so that nothing sent to it crosses a network."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """The origin as a URL without a path: `https://platform.ringcentral.com`."""
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


def allowed_url(url: str, allowed: Sequence[Origin]) -> str:
    """The URL to send for `url`, an absolute one or a path on the first allowed origin.

    The result is put together from the allowed origin and the path of `url`, so no disagreement between two parsers
    can lead the request elsewhere.

    Raises:
        ForeignHostError: `url` leads to an origin that is not allowed.
    """
    if url.startswith("/") and not url.startswith("//"):
        url = f"{allowed[0]}{url}"
    try:
        origin = Origin.parse(url)
    except ValueError as error:
        reason = f"the address {error}"
    else:
        if origin in allowed:
            return f"{origin}{parse_url(url).request_uri}"
        reason = f"it leads to {origin}"
    hosts = " and ".join(str(known) for known in dict.fromkeys(allowed))
    raise ForeignHostError(
        f"Refused to follow an address that RingCentral's reply or the caller gave: {reason}, and the access token "
        f"goes only to {hosts}. If that host is RingCentral's, name it in the connection (host or media_host).",
        url=shown_url(url),
    )


def redirected_url(url: str, location: str, allowed: Sequence[Origin]) -> str:
    """The URL to send for a redirect of `url` to `location`, which may be relative to it.

    Raises:
        ForeignHostError: It leads to an origin that is not allowed, or is no address.
    """
    try:
        target = urljoin(url, location)
    except ValueError:
        target = location
    return allowed_url(target, allowed)


def shown_url(url: str) -> str:
    """The path and query of `url` as errors and logs may show them, every unknown parameter's value hidden."""
    path, _, query = re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#\\]*", "", url).partition("?")
    path, query = path.partition("#")[0], query.partition("#")[0]
    if not query:
        return path or "/"
    pairs = [
        (name, value if name in _SHOWN_PARAMETERS else "***")
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return f"{path or '/'}?{urlencode(pairs, safe=':*')}"
