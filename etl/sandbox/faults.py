"""Faults on demand: what can be made to go wrong, when, and how often; seeded, so that it can be made again.

A fault is asked for as text (`commit_then_reset:p=0.02`, `error_before:nth=3,status=503,match=batch/create`) or as the
same in JSON. `TABLE` says what each does in three words: when the request's work is kept, what the answer holds, and how
much of it gets onto the wire. docs/sandbox.md says the same in sentences.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal, NamedTuple, get_type_hints

from etl.errors import UsageError
from etl.sandbox.settings import duration

Work = Literal["create", "batch", "write", "read", "search"]  #: what a route does; `batch` creates up to 100 at once
Commit = Literal["now", "late", "never"]
Holds = Literal["truth", "other", "thinned", "half", "doubled", "again", "nothing", "redacted"]
Wire = Literal["whole", "late", "drip_head", "drip_body", "cut", "reset", "hang"]

_CREATES: Final = frozenset({"create", "batch"})
_READS: Final = frozenset({"read", "search"})
_ANY: Final = frozenset({"create", "batch", "write", "read", "search"})


class Kind(NamedTuple):
    """What a fault does: on which work, and the defaults of its settings."""

    on: frozenset[str]
    commit: Commit
    holds: Holds
    wire: Wire
    status: int = 0  #: of an answer that holds something other than the truth
    seconds: float = 0.0  #: what the wire, or a late commit, takes; for others a wait before the work
    match: str = ""  #: part of `METHOD /path`

    @property
    def waits_s(self) -> float:
        """Seconds before the work begins; those of a 477 are told, not waited."""
        at_once = self.commit == "late" or self.status == 477 or self.wire not in {"whole", "cut", "reset"}
        return 0.0 if at_once else self.seconds


TABLE: Final[dict[str, Kind]] = {
    # after the work is done, the client does not hear of it
    "commit_then_hang": Kind(_CREATES, "now", "truth", "hang", seconds=3600),
    "commit_then_reset": Kind(_CREATES, "now", "truth", "reset"),
    "late_commit": Kind(_CREATES, "late", "truth", "reset", seconds=1),
    "error_after": Kind(_CREATES, "now", "other", "whole", 502),
    "cut_json": Kind(_ANY, "now", "truth", "cut"),
    "broken_json": Kind(_ANY, "now", "half", "whole"),
    "missing_from_207": Kind(frozenset({"batch"}), "now", "thinned", "whole"),
    # nothing is done
    "reset_before": Kind(_ANY, "never", "truth", "reset"),
    "hang_before": Kind(_ANY, "never", "truth", "hang", seconds=3600),
    "error_before": Kind(_ANY, "never", "other", "whole", 500),
    "html_error": Kind(_ANY, "never", "other", "whole", 503),
    "redirect": Kind(_ANY, "never", "other", "whole", 307),
    "rate_limit": Kind(_ANY, "never", "other", "whole", 429),
    "daily_limit": Kind(_ANY, "never", "other", "whole", 429),
    "unauthorized": Kind(_ANY, "never", "other", "whole", 401),
    "expired_token": Kind(_ANY, "never", "other", "whole", 401),
    "forbidden": Kind(_ANY, "never", "other", "whole", 403),
    "locked": Kind(_ANY, "never", "other", "whole", 423),
    "migrating": Kind(_ANY, "never", "other", "whole", 477),
    # all is done and told, slowly
    "latency": Kind(_ANY, "now", "truth", "whole", seconds=0.1),
    "slow_answer": Kind(_ANY, "now", "truth", "late", seconds=5),
    "slow_headers": Kind(_ANY, "now", "truth", "drip_head", seconds=5),
    "slow_body": Kind(_ANY, "now", "truth", "drip_body", seconds=5),
    # pages that do not say what they should
    "repeated_results": Kind(_READS, "now", "doubled", "whole"),
    "repeated_page": Kind(_READS, "now", "again", "whole"),
    "missing_scope": Kind(_READS, "now", "nothing", "whole", match="/modified/after"),
    "redacted_mail": Kind(_READS, "now", "redacted", "whole", match="/engagements/v1/"),
}


@dataclass(slots=True)
class Fault:
    """One fault that is switched on, and how often it has struck.

    It strikes with probability `p`, or at the `nth` matching request and after (with `times` = 1: only there);
    `times` 0 means without end. With neither `p` nor `nth` it strikes always. A strike may be a storm: `burst` requests in
    a row, or all for `lasting` seconds; `times` counts storms.
    """

    name: str
    p: float = 0.0
    nth: int = 0
    times: int = 0
    burst: int = 1
    lasting: float = 0.0
    match: str = ""  #: part of `METHOD /path`; empty: that of the table
    status: int = 0  #: 0: that of the table
    seconds: float = -1.0  #: negative: those of the table
    retry_after: str = ""  #: the header of a 429, 423 or 477, whatever it says
    to: str = ""  #: where a redirect leads: scheme, host and port; empty: the same
    seen: int = 0  #: matching requests since it was switched on
    struck: int = 0  #: requests that it met
    storms: int = 0  #: strikes, of which each meets one request or more
    left: int = 0  #: requests that the present storm still meets
    until_s: float = 0.0  #: when it ends

    @property
    def kind(self) -> Kind:
        """The table's line, with this fault's own status, seconds and match."""
        kind = TABLE[self.name]
        seconds = kind.seconds if self.seconds < 0 else self.seconds
        return kind._replace(status=self.status or kind.status, seconds=seconds, match=self.match or kind.match)


#: What a fault counts by itself.
_COUNTED: Final = frozenset({"seen", "struck", "storms", "left", "until_s"})


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

    def draw(self, work: str, where: str, now_s: float) -> Fault | None:
        """The first fault that strikes this request; `where` is `METHOD /path`."""
        for fault in self.switched_on:
            kind = fault.kind
            if work in kind.on and kind.match in where and self._strikes(fault, now_s):
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
        kinds = [fault.kind for fault in self.switched_on]
        return max((k.seconds if k.commit == "late" else k.waits_s for k in kinds if k.commit != "never"), default=0.0)

    def _strikes(self, fault: Fault, now_s: float) -> bool:
        fault.seen += 1
        if fault.left > 0 or now_s < fault.until_s:
            fault.left -= 1
            return True
        if fault.times and fault.storms >= fault.times:
            return False
        if not ((self._chance.random() < fault.p) if fault.p else fault.seen >= fault.nth):
            return False
        fault.storms += 1
        fault.left, fault.until_s = fault.burst - 1, now_s + fault.lasting
        return True


def parse(spec: str | Mapping[str, Any]) -> Fault:
    """The fault that a text or a JSON object asks for; `UsageError` names what can be asked for."""
    if isinstance(spec, str):
        name, _, rest = spec.partition(":")
        given: dict[str, Any] = {"name": name.strip()}
        given |= {k.strip(): v.strip() for k, _, v in (part.partition("=") for part in rest.split(",") if part.strip())}
    else:
        given = dict(spec)
    settable = {f.name for f in fields(Fault)} - _COUNTED
    if given.get("name") not in TABLE:
        raise UsageError(f"There is no fault {given.get('name')!r}.", hint=f"There are: {', '.join(TABLE)}.")
    if unknown := sorted(set(given) - settable):
        raise UsageError(f"A fault has no setting {unknown[0]!r}.", hint=f"There are: {', '.join(sorted(settable))}.")
    types = get_type_hints(Fault)
    try:
        return Fault(**{name: _read(name, types[name], value) for name, value in given.items()})
    except (TypeError, ValueError, OverflowError) as problem:
        raise UsageError(
            f"The fault {spec!r} has a setting that will not do: {problem}.", hint="E.g. latency:p=0.1,seconds=2"
        ) from None


def _read(name: str, kind: type, value: Any) -> Any:
    if name in {"seconds", "lasting"} and isinstance(value, str):
        return duration(value)
    read = kind(value)
    if isinstance(read, int | float) and not abs(read) < 2**53:
        raise ValueError(f"{name} {value}")
    if name == "status" and read and not 200 <= read <= 599:
        raise ValueError(f"status {value} is not one of 200 to 599")
    return read
