"""Door one: an account of HubSpot's, reached through one of two wires; nobody outside knows which, or whose network.

Public: `connect`, and the contract in `target`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etl.hubspot.target import Target

#: The real API.
HUBSPOT = "https://api.hubapi.com"
#: What is sent as token to this machine when none is given: the embedded sandbox takes any.
NO_TOKEN = "sandbox"  # noqa: S105  not a secret


def connect(
    target: str,
    api: str,
    token: str | Callable[[], str] | None,
    *,
    reserve: float = 0.2,
    shared: Path | None = None,
) -> Target:
    """The account at the address `target`, by the wire `api` (`objects` or `v1`). Sends nothing yet.

    The address is that of the API (`HUBSPOT`) or of a sandbox on this machine, the only one for which no token is
    needed. A `token` that can be called is called again when the token it gave is refused. Creates leave `reserve` of
    the day's allowance to others: an int in requests, a float as a share of the limit. Processes that name the same
    file as `shared` keep to the account's limits together.
    Raises `ConfigError` for an address that is not https elsewhere, `TokenError` for a missing token, `StorageError`
    when the file cannot be opened.
    """
    from etl.errors import ConfigError, TokenError
    from etl.hubspot.door import Door
    from etl.hubspot.objects import ObjectsTarget
    from etl.hubspot.shared import Shared
    from etl.hubspot.transport import Transport, checked_url
    from etl.hubspot.v1 import V1Target

    wires: dict[str, Callable[[Door], Target]] = {"objects": ObjectsTarget, "v1": V1Target}
    if api not in wires:
        raise ConfigError(f"There is no API {api!r}.", hint=f"Use one of {', '.join(wires)}.")
    _, is_loopback = checked_url(target)
    given = token() if callable(token) else token
    if not given and not is_loopback:
        raise TokenError(
            "There is no token for this account.",
            hint="Set HUBSPOT_TOKEN to the token of a private app or a service key.",
        )
    transport = Transport(target, given or NO_TOKEN)
    return wires[api](
        Door(
            transport,
            reserve=reserve,
            shared=Shared(shared) if shared else None,
            token=token if callable(token) else None,
        )
    )
