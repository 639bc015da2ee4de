"""`etl run`: an export in, engagements out."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Unpack

import click

from etl.cli import options, show
from etl.cli.options import AccountOptions
from etl.cli.plan import staged, usable_mapping
from etl.errors import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED, EtlError

if TYPE_CHECKING:
    from etl.checkpoint.store import Checkpoint
    from etl.cli.account import Account
    from etl.flow import Json, Outcome
    from etl.mapping.model import Mapping
    from etl.pipeline import MaxRejects


@click.command()
@options.planning
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long a create may take to become readable; default 120, in a sandbox what it announces.",
)
@options.as_json
def run(
    files: tuple[Path, ...], mapping: str, limit: int | None, max_rejects: MaxRejects, settle: float | None,
    *, as_json: bool, **where: Unpack[AccountOptions],
) -> int:  # fmt: skip
    """Import FILE... through MAPPING: every row is created once, or accounted for.

    Stop it at any moment, by Ctrl-C or by force; the same command goes on and creates nothing twice. Ends with 0 when
    all is well, 3 when rows were rejected or are unresolved; other codes say what to do.
    """
    from etl.checkpoint import journal
    from etl.cli.account import open_account
    from etl.report import files as run_files

    begun = monotonic()
    loaded = usable_mapping(mapping, files)
    with open_account(where) as account, account.checkpoint(loaded, where["checkpoint"]) as opened:
        name = run_files.run_name()
        folder = options.STATE / account.name / "runs" / name
        plan = staged(opened, loaded, files, account, folder, limit, max_rejects)
        number = journal.begin_run(opened, name, plan)
        stopped = EXIT_OK
        error: EtlError | None = None
        try:
            _look_again(opened, plan, number, account, loaded)
            settle_s = account.settle_s if settle is None else settle
            # A look before going on must not send what an earlier plan left.
            stopped = _send(opened, number, account, where["api"], settle_s, plan if limit else None)
        except EtlError as e:
            error = e
        found = _finish(opened, plan, number, folder, begun)
    if error:
        found["error"] = error.as_json()
        error.said = as_json
    _show(found, f"{', '.join(map(str, files))} with {loaded.name}", mapping, as_json=as_json)
    if error:
        raise error
    return stopped or (EXIT_INCOMPLETE if _left_open(found) else EXIT_OK)


def _left_open(found: Json) -> bool:
    """Whether rows, also of earlier inputs, were rejected or are unresolved."""
    return any(part.get(fate) for part in (found, found["carried"]) for fate in ("rejected", "unresolved"))


def _look_again(opened: Checkpoint, plan: int, run_: int, account: Account, mapping: Mapping) -> None:
    """Parked rows of earlier nights may have found their contact."""
    from etl import pipeline
    from etl.checkpoint import directory

    pipeline.look_again(opened, plan, run_, mapping, directory.remembered(opened, account.ask))


def _send(opened: Checkpoint, run_: int, account: Account, wire: str, settle_s: float, only: int | None) -> int:
    """Sends what is planned; gives the exit code of a signal, or 0."""
    from etl import pipeline

    waiting = opened.one("SELECT count(*) FROM row WHERE state IN ('planned', 'unknown')")
    if not waiting:
        return EXIT_OK

    async def sending() -> int:
        stop = asyncio.Event()
        code = EXIT_OK

        def on_signal(number: int) -> None:
            nonlocal code
            if stop.is_set():
                os._exit(code)  # a second one leaves at once: what is in flight is settled by the next start
            code = EXIT_INTERRUPTED if number == signal.SIGINT else EXIT_TERMINATED
            show.say("Stopping: nothing more is sent; waiting for the answers under way (again: leave at once).")
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
        with show.progress("sending", waiting) as advance:

            def on_outcomes(outcomes: list[Outcome]) -> None:
                advance(sum(outcome.state not in ("planned", "unknown") for outcome in outcomes))

            await account.target.prepare()
            await pipeline.send(
                opened,
                run_,
                account.connect,
                wire,
                settle_s=settle_s,
                stop=stop,
                only_plan=only,
                on_outcomes=on_outcomes,
            )
        return code

    return account.runner.run(sending())


def _finish(opened: Checkpoint, plan: int, run_: int, folder: Path, begun: float) -> Json:
    """The run's summary, with its files written and its tally checked."""
    from etl.checkpoint import counts, journal
    from etl.report import files as run_files
    from etl.report import summary

    tally = counts.tally(opened, plan, run_)
    tally.read = counts.rows_read(opened, plan)
    written = run_files.write_run_files(opened, plan, folder, run_)
    written["summary"] = str(folder / "summary.json")
    written["checkpoint"] = str(opened.path)
    found = summary.summary(tally, written, monotonic() - begun)
    run_files.write_summary(folder / "summary.json", found)
    journal.end_run(opened, run_, complete=not tally.not_tried and not opened.one(
        "SELECT count(*) FROM row WHERE state IN ('planned', 'in_flight', 'unknown')"))  # fmt: skip
    summary.check_balance(tally)
    return found


def _show(found: Json, what: str, mapping: str, *, as_json: bool) -> None:
    from etl.report import summary

    if as_json:
        show.json_object(found)
        return
    show.table(f"run: {what}", summary.lines(found))
    if (
        not found["by_type"]
        and found["already"] + found["skipped"] + found["rejected"] + found["parked"] == found["read"]
    ):
        show.say("Nothing new to create.")
    show.last_lines([*found["files"].items(), ("next", _next(found, mapping))])


def _next(found: Json, mapping: str) -> str:
    again = shlex.join([show.program(), *sys.argv[1:]])
    if found["not_tried"] or found["unresolved"]:
        return f"{again}   # goes on where this run stopped"
    rejects = [path for name, path in found["files"].items() if name.startswith("rejects")]
    if rejects:
        return f"{show.program()} run {shlex.join(rejects)} -m {shlex.quote(mapping)}   # once its rows are corrected"
    return f"{show.program()} status   # what the checkpoints hold"
