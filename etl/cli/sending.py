"""Half two as a command carries it out: signals, the end of the time allowed, progress, the files and the last lines."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from etl.cli import show
from etl.cli.options import SendOptions
from etl.errors import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED, EtlError, TryLater

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Event

    from etl.checkpoint.store import Checkpoint
    from etl.cli.account import Account
    from etl.flow import Json, Outcome

#: Kept free before the end of the time allowed, beside the reading back: an answer may take so long.
ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent, and how."""

    plan: int
    run: int
    folder: Path  #: where the run's files go
    wire: str
    only_plan: int | None = None  #: send rows of this plan only
    max_refused: float = 0.2
    update: bool = False  #: change rows that were created with other content
    overwrite: bool = False  #: also those that a person changed since
    undoes: int | None = None  #: send nothing new; take this run back


def carry_out(opened: Checkpoint, account: Account, order: Order, options: SendOptions, begun_s: float) -> Json:
    """Sends, writes the run's files and gives its summary; `error` in it says why it ended early, `exit` with what code.

    `begun_s` is the monotonic time at which the command began.
    """
    error: EtlError | None = None
    stopped = EXIT_OK
    try:
        stopped = _send(opened, account, order, options, _end_s(options, begun_s))
    except EtlError as e:
        error = e
    found = _finish(opened, order, begun_s)
    if error is None and stopped == TryLater.exit_code and _open_rows(opened, order):
        error = TryLater(
            "The time allowed is over; what is left is planned.", hint="The same command goes on.", code="time_over"
        )
    if error:
        found["error"] = error.as_json()
    signalled = stopped in (EXIT_INTERRUPTED, EXIT_TERMINATED)
    found["exit"] = error.exit_code if error else stopped if signalled else _verdict(found)
    return found


def show_result(found: Json, what: str, again: str, *, as_json: bool) -> int:
    """Shows a summary, with `again` as the command that loads corrected rejects; gives the exit code."""
    from etl.report import summary

    if as_json:
        show.json_object(found)
    else:
        show.table(what, summary.lines(found))
        if not found["by_type"] and found["read"] == sum(found[fate] for fate in _NOTHING_NEW):
            show.say("Nothing new to create.")
        show.last_lines([*found["files"].items(), ("next", _next(found, again))])
    if error := found.get("error"):
        show.say(f"error: {error['message']}\n  do: {error['hint']}")
    return int(found["exit"])


_NOTHING_NEW = ("already", "skipped", "rejected", "parked")


def _verdict(found: Json) -> int:
    """3 if rows, also of earlier inputs, were rejected or are unresolved."""
    parts = (found, found.get("carried", {}))
    left = any(part.get(fate) for part in parts for fate in ("rejected", "unresolved"))
    return EXIT_INCOMPLETE if left else EXIT_OK


def _end_s(options: SendOptions, begun_s: float) -> float | None:
    """The monotonic time at which the run has to be over."""
    ends = []
    if options["max_duration"] is not None:
        ends.append(begun_s + options["max_duration"])
    if options["stop_at"] is not None:
        now = datetime.now().astimezone()
        at = now.replace(hour=options["stop_at"].hour, minute=options["stop_at"].minute, second=0, microsecond=0)
        ends.append(monotonic() + ((at if at > now else at + timedelta(days=1)) - now).total_seconds())
    return min(ends, default=None)


def _open_rows(opened: Checkpoint, order: Order) -> int:
    from etl.checkpoint import changes

    if order.undoes:
        return changes.waiting(opened, order.undoes)
    rows = opened.one("SELECT count(*) FROM row WHERE state IN ('planned', 'in_flight', 'unknown')")
    return rows + (changes.waiting(opened, None) if order.update else 0)


