"""`etl run`: an export in, engagements out."""

from __future__ import annotations

import shlex
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from etl.cli import options, show
from etl.cli.plan import staged, usable_mapping
from etl.cli.sending import Order, carry_out, show_result

if TYPE_CHECKING:
    from etl.checkpoint.store import Checkpoint
    from etl.cli.account import Account
    from etl.flow import MaxRejects
    from etl.workers import Means


@click.command()
@options.planning
@options.sending
@options.changing
@click.option("--overwrite", is_flag=True, help="Update also what a person has changed in the account since.")
@click.option(
    "--reconcile", is_flag=True, help="Read the account before sending anything: for a lost or damaged checkpoint."
)
@options.as_json
def run(
    files: tuple[Path, ...], mapping: str, limit: int | None, max_rejects: MaxRejects,
    *, timezone: str | None, region: str | None, means: Means, reconcile: bool, as_json: bool,
    update_changed: bool, again: bool, adopt: bool, overwrite: bool,
    **given: Any,
) -> int:  # fmt: skip
    """Import FILE... through MAPPING: every row is created once, or accounted for.

    Stop it at any moment, by Ctrl-C or by force; the same command goes on and creates nothing twice. Ends with 0 when
    all is well, 3 when rows were rejected or are unresolved; other codes say what to do.
    """
    begun_s = monotonic()
    from etl import pipeline
    from etl.checkpoint import directory, journal
    from etl.cli.account import open_account
    from etl.report import files as run_files

    where, how = options.split(given)
    loaded, inputs = usable_mapping(mapping, files, timezone, region)
    with (
        open_account(where, reserve=how["reserve"]) as account,
        account.checkpoint(loaded.namespace, where["checkpoint"]) as opened,
    ):
        name = run_files.run_name()
        folder = options.STATE / account.name / "runs" / name
        update = update_changed or loaded.on_change == "update"
        plan = staged(opened, loaded, inputs, account, folder, limit, max_rejects, means, update=update, again=again)
        newcomers = pipeline.newcomers_of(opened, plan, loaded, limit=limit is not None)
        number = journal.begin_run(opened, name, plan, wire=where["api"], reconcile=reconcile)
        if newcomers:
            show.say(f"{newcomers:,} contacts are created first.")
            account.runner.run(
                pipeline.create_contacts(opened, plan, account.target, account.settle_s, limit=limit is not None)
            )
        # Parked rows of earlier nights may have found their contact; this night's may have got theirs, or waited long enough.
        pipeline.look_again(opened, 0, number, loaded, directory.remembered(opened, account.ask))
        if adopt:
            _adopt(opened, account, plan, number, where["api"])
        # A look before going on must not send what an earlier plan left.
        order = Order(
            plan, number, folder, where["api"], plan if limit else None, max(0.2, max_rejects.share), update, overwrite
        )
        found = carry_out(opened, account, order, how, begun_s)
    loads_again = f"-m {shlex.quote(mapping)}"
    return show_result(found, f"run: {', '.join(map(str, files))} with {loaded.name}", loads_again, as_json=as_json)


def _adopt(opened: Checkpoint, account: Account, plan: int, run: int, wire: str) -> None:
    """Keeps what others logged already, and says what came of it."""
    from etl.adopt import adopt

    found = account.runner.run(adopt(opened, plan, run, account.connect(wire)))
    show.say(f"adopt: {found.adopted:,} rows are there already, {found.doubtful:,} are in doubt and not sent")
    if found.unlinked:
        show.say(f"adopt: {found.unlinked:,} rows are linked to no contact and could not be looked for")
