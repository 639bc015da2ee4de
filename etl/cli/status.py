"""`etl status`: what the checkpoints hold."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl.cli import options, show
from etl.errors import InputError

if TYPE_CHECKING:
    from etl.flow import Json

STATES = ("created", "planned", "in_flight", "unknown", "unresolved", "parked", "rejected", "adopted", "undone")
#: Rows that were refused before anything was sent are in no state: they were never taken in.
_LABELS = {"in_flight": "in flight", "rejected": "refused by HubSpot"}
RUNS = 5  #: shown of each checkpoint
COLUMNS = ("read", "created", "already", "skipped", "rejected", "parked", "unresolved", "not_tried")


@click.command()
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Only this one; default: all below .etl/")
@options.as_json
def status(checkpoint: Path | None, *, as_json: bool) -> None:
    """Show what every checkpoint below .etl/ holds: its last run, and all its rows by state. Also while one runs."""
    paths = [checkpoint] if checkpoint else sorted(p for p in options.STATE.glob("*/*.sqlite") if p.is_file())
    if not paths:
        raise InputError("There is no checkpoint below .etl/ yet.", hint="`etl run FILE -m MAPPING` makes one.")
    found = [_last_run(path) for path in paths]
    if as_json:
        show.json_object({"checkpoints": found})
        return
    rows = [[_name(f), *(f"{f[column]:,}" for column in COLUMNS), f"{sum(f['links'].values()):,}"] for f in found]
    show.table("last run of each checkpoint", rows, ("", *(c.replace("_", " ") for c in COLUMNS), "links"))
    types = [[_name(f), kind, f"{rows:,}"] for f in found for kind, rows in f["by_type"].items()]
    if types:
        show.table("created by the last run, by type", types, ("", "type", "engagements"))
    states = [[_name(f), *(f"{f['rows_by_state'].get(state, 0):,}" for state in STATES)] for f in found]
    show.table("all rows of each checkpoint, of all runs", states, ("", *(_LABELS.get(s, s) for s in STATES)))
    runs = [
        [_name(f), r["run"], r["ended"] or "not ended", f"{r['created']:,}", f"{r['updated']:,}"]
        for f in found
        for r in f["runs"]
    ]
    if runs:
        show.table(
            f"the last {RUNS} runs (`etl undo RUN` takes one back)", runs, ("", "run", "ended", "created", "updated")
        )
    doubts = [[_name(f), f"{rows:,}", why] for f in found for why, rows in f["doubts"].items()]
    if doubts:
        show.table("unknown or unresolved, and why", doubts, ("", "rows", "reason"))
    left = any(f["not_tried"] or f["unresolved"] for f in found)
    advice = (
        "run the same command again: it goes on" if left else "correct the rejects and run them with the same mapping"
    )
    if not left and any(f["sandbox"] for f in found):
        advice = f"{show.program()} sandbox serve   # and open its page, to see the timelines"
    for f in found:
        if f["planning"]:
            click.echo(
                f"The newest plan of {_name(f)} is being made, or was left before it was whole ({f['read']:,} rows so far):"
                " nothing of it can be sent yet.\n"
            )
    files = [(f"{name} of {_name(f)}", path) for f in found for name, path in f["files"].items()]
    show.last_lines([*files, ("next", advice)])


def _name(found: Json) -> str:
    return str(found["namespace"])


def _last_run(path: Path) -> Json:
    """The summary of the newest plan of one checkpoint, as of now."""
    from etl.checkpoint import counts
    from etl.checkpoint.store import peek
    from etl.report import summary

    with closing(peek(path)) as opened:
        meta = dict(opened.rows("SELECT name, value FROM meta"))
        plan = opened.one("SELECT max(id) FROM plan")
        run = opened.one("SELECT max(id) FROM run WHERE plan = ?", plan) or None
        planning = bool(opened.rows("SELECT 1 FROM plan WHERE NOT finished"))
        tally = counts.tally(opened, plan, run)
        tally.read = counts.rows_read(opened, plan)
        name = opened.rows("SELECT name FROM run WHERE id = ?", run)
        states, doubts, runs = counts.states(opened), counts.doubts(opened), counts.runs(opened, RUNS)
    if run is None:
        tally.by_type, tally.links = {}, {}  # of what is planned: nothing is created yet
    folder = path.parent / "runs" / str(name[0][0]) if name else None
    rejects = sorted(folder.glob("rejects*.csv")) if folder else []
    found = summary.summary(tally, {f"rejects {i}" if i else "rejects": str(p) for i, p in enumerate(rejects)}, 0)
    return {"namespace": meta.get("namespace", path.stem), "portal": meta.get("portal", ""), "checkpoint": str(path),
            "sandbox": meta.get("portal", "").startswith("sandbox"), "rows_by_state": states, "doubts": doubts, "runs": runs,
            "planning": planning, **found}  # fmt: skip
