"""Faults on demand: what can be made to go wrong, when, and how often; seeded, so that it can be made again.

A fault is asked for as text (`commit_then_reset:p=0.02`, `error_before:nth=3,status=503,match=batch/create`) or as the
same in JSON. `TABLE` says what each does in two words: when the request's work is kept (`now`, `late`, `never`), and what
the client gets (`given`: the true answer, `hang`, `reset`, `cut`, `thinned`, or `status`: another answer).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal, NamedTuple, get_type_hints

from etl.errors import UsageError

Commit = Literal["now", "late", "never"]
Reply = Literal["given", "hang", "reset", "cut", "thinned", "status"]
Work = Literal["create", "batch", "write", "read", "search"]  #: what a route does; `batch` creates up to 100 at once
_CREATES: Final = frozenset({"create", "batch"})
_ANY: Final = frozenset({"create", "batch", "write", "read", "search"})


class Kind(NamedTuple):
    """What a fault does: on which work, and the defaults of its settings."""

    on: frozenset[str]
    commit: Commit
    reply: Reply
    status: int = 0
    seconds: float = 0.0  #: hang: until the connection is cut; late: until the work is done; else: before the work


TABLE: Final[dict[str, Kind]] = {
    "commit_then_hang": Kind(_CREATES, "now", "hang", seconds=3600),
    "commit_then_reset": Kind(_CREATES, "now", "reset"),
    "late_commit": Kind(_CREATES, "late", "reset", seconds=1),
    "reset_before": Kind(_ANY, "never", "reset"),
    "error_before": Kind(_ANY, "never", "status", 500),
    "error_after": Kind(_CREATES, "now", "status", 502),
    "cut_json": Kind(_ANY, "now", "cut"),
    "missing_from_207": Kind(frozenset({"batch"}), "now", "thinned"),
    "latency": Kind(_ANY, "now", "given", seconds=0.1),
    "rate_limit": Kind(_ANY, "never", "status", 429),
    "daily_limit": Kind(_ANY, "never", "status", 429),
    "unauthorized": Kind(_ANY, "never", "status", 401),
    "expired_token": Kind(_ANY, "never", "status", 401),
    "forbidden": Kind(_ANY, "never", "status", 403),
    "locked": Kind(_ANY, "never", "status", 423),
    "migrating": Kind(_ANY, "never", "status", 477, seconds=0),
}


@dataclass(slots=True)
class Fault:
    """One fault that is switched on, and how often it has struck.

    It strikes with probability `p`, or at the `nth` matching request and after (with `times` = 1: only there);
    `times` 0 means without end. With neither `p` nor `nth` it strikes always.
    """

    name: str
    p: float = 0.0
    nth: int = 0
    times: int = 0
    match: str = ""  #: part of `METHOD /path`
    status: int = 0  #: 0: that of the table
    seconds: float = -1.0  #: negative: those of the table
    seen: int = 0  #: matching requests since it was switched on
    struck: int = 0

    @property
    def kind(self) -> Kind:
        """The table's line, with this fault's own status and seconds."""
        kind = TABLE[self.name]
        return kind._replace(
            status=self.status or kind.status, seconds=kind.seconds if self.seconds < 0 else self.seconds
        )


class Faults:
    """The faults that are switched on, drawn for one request after the other."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self._chance = random.Random(seed)  # noqa: S311  to be made again, not to be secret
        self.switched_on = [replace(fault) for fault in faults]

    def switch(self, faults: Iterable[Fault], seed: int | None = None) -> None:
        """Switches these on and all others off; a seed starts chance again."""
        self.switched_on = [replace(fault) for fault in faults]
        if seed is not None:
            self._chance = random.Random(seed)  # noqa: S311  as above

    def draw(self, work: str, where: str) -> Fault | None:
        """The first fault that strikes this request; `where` is `METHOD /path`."""
        for fault in self.switched_on:
            if work not in fault.kind.on or fault.match not in where or (fault.times and fault.struck >= fault.times):
                continue
            fault.seen += 1
            if (self._chance.random() < fault.p) if fault.p else fault.seen >= fault.nth:
                fault.struck += 1
                return fault
        return None

    def pick(self, count: int) -> int:
        """An index below `count`, by chance."""
        return self._chance.randrange(count)

    def coin(self) -> bool:
        """Yes or no, by chance."""
        return self._chance.random() < 0.5

    def latest_s(self) -> float:
        """How long after its request a fault that is switched on may still write, in seconds."""
        return max((f.kind.seconds for f in self.switched_on if f.kind.commit == "late"), default=0.0)


def parse(spec: str | Mapping[str, Any]) -> Fault:
    """The fault that a text or a JSON object asks for; `UsageError` names what can be asked for."""
    if isinstance(spec, str):
        name, _, rest = spec.partition(":")
        given: dict[str, Any] = {"name": name.strip()}
        given |= {k.strip(): v.strip() for k, _, v in (part.partition("=") for part in rest.split(",") if part.strip())}
    else:
        given = dict(spec)
    settable = {f.name for f in fields(Fault)} - {"seen", "struck"}
    if given.get("name") not in TABLE:
        raise UsageError(f"There is no fault {given.get('name')!r}.", hint=f"There are: {', '.join(TABLE)}.")
    if unknown := sorted(set(given) - settable):
        raise UsageError(f"A fault has no setting {unknown[0]!r}.", hint=f"There are: {', '.join(sorted(settable))}.")
    types = get_type_hints(Fault)
    try:
        return Fault(**{name: types[name](value) for name, value in given.items()})
    except (TypeError, ValueError):
        raise UsageError(
            f"The settings of the fault {spec!r} are no numbers.", hint="E.g. latency:p=0.1,seconds=2"
        ) from None
