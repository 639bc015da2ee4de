"""Lists in pages: a cursor that leads to itself is asked again, never taken for the end, and never followed for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from etl.errors import RemoteDown
from etl.hubspot.target import Page

#: So often a page is asked for that leads to itself.
_TRIES: Final = 5


async def advancing(after: str, ask: Callable[[], Awaitable[Page]]) -> Page:
    """The page that `ask` gives behind the cursor `after`, once it leads further. Raises `RemoteDown`."""
    for _ in range(_TRIES):
        page = await ask()
        if not page.after or page.after != after:
            return page
    raise RemoteDown(
        f"A list of the account leads to itself again at {after!r}, {_TRIES} times in a row.",
        hint="Run the same command again later; an export goes on where it is.",
    )
