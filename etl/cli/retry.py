"""`etl retry`: another attempt at what earlier runs could not find out, could not link, or had refused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from etl.cli import options, show
from etl.cli.sending import Order, carry_out, show_result
from etl.errors import InputError, UsageError

if TYPE_CHECKING:
    from etl.checkpoint.store import Checkpoint
    from etl.cli.account import Account
    from etl.mapping.model import Mapping


class Asked(NamedTuple):
    """What is to be tried again."""

    unknown: bool
    parked: bool
    rejected: str  #: a code; empty for none
    reconcile: bool
    mapping: Mapping | None  #: what parked rows, and rows refused before sending, need

    @property
    def states(self) -> tuple[str, ...]:
        """The states of rows that are meant."""
        named = {"unresolved": self.unknown, "parked": self.parked}
        every = ("planned", "parked", "unknown", "unresolved") if self.reconcile else ()
        return tuple({*every, *(state for state, asked in named.items() if asked)})

    @property
    def words(self) -> list[str]:
        """The same for people."""
        named = {"unresolved": self.unknown, "parked": self.parked, "open": self.reconcile}
        refused = [f"refused with {self.rejected}"] if self.rejected else []
        return [word for word, asked in named.items() if asked] + refused


@click.command()
@click.option("--unknown", is_flag=True, help="Rows whose fate is unresolved: read the account for them again.")
@click.option("--parked", is_flag=True, help="Rows that wait for a contact: look again. Needs --mapping.")
@click.option("--rejected", metavar="CODE", default="", help="Rows refused with this code (`etl errors` lists them).")
@click.option("--reconcile", is_flag=True, help="Read the account before anything is sent, as `run --reconcile` does.")
@click.option("-m", "--mapping", type=options.MappingName(), help="For --parked, and for rows refused before sending.")
@options.account
@options.sending
@options.as_json
def retry(
    *, unknown: bool, parked: bool, rejected: str, reconcile: bool, mapping: str | None, as_json: bool, **given: Any
) -> int:
    """Try again what earlier runs left open, of every checkpoint of the account (of --mapping's, or of --checkpoint).

    With --unknown, each unresolved row is looked for in the account: found, it is created; proved absent, it is sent.
    What stays in doubt stays unresolved. With --rejected, rows that HubSpot refused are sent as they were planned; rows
    that were refused before sending are read again, from the cells that the checkpoint kept, through --mapping.
    """
    from etl.cli.account import open_account

    if not (unknown or parked or rejected or reconcile):
        hint = "Say what to try again: --unknown, --parked, --rejected CODE or --reconcile."
        raise UsageError("Nothing was asked for.", hint=hint)
    if parked and mapping is None:
        raise UsageError("Parked rows are linked as a mapping says.", hint="Give the mapping: -m MAPPING.")
    asked = Asked(unknown, parked, rejected, reconcile, _mapping(mapping))
    where, how = options.split(given)
    code = 0
    with open_account(where, reserve=how["reserve"]) as account:
        chosen = list(_chosen(account, where["checkpoint"], asked))
        for path, namespace in chosen:
            with account.checkpoint(namespace, path) as opened:
                code = max(code, _retry(opened, account, where["api"], how, asked, as_json=as_json))
    if not chosen:
        show.say(f"No row is {' or '.join(asked.words)}.")
        if as_json:
            show.json_object({"retried": 0})
    return code


def _mapping(name: str | None) -> Mapping | None:
    from etl.mapping import load

    return load(name) if name is not None else None


def _chosen(account: Account, path: Path | None, asked: Asked) -> list[tuple[Path, str]]:
    """The checkpoints that have rows which are meant, each with its namespace."""
    from etl.checkpoint.store import peek

    folder = options.STATE / account.name
    own = [folder / f"{asked.mapping.namespace}.sqlite"] if asked.mapping else sorted(folder.glob("*.sqlite"))
    found = []
    for each in [path] if path else own:
        with closing(peek(each)) as opened:
            if _rows(opened, asked):
                found.append((each, str(opened.rows("SELECT value FROM meta WHERE name = 'namespace'")[0][0])))
    return found


def _rows(opened: Checkpoint, asked: Asked) -> int:
    """How many rows are meant."""
    from etl.checkpoint import counts

    by_state = counts.states(opened)
    rows = sum(by_state.get(state, 0) for state in asked.states)
    if asked.rejected:
        rows += counts.rejected_later(opened, asked.rejected)
        rows += counts.rejected_by_half_one(opened, _newest(opened)).get(asked.rejected, 0)
    return rows


def _newest(opened: Checkpoint) -> int:
    return opened.one("SELECT max(id) FROM plan WHERE finished AND NOT looked")


def _retry(
    opened: Checkpoint, account: Account, wire: str, how: options.SendOptions, asked: Asked, *, as_json: bool
) -> int:
    from etl import pipeline
    from etl.checkpoint import directory, journal
    from etl.report import files as run_files

    begun_s, rows = monotonic(), _rows(opened, asked)
    name = run_files.run_name()
    folder = options.STATE / account.name / "runs" / name
    plan = _planned_again(opened, account, asked, folder) or _newest(opened)
    number = journal.begin_run(opened, name, plan, wire=wire, reconcile=asked.reconcile)
    if asked.unknown:
        journal.retry_unresolved(opened)
    if asked.rejected:
        journal.retry_rejected(opened, asked.rejected)
    if asked.mapping:
        with opened.transaction() as db:
            db.execute("DELETE FROM directory")  # what was not found is asked once more
        pipeline.look_again(opened, 0, number, asked.mapping, directory.remembered(opened, account.ask))
    found = carry_out(opened, account, Order(plan, number, folder, wire), how, begun_s)
    return show_result(found, f"retry: {rows:,} rows of {opened.path}", "-m MAPPING", as_json=as_json)


def _planned_again(opened: Checkpoint, account: Account, asked: Asked, folder: Path) -> int | None:
    """A new plan of the rows that the newest one refused with the code; None where there are none."""
    from etl.checkpoint import counts
    from etl.cli.plan import staged, usable_mapping
    from etl.flow import MaxRejects
    from etl.report.files import reject_file
    from etl.workers import ONE_CORE

    newest = _newest(opened)
    if not asked.rejected or not counts.rejected_by_half_one(opened, newest).get(asked.rejected):
        return None
    if asked.mapping is None or asked.mapping.file is None:
        raise UsageError("These rows were refused before anything was sent.", hint="Give the mapping: -m MAPPING.")
    files = []
    for number, _, header in counts.inputs(opened, newest):
        path = folder / f"retry-{number}.csv"
        chosen = [r for r in counts.rejects(opened, number) if r.problems[0].code == asked.rejected and r.cells]
        if chosen:
            with reject_file(path, header) as write:
                write(chosen)
            files.append(path)
    if not files:
        raise InputError("The cells of these rows could not be read.", hint="Correct them in the run's reject file.")
    mapping, inputs = usable_mapping(str(asked.mapping.file), tuple(files), None, None)
    return staged(opened, mapping, inputs, account, folder, None, MaxRejects(share=1.0), ONE_CORE)
