"""Negative controls: loaders that lack a part of the protocol, under the same siege. It must catch them.

If it finds nothing, the harness is too weak to say anything about the loader that has all its parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.crash import account
from tests.crash.lives import wait
from tests.crash.siege import Siege, besieged, live

#: Later than the sending of what is left takes, after which a loader without the wait looks for what is in doubt.
LATE_S = 3.0


@dataclass(frozen=True, slots=True)
class Control:
    """A loader that lacks something, and the faults that show it."""

    lacks: str
    environment: dict[str, str]
    faults: tuple[str, ...]
    breaks: str = "I2"  #: what the harness must find broken
    wires: tuple[str, ...] = ("objects", "v1")
    first: tuple[str, ...] = ("",)  #: places at which its first lives end, "" for none: they are likely to show it


CONTROLS = {
    "no settle wait": Control(
        "reads back at once and believes the first look",
        {"NO_SETTLE": "1"},
        (f"late_commit:p=0.25,seconds={LATE_S:g}",),
    ),
    "retry on 5xx": Control(
        "sends again what had no answer", {"RETRY": "1"}, ("error_after:p=0.2,status=500", "commit_then_reset:p=0.1")
    ),
    "no pace": Control("sends as fast as it can", {"NO_PACE": "1"}, (), "I13"),
    "no recovery": Control(
        "leaves in flight what was so at its start", {"NO_RECOVERY": "1"}, (), "I6", first=("create.sent", "")
    ),
    "by place": Control("takes results in the order of what it sent", {"BY_PLACE": "1"}, (), "I4", ("objects",)),
}


def found(name: str, siege: Siege) -> int:
    """How often the siege found broken what that loader must break."""
    breaks = CONTROLS[name].breaks
    return siege.duplicates if breaks == "I2" else sum(text.startswith(breaks) for text in siege.wrong)


def caught(
    folder: Path, name: str, wire: str, seed: int, *, lives: int = 20, say: Callable[[str], None] = lambda _: None
) -> Siege:
    """The siege of a loader that lacks something, as soon as it is found out; or after so many lives."""
    control = CONTROLS[name]
    with besieged(folder, wire, seed, kills=lives, lag_s=0.05, say=say) as siege:
        siege.place.environment = control.environment
        account.strike(siege.place.url, control.faults, seed)
        siege.place.settle_s = account.settle_s(siege.place.url)
        for place in control.first:
            wait(siege.place.start(environment={"DOOM": place}))
            siege.lives += 1
            siege.verify()
        while not found(name, siege) and siege.lives < lives:
            live(siege)
        if not found(name, siege):
            time.sleep(LATE_S)
            siege.verify()
    return siege
