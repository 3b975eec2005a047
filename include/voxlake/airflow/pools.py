"""The pools of the DAGs: made where they are missing, and the one of the downloads as large as the quota asks for."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from voxlake.settings import project_root

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from voxlake.ringcentral.grants import Grant

log = logging.getLogger(__name__)

MEDIA_POOL = "ringcentral_media"

# One download that Airflow is about to start, and one that waits for its turn in the quota: no place is to be free with
# nobody there to take it.
_READY = 2

# A process of Airflow for each; more would not be faster where the network is the limit.
_MOST = 16


def create_missing_pools() -> None:
    """Creates the pools of `include/pools.json`; one that exists stays as its operator set it.

    A task in a pool that does not exist waits for ever, and Airflow only warns.

    Raises:
        OSError: The file cannot be read.
    """
    # Here and below: allowed, as the scheduler has the metadata database; a task has not.
    from airflow.models.pool import Pool

    for name, pool in pools_of_file().items():
        if Pool.get_pool(name) is None:
            Pool.create_or_update_pool(name, **pool)
            log.info("created the pool %s with %d slots", name, pool["slots"])


def size_media_pool(grants: Iterable[Grant], session: Session) -> None:
    """Gives the pool of the downloads the slots that keep the quota busy, unless an operator gave it another text.

    Args:
        grants: What is granted to all credentials.
        session: The metadata database; who opened it commits.
    """
    from airflow.models.pool import Pool

    slots = slots_for(grants)
    pool = session.query(Pool).filter(Pool.pool == MEDIA_POOL).one_or_none()
    if slots is None or pool is None or pool.slots == slots:
        return
    if pool.description == pools_of_file()[MEDIA_POOL]["description"]:
        log.info("the pool %s has %d slots now, %d before, by the granted rate", MEDIA_POOL, slots, pool.slots)
        pool.slots = slots


def slots_for(grants: Iterable[Grant]) -> int | None:
    """As many downloads at a time as the granted rate keeps going: rate times duration, by Little's law.

    Args:
        grants: What is granted to all credentials.

    Returns:
        The slots; None if no download has been timed yet.
    """
    under_way = [grant.limit / grant.window * grant.seconds for grant in grants if grant.seconds]
    return min(_MOST, math.ceil(sum(under_way)) + _READY) if under_way else None


def pools_of_file() -> dict[str, dict[str, Any]]:
    """`include/pools.json`: name to slots, description and include_deferred."""
    pools: dict[str, dict[str, Any]] = json.loads((project_root() / "include" / "pools.json").read_text())
    return pools