def _send(opened: Checkpoint, account: Account, order: Order, options: SendOptions, end_s: float | None) -> int:
    """Sends what is planned; gives the exit code of a signal, 75 when the time was over, or 0."""
    import asyncio  # here, because every command of the program imports this module

    from etl import pipeline
    from etl.attach import Attaching, upload_changed
    from etl.change import Changing, change
    from etl.checkpoint import changes

    new = 0 if order.undoes else opened.one("SELECT count(*) FROM row WHERE state IN ('planned', 'unknown')")
    changed = changes.waiting(opened, order.undoes) if order.update or order.undoes else 0
    if not (waiting := new + changed):
        return EXIT_OK
    settle_s = account.settle_s if options["settle"] is None else options["settle"]

    async def sending() -> int:
        loop, stop, closing = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        codes = _listen(loop, stop, closing)
        if end_s is not None:
            _end_in(loop, end_s - monotonic(), settle_s, stop, closing)
        with show.progress("sending", waiting) as advance:

            def on_outcomes(outcomes: list[Outcome]) -> None:
                advance(sum(outcome.state not in ("planned", "unknown") for outcome in outcomes))

            await account.target.prepare()
            if new:
                await pipeline.send(
                    opened, order.run, account.connect, order.wire, settle_s=settle_s, stop=stop, closing=closing,
                    only_plan=order.only_plan, max_refused=order.max_refused, on_outcomes=on_outcomes, on_notice=show.say,
                )  # fmt: skip
            if changed:
                if not order.undoes:
                    await upload_changed(
                        Attaching(opened, order.run, account.connect(order.wire), stop, closing, show.say)
                    )
                await change(
                    Changing(opened, order.run, account.connect(order.wire), settle_s, stop, closing, order.undoes,
                             order.overwrite, advance, show.say)
                )  # fmt: skip
        return codes[0] if codes else TryLater.exit_code if closing.is_set() else EXIT_OK

    return account.runner.run(sending())


def _listen(loop: AbstractEventLoop, stop: Event, closing: Event) -> list[int]:
    """Lets Ctrl-C and SIGTERM ask for an orderly stop; the list that is given holds the exit code once one did."""
    codes: list[int] = []

    def on_signal(number: int) -> None:
        if codes:
            os._exit(codes[0])  # a second one leaves at once: what is in flight is settled by the next start
        codes.append(EXIT_INTERRUPTED if number == signal.SIGINT else EXIT_TERMINATED)
        show.say("Stopping: nothing more is sent; waiting for the answers under way (again: leave at once).")
        closing.set()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    return codes


def _end_in(loop: AbstractEventLoop, left_s: float, settle_s: float, stop: Event, closing: Event) -> None:
    """Stops sending early enough for what is unknown to be settled, and everything when the time is over."""
    left_s = max(0.0, left_s)
    margin_s = min(left_s / 2, 1.5 * settle_s + ANSWER_S)
    loop.call_later(left_s - margin_s, closing.set)
    loop.call_later(left_s, stop.set)


def _finish(opened: Checkpoint, order: Order, begun_s: float) -> Json:
    """The run's summary, with its files written and its tally checked."""
    if order.undoes:
        return _finish_undo(opened, order, order.undoes, begun_s)
    from etl.checkpoint import counts, journal
    from etl.report import files as run_files
    from etl.report import summary

    tally = counts.tally(opened, order.plan, order.run)
    tally.read = counts.rows_read(opened, order.plan)
    written = run_files.write_run_files(opened, order.plan, order.folder, order.run)
    written["summary"] = str(order.folder / "summary.json")
    written["checkpoint"] = str(opened.path)
    found = summary.summary(tally, written, monotonic() - begun_s)
    run_files.write_summary(order.folder / "summary.json", found)
    journal.end_run(opened, order.run, complete=not tally.not_tried and not _open_rows(opened, order))
    summary.check_balance(tally)
    return found


def _finish_undo(opened: Checkpoint, order: Order, undoes: int, begun_s: float) -> Json:
    """The same for a run that takes another one back."""
    from etl.checkpoint import changes, journal
    from etl.report import files as run_files

    counted = changes.counted(opened, undoes=undoes)
    left = sum(counted.get((what, state), 0) for what in _UNDONE for state in ("planned", "in_flight", "unknown"))
    found: Json = {
        **{name: counted.get((what, "done"), 0) for what, name in _UNDONE.items()},
        **{state: sum(counted.get((what, state), 0) for what in _UNDONE) for state in ("conflict", "failed")},
        "waiting": left,
        "files": {"undo": str(order.folder / "undo.csv"), "checkpoint": str(opened.path)},
        "seconds": round(monotonic() - begun_s, 3),
    }
    run_files.write_changes(order.folder / "undo.csv", changes.told(opened, undoes=undoes))
    run_files.write_summary(order.folder / "summary.json", found)
    journal.end_run(opened, order.run, complete=not left)
    return found


_UNDONE = {"archive": "archived", "restore": "restored"}


def _next(found: Json, again: str) -> str:
    if found["not_tried"] or found.get("error"):
        return f"{shlex.join([show.program(), *sys.argv[1:]])}   # goes on where this run stopped"
    if found["unresolved"]:
        return f"{show.program()} retry --unknown   # reads the account for them again"
    rejects = [path for name, path in found["files"].items() if name.startswith("rejects")]
    if rejects:
        return f"{show.program()} run {shlex.join(rejects)} {again}   # once its rows are corrected"
    return f"{show.program()} status   # what the checkpoints hold"
