"""What RingCentral grants, for pools, metrics and people."""

from dataclasses import dataclass

from voxlake.ringcentral import sliding_window
from voxlake.ringcentral.quota_state import KEY, parsed
from voxlake.ringcentral.shared_state import SharedState

# A credential that nobody has used for so long has been replaced.
_IN_USE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Grant:
    """What RingCentral grants a credential in one group, and what is used of it.

    Attributes:
        credential: Names the user and app; holds no secret.
        group: The group's name.
        limit: Requests that one window takes.
        window: Length of the window in seconds.
        used: Places taken now, by this and by other programs.
        blocked_for: Seconds of a penalty that are left.
        seconds: Mean time of a request in the group, with its body; 0.0 before the first.
    """

    credential: str
    group: str
    limit: int
    window: float
    used: int
    blocked_for: float
    seconds: float


def read_grants(state: SharedState, name: str = "") -> list[Grant]:
    """What is granted in each group that a reply has named.

    Args:
        state: Where the quotas are kept.
        name: Of one credential; of all that the state knows, where empty.
    """
    grants = []
    for key in [f"{KEY}{name}"] if name else state.keys(KEY):
        quota, now = parsed(state.read(key), key), state.now()
        if now > quota.used_at + _IN_USE_SECONDS:
            continue
        for group, window in sorted(quota.windows.items()):
            if not window.learned:
                continue
            # What is under way counts for its longest time here: that tells more of the present than of the past.
            window = sliding_window.at(window, now, window.window)
            blocked_for = max(sliding_window.penalty_left(window.blocked_until, now), quota.blocked_for(now))
            seconds = quota.seconds.get(group, 0.0)
            grants.append(
                Grant(key.removeprefix(KEY), group, window.limit, window.window, window.used, blocked_for, seconds)
            )
    return grants
