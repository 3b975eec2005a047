"""The regions of Sinch's Voice API, and their hosts."""

from __future__ import annotations

REGIONS = ("use1", "euc1", "sae1", "apse1", "apse2")
DEFAULT_SERVER_URL = "https://calling.api.sinch.com"


def server_url_of(region: str) -> str:
    """The host of a region; the one that serves all of them where none is named.

    Raises:
        ValueError: There is no such region.
    """
    if not region:
        return DEFAULT_SERVER_URL
    if region not in REGIONS:
        raise ValueError(f"region: expected one of {', '.join(REGIONS)}, got {region!r}")
    return f"https://calling-{region}.api.sinch.com"
