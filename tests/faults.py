"""How one request fares: what the account writes of it, and what the wire makes of the answer. No state in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from etl.flow import Engagement, Key, State
from etl.hubspot.target import Next, Verdict

POISON = b"poison"  #: a row with this in its payload is refused, alone or with its whole batch
#: How a request can fare. First those that are answered, then those whose answer is lost.
FAULTS = (
    "ok", "mixed", "split", "too large", "wait", "not sent", "stop", "redirect", "daily", "error before", "error after",
    "lost", "never", "late", "hang",
)  # fmt: skip
#: Of such a request nothing is written.
_NOT_WORKED_ON = ("too large", "wait", "not sent", "stop", "daily", "never")
_WHOLE: dict[str, Verdict] = {
    "too large": Verdict("split", "413"),
    "wait": Verdict("wait", "429 TEN_SECONDLY_ROLLING", wait_s=3.0),
    "not sent": Verdict("not_sent", "ConnectError"),
    "stop": Verdict("stop", "401", exit_code=77),
    "daily": Verdict("stop", "429 DAILY", exit_code=75),
    "redirect": Verdict("stop", "301", exit_code=78),
}


class Fault(NamedTuple):
    """How one request fares; the numbers are steps of a scale."""

    kind: str = "ok"
    part: int = 0  #: which rows, by their bits
    late: int = 0  #: 0 to 3: how long after the request's end it commits (`late`, `hang`)
    lag: int = 0  #: 0 to 3: how long after that reads show it


def written(rows: Sequence[Engagement], fault: Fault, *, strict: bool) -> list[Engagement]:
    """What the account writes of a request, now or later."""
    if fault.kind in _NOT_WORKED_ON and not (fault.kind == "too large" and len(rows) == 1):
        return []
    good = [row for row in rows if not _poisonous(row)]
    if fault.kind == "mixed" or _refused_whole(rows, fault, strict=strict):
        return [row for i, row in enumerate(good) if fault.part >> i % 6 & 2]
    return good


def judged(rows: Sequence[Engagement], fault: Fault, stored: set[Key], *, strict: bool) -> tuple[Verdict, list[State]]:
    """The verdict, and what becomes of each row."""
    if fault.kind in ("lost", "never", "late", "hang"):
        return Verdict("unknown", "ReadTimeout"), ["unknown"] * len(rows)
    if fault.kind in _WHOLE and not (fault.kind == "too large" and len(rows) == 1):
        verdict = _WHOLE[fault.kind]
        return verdict, ["unknown" if fault.kind == "redirect" else "planned"] * len(rows)
    if _refused_whole(rows, fault, strict=strict):
        return Verdict("split", "400 VALIDATION_ERROR"), ["unknown"] * len(rows)
    fates: list[State] = []
    for i, row in enumerate(rows):
        told = fault.kind != "mixed" or not fault.part >> i % 6 & 1
        fates.append("rejected" if _poisonous(row) else "created" if row.key in stored and told else "unknown")
    next_: Next = "done" if set(fates) == {"created"} else "refused" if fates == ["rejected"] else "per_row"
    return Verdict(next_, "200"), fates


def _poisonous(row: Engagement) -> bool:
    return POISON in row.payload


def _refused_whole(rows: Sequence[Engagement], fault: Fault, *, strict: bool) -> bool:
    """Whether the rows are a batch that is refused as one."""
    if len(rows) == 1:
        return False
    return fault.kind == "split" or (any(map(_poisonous, rows)) and (strict or bool(fault.part & 1)))
