"""`etl undo`: a run taken back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from etl.cli import options, show
from etl.cli.sending import Order, carry_out
from etl.errors import EXIT_INCOMPLETE, InputError, UsageError

if TYPE_CHECKING:
    from etl.checkpoint.store import Checkpoint
    from etl.cli.account import Account
    from etl.flow import Json

EXIT_DIFFERS = 4


class Found(NamedTuple):
    """A run and the checkpoint that knows it."""

    path: Path
    namespace: str
    run: int
    name: str


@click.command()
@click.argument("run")
@click.option("--row", metavar="KEY", help="Only this row, by import key, source id or id in the account.")
@click.option("--yes", is_flag=True, help="Do it; without, only show what would be done.")
@click.option("--even-if-edited", is_flag=True, help="Also records that a person has changed since.")
@options.account
@options.sending
@options.as_json
def undo(run: str, *, row: str | None, yes: bool, even_if_edited: bool, as_json: bool, **given: Any) -> int:
    """Archive what RUN created and restore what it updated; `etl status` lists runs. `last` is the newest one.

    Shows what would be done unless --yes is given. Each record is read first: one that a person has changed since, or
    that does not carry its import key, is left alone and listed. Stopped at any moment, the same command goes on. Rows
    that were taken back are not created again by a later run unless it is told --again.
    """
    from etl.checkpoint import changes
    from etl.cli.account import open_account

    where, how = options.split(given)
    begun_s = monotonic()
    with open_account(where, reserve=how["reserve"]) as account:
        found = _find(run, where["checkpoint"], account)
        with account.checkpoint(found.namespace, found.path) as opened:
            number = None if row is None else _row(opened, row, found.namespace)
            before = changes.undoing(opened, found.run, number)
            _say(found, before, as_json=as_json, done=yes)
            if not yes:
                if as_json:
                    show.json_object({"run": found.name, "dry_run": True, **before._asdict()})
                else:
                    show.last_lines([("next", f"{show.program()} undo {found.name} --yes   # does it")])
                return 0
            result = _undo(opened, account, found, number, where["api"], how, begun_s, even_if_edited=even_if_edited)
    if as_json:
        show.json_object(result)
    else:
        _show(result)
    if error := result.get("error"):
        show.say(f"error: {error['message']}\n  do: {error['hint']}")
    return int(result["exit"])


def _find(name: str, path: Path | None, account: Account) -> Found:
    """The run of this name, or the only one whose name begins so, in the checkpoints of the account."""
    from etl.checkpoint.store import peek

    paths = [path] if path else sorted((options.STATE / account.name).glob("*.sqlite"))
    runs: list[Found] = []
    for each in paths:
        with closing(peek(each)) as opened:
            namespace = str(opened.rows("SELECT value FROM meta WHERE name = 'namespace'")[0][0])
            runs += [Found(each, namespace, int(n), str(of)) for n, of in opened.rows(_RUNS)]
    if name == "last" and runs:
        return max(runs, key=lambda each: each.name)
    exact = [each for each in runs if each.name == name] or [each for each in runs if each.name.startswith(name)]
    if len(exact) != 1:
        what = f"There is no run {name}." if not exact else f"{len(exact)} runs have names that begin with {name}."
        raise InputError(what, hint="`etl status` lists the runs of every checkpoint.")
    return exact[0]


#: Runs that take another one back are none that could be taken back.
_RUNS = "SELECT id, name FROM run WHERE id NOT IN (SELECT run FROM change WHERE undoes IS NOT NULL AND run IS NOT NULL)"


def _row(opened: Checkpoint, text: str, namespace: str) -> int:
    from etl.checkpoint import history

    found = history.find(opened, text, namespace)
    if len(found) != 1:
        hint = "Give the import key, the id in the source, or the id in the account."
        raise UsageError(f"{len(found)} rows are {text}.", hint=hint)
    return found[0]


def _say(found: Found, before: Any, *, as_json: bool, done: bool) -> None:
    from etl.checkpoint.changes import Undoing

    assert isinstance(before, Undoing)
    types = sorted({*before.archive, *before.restore})
    rows = [
        [f"{type_}", f"{before.archive.get(type_, 0):,}", f"{before.restore.get(type_, 0):,}"] for type_ in types
    ]  # fmt: skip
    if not as_json and not done:
        show.table(
            f"undo {found.name}: what would be done", rows or [["nothing", "0", "0"]], ("", "archive", "restore")
        )
    if before.overtaken:
        show.say(f"{before.overtaken:,} rows were updated again by a later run: take that one back first.")
    if before.unknown:
        show.say(
            f"{before.unknown:,} rows of that run are of unknown fate and are not touched: `etl retry --unknown` first."
        )


def _undo(
    opened: Checkpoint, account: Account, found: Found, row: int | None, wire: str, how: options.SendOptions,
    begun_s: float, *, even_if_edited: bool,
) -> Json:  # fmt: skip
    from etl.checkpoint import changes, journal
    from etl.report import files as run_files

    name = run_files.run_name()
    number = journal.begin_run(opened, name, None, wire=wire)
    changes.plan_undo(opened, found.run, row)
    folder = options.STATE / account.name / "runs" / name
    order = Order(0, number, folder, wire, overwrite=even_if_edited, undoes=found.run)
    result = carry_out(opened, account, order, how, begun_s)
    if not result.get("error"):
        wrong = account.runner.run(_verify(opened, account, found.run))
        result["still_there"] = wrong
        left = result["conflict"] + result["failed"]
        result["exit"] = result["exit"] or (EXIT_DIFFERS if wrong else EXIT_INCOMPLETE if left else 0)
    result["run"] = found.name
    return result


async def _verify(opened: Checkpoint, account: Account, run: int) -> int:
    """How many records that were archived are still there when they are read back."""
    there = 0
    found = opened.rows(
        """SELECT type, c.remote_id FROM change AS c JOIN row ON row.id = c.row
           WHERE c.undoes = ? AND c.what = 'archive' AND c.state = 'done' ORDER BY type""", run
    )  # fmt: skip
    for type_ in sorted({type_ for type_, _ in found}):
        ids = [remote_id for of, remote_id in found if of == type_]
        for start in range(0, len(ids), 1_000):
            there += len(await account.target.read(type_, ids[start : start + 1_000]))
    return there


def _show(result: Json) -> None:
    rows = [(name.replace("_", " "), f"{result[name]:,}", what) for name, what in _MEANING.items() if name in result]
    show.table(f"undo: {result['run']}", rows)
    show.last_lines([*result["files"].items(), ("next", f"{show.program()} status   # what the checkpoints hold")])


_MEANING = {
    "archived": "taken out of the account, each read back",
    "restored": "as they were before that run",
    "conflict": "left alone: changed by a person, or not ours (--even-if-edited takes those that were changed)",
    "failed": "refused by HubSpot",
    "waiting": "not tried yet: the same command goes on",
    "still_there": "archived, and still there when read back",
}
