"""What a run says in the end: one object for machines, one table for people."""

from __future__ import annotations

from collections.abc import Mapping

from etl.errors import Imbalance
from etl.flow import Json, Tally

KEYS = ("read", "created", "updated", "already", "skipped", "merged", "rejected", "parked", "unresolved", "not_tried")
_MEANING = {
    "read": "rows of the file",
    "created": "created by this run",
    "updated": "updated by this run",
    "already": "created before, or the same row once more",
    "skipped": "left out by a rule",
    "merged": "merged into another row",
    "rejected": "refused, with the reason",
    "parked": "waiting for a contact",
    "unresolved": "fate unknown, listed",
    "not_tried": "planned, not sent yet",
}


def check_balance(tally: Tally) -> None:
    """Raises `Imbalance` unless every row has exactly one fate."""
    if not tally.balanced:
        fates = ", ".join(f"{name} {getattr(tally, name)}" for name in KEYS)
        raise Imbalance(
            f"The tally does not add up: {fates}; carried {tally.carried}.",
            hint="This is a bug of etl. Nothing is lost: the checkpoint holds the state of every row. Please report it.",
        )


def summary(tally: Tally, files: Mapping[str, str], seconds: float) -> Json:
    """The object that `--json` prints."""
    return {
        **{name: getattr(tally, name) for name in KEYS},
        "carried": tally.carried,
        "balanced": tally.balanced,
        "changed": tally.changed,
        "conflicts": tally.conflicts,
        "adopted": tally.adopted,
        "undone": tally.undone,
        "vanished": tally.vanished,
        "by_type": tally.by_type,
        "links": tally.links,
        "skipped_by": tally.skipped_by,
        "rejected_by": tally.rejected_by,
        "files": dict(files),
        "seconds": round(seconds, 3),
    }


def lines(found: Json, *, planned: bool = False) -> list[tuple[str, str, str]]:
    """A summary as rows of a table: what, how many, and what is in it. Fates without rows are left out."""
    table = []
    for name in KEYS:
        if not found[name] and name not in ("read", "created"):
            continue
        detail = _MEANING[name]
        if planned and name == "not_tried":
            detail = "to be created: " + _inside(found["by_type"])
        elif name == "created" and found["by_type"] and not planned:
            detail = _inside(found["by_type"])
        elif name == "already":
            detail = "; ".join([_MEANING[name], *_among_already(found)])
        elif name in ("skipped", "rejected") and found[f"{name}_by"]:
            detail = _inside(found[f"{name}_by"])
        table.append((name.replace("_", " "), f"{found[name]:,}", detail))
    if found["links"]:
        table.append(("links", f"{sum(found['links'].values()):,}", _inside(found["links"])))
    if found.get("vanished"):
        table.append(("vanished", f"{found['vanished']:,}", "created before, of the same time, and not in the input"))
    if found["carried"].get("rows"):
        fates = {name: n for name, n in found["carried"].items() if name != "rows"}
        table.append(("carried", f"{found['carried']['rows']:,}", f"open rows of earlier inputs: {_inside(fates)}"))
    return table


def _among_already(found: Json) -> list[str]:
    """What is to be said of rows that were there before."""
    said = (
        ("changed", "differ now and stay as they are (--update-changed patches them)"),
        ("conflicts", "of these were changed or deleted in the account since"),
        ("adopted", "were logged by another integration"),
        ("undone", "were taken back and are not created again (--again does)"),
    )
    return [f"{found[name]:,} {what}" for name, what in said if found.get(name)]


def _inside(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items(), key=lambda pair: -pair[1]))
