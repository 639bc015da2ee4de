"""`etl run`: an export in, engagements out."""

from __future__ import annotations

import shlex
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from etl.cli import options
from etl.cli.plan import staged, usable_mapping
from etl.cli.sending import Order, carry_out, show_result

if TYPE_CHECKING:
    from etl.pipeline import MaxRejects


@click.command()
@options.planning
@options.sending
@click.option(
    "--reconcile", is_flag=True, help="Read the account before sending anything: for a lost or damaged checkpoint."
)
@options.as_json
def run(
    files: tuple[Path, ...], mapping: str, limit: int | None, max_rejects: MaxRejects,
    *, reconcile: bool, as_json: bool, **given: Any,
) -> int:  # fmt: skip
    """Import FILE... through MAPPING: every row is created once, or accounted for.

    Stop it at any moment, by Ctrl-C or by force; the same command goes on and creates nothing twice. Ends with 0 when
    all is well, 3 when rows were rejected or are unresolved; other codes say what to do.
    """
    from etl import pipeline
    from etl.checkpoint import directory, journal
    from etl.cli.account import open_account
    from etl.report import files as run_files

    begun_s = monotonic()
    where, how = options.split(given)
    loaded = usable_mapping(mapping, files)
    with (
        open_account(where, reserve=how["reserve"]) as account,
        account.checkpoint(loaded.namespace, where["checkpoint"]) as opened,
    ):
        name = run_files.run_name()
        folder = options.STATE / account.name / "runs" / name
        plan = staged(opened, loaded, files, account, folder, limit, max_rejects)
        number = journal.begin_run(opened, name, plan, wire=where["api"], reconcile=reconcile)
        # Parked rows of earlier nights may have found their contact.
        pipeline.look_again(opened, plan, number, loaded, directory.remembered(opened, account.ask))
        # A look before going on must not send what an earlier plan left.
        order = Order(plan, number, folder, where["api"], plan if limit else None, max(0.2, max_rejects.share))
        found = carry_out(opened, account, order, how, begun_s)
    again = f"-m {shlex.quote(mapping)}"
    return show_result(found, f"run: {', '.join(map(str, files))} with {loaded.name}", again, as_json=as_json)
