"""`etl retry`: another attempt at what earlier runs could not find out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

import click

from etl.cli import options, show
from etl.cli.sending import Order, carry_out, show_result
from etl.errors import UsageError


@click.command()
@click.option("--unknown", is_flag=True, help="Rows whose fate is unresolved: read the account for them again.")
@options.account
@options.sending
@options.as_json
def retry(*, unknown: bool, as_json: bool, **given: Any) -> int:
    """Try again what earlier runs left open, of every checkpoint of the account (or of --checkpoint).

    With --unknown, each unresolved row is looked for in the account: found, it is created; proved absent, it is sent.
    What stays in doubt stays unresolved.
    """
    from etl.cli.account import open_account

    if not unknown:
        raise UsageError("Nothing was asked for.", hint="Say what to try again: --unknown.")
    where, how = options.split(given)
    code = 0
    with open_account(where, reserve=how["reserve"]) as account:
        paths = (
            [where["checkpoint"]] if where["checkpoint"] else sorted((options.STATE / account.name).glob("*.sqlite"))
        )
        open_ones = [(path, namespace) for path in paths if (namespace := _unresolved(path))]
        for path, namespace in open_ones:
            with account.checkpoint(namespace, path) as opened:
                code = max(code, _retry(opened, account, where["api"], how, as_json=as_json))
    if not open_ones:
        show.say("No row is unresolved.")
    return code


def _unresolved(path: Path) -> str:
    """The namespace of a checkpoint that has unresolved rows; empty for one that has none."""
    from etl.checkpoint.store import peek

    with closing(peek(path)) as opened:
        if not opened.one("SELECT EXISTS (SELECT 1 FROM row WHERE state = 'unresolved')"):
            return ""
        return str(opened.rows("SELECT value FROM meta WHERE name = 'namespace'")[0][0])


def _retry(opened: Any, account: Any, wire: str, how: options.SendOptions, *, as_json: bool) -> int:
    from etl.checkpoint import journal
    from etl.report import files as run_files

    begun_s = monotonic()
    name = run_files.run_name()
    plan = opened.one("SELECT max(id) FROM plan WHERE finished")
    number = journal.begin_run(opened, name, plan, wire=wire)
    rows = journal.retry_unresolved(opened)
    order = Order(plan, number, options.STATE / account.name / "runs" / name, wire)
    found = carry_out(opened, account, order, how, begun_s)
    return show_result(found, f"retry: {rows} unresolved rows of {opened.path}", "-m MAPPING", as_json=as_json)
