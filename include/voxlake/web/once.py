"""Takes what comes twice once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

_REMEMBERED = 100_000


class Once:
    """What was taken lately, of one process."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, None] = OrderedDict()

    @contextmanager
    def taking(self, key: str) -> Iterator[bool]:
        """Whether a key is new. What is taken in a block that fails was not taken, and may come again."""
        new = key not in self._keys
        if new:
            self._keys[key] = None
        if len(self._keys) > _REMEMBERED:
            self._keys.popitem(last=False)
        try:
            yield new
        except BaseException:
            if new:
                self._keys.pop(key, None)
            raise
