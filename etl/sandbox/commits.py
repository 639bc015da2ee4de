"""One commit for all requests that were there at the same time: most of what a small commit costs is the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Commits:
    """Says when what was written is kept; used by one event loop."""

    def __init__(self, keep: Callable[[], None]) -> None:
        self._keep = keep
        self._next: asyncio.Future[None] | None = None

    async def kept(self) -> None:
        """Returns when what was written before is kept; raises what keeping it raised."""
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.create_future()
            loop.call_soon(self._commit)  # after the requests that are ready now
        await asyncio.shield(self._next)

    def _commit(self) -> None:
        waiting, self._next = self._next, None
        assert waiting is not None
        try:
            self._keep()
        except Exception as e:  # noqa: BLE001 - it belongs to those who wait
            waiting.set_exception(e)
        else:
            waiting.set_result(None)
