"""`etl plan`: everything but sending, with exact counts."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Unpack

import click

from etl.cli import options, show
from etl.cli.options import AccountOptions

if TYPE_CHECKING:
    from etl.checkpoint.store import Checkpoint
    from etl.cli.account import Account
    from etl.mapping.model import Mapping
    from etl.pipeline import MaxRejects


@click.command()
@options.planning
@options.as_json
def plan(
    files: tuple[Path, ...], mapping: str, limit: int | None, max_rejects: MaxRejects, *, as_json: bool,
    **where: Unpack[AccountOptions],
) -> None:  # fmt: skip
    """Read, check, map and link every row of FILE..., keep the plan in the checkpoint, and send nothing.

    A following `etl run` with the same arguments sends exactly this.
    """
    from etl.checkpoint import counts
    from etl.cli.account import open_account
    from etl.report import files as run_files
    from etl.report import forecast, summary

    begun = monotonic()
    loaded = usable_mapping(mapping, files)
    with open_account(where) as account, account.checkpoint(loaded.namespace, where["checkpoint"]) as opened:
        folder = options.STATE / account.name / "runs" / run_files.run_name()
        number = staged(opened, loaded, files, account, folder, limit, max_rejects)
        tally = counts.tally(opened, number, None)
        tally.read = counts.rows_read(opened, number)
        summary.check_balance(tally)
        found = summary.summary(tally, run_files.write_run_files(opened, number, folder), monotonic() - begun)
        target = account.target
        found["forecast"] = forecast.forecast(
            tally.by_type, counts.looked_up(opened), target.allowance(), target.max_batch
        )
    if as_json:
        show.json_object(found)
    else:
        show.table(
            f"plan: {', '.join(map(str, files))} with {loaded.name}",
            [*summary.lines(found, planned=True), *forecast.lines(found["forecast"])],
        )
        show.last_lines([*found["files"].items(), ("next", f"{show.program()} run with the same arguments sends it")])


def usable_mapping(name: str, files: tuple[Path, ...]) -> Mapping:
    """The mapping, checked against the files' headers; everything wrong with it is raised at once."""
    from etl.errors import MappingError
    from etl.mapping import check_header, load, unsupported
    from etl.read import header

    loaded = load(name, beside=files[0].parent)
    if mistakes := unsupported(loaded):
        raise MappingError(mistakes)
    for file in files:
        if mistakes := check_header(loaded, header(file, loaded.source)):
            raise MappingError(mistakes)
    return loaded


def staged(
    opened: Checkpoint, mapping: Mapping, files: tuple[Path, ...], account: Account, folder: Path,
    limit: int | None, max_rejects: MaxRejects,
) -> int:  # fmt: skip
    """The plan's number; when too many rows were rejected the reject file is written before that is raised."""
    from etl import pipeline
    from etl.errors import TooManyRejects
    from etl.report.files import write_run_files

    dispositions = account.runner.run(account.target.dispositions())
    with show.progress("planning") as advance:
        try:
            return pipeline.plan(files, mapping, opened, account.ask, dispositions,
                                 limit=limit, max_rejects=max_rejects, on_rows=advance)  # fmt: skip
        except TooManyRejects as e:
            newest = opened.one("SELECT max(id) FROM plan")
            written = write_run_files(opened, newest, folder)
            e.hint = f"See {', '.join(p for n, p in written.items() if n.startswith('rejects'))}. {e.hint}"
            raise
