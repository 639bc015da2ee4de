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
    from etl.flow import MaxRejects
    from etl.mapping.model import Mapping
    from etl.workers import Means


@click.command()
@options.planning
@options.changing
@options.as_json
def plan(
    files: tuple[Path, ...], mapping: str, limit: int | None, max_rejects: MaxRejects,
    *, timezone: str | None, region: str | None, means: Means, as_json: bool,
    update_changed: bool, again: bool, adopt: bool,
    **where: Unpack[AccountOptions],
) -> None:  # fmt: skip
    """Read, check, map and link every row of FILE..., keep the plan in the checkpoint, and send nothing.

    A following `etl run` with the same arguments sends exactly this; another run or plan drops it.
    """
    begun = monotonic()
    from etl import pipeline
    from etl.adopt import requests
    from etl.checkpoint import counts, uploads
    from etl.checkpoint.adopting import waiting
    from etl.cli.account import open_account
    from etl.report import files as run_files
    from etl.report import forecast, summary

    loaded, inputs = usable_mapping(mapping, files, timezone, region)
    with open_account(where) as account, account.checkpoint(loaded.namespace, where["checkpoint"]) as opened:
        folder = options.STATE / account.name / "runs" / run_files.run_name()
        update = update_changed or loaded.on_change == "update"
        number = staged(
            opened, loaded, inputs, account, folder, limit, max_rejects, means, update=update, again=again, looking=True
        )
        newcomers = pipeline.newcomers_of(opened, number, loaded, limit=limit is not None)
        tally = counts.tally(opened, number, None)
        tally.read = counts.rows_read(opened, number)
        summary.check_balance(tally)
        found = summary.summary(tally, run_files.write_run_files(opened, number, folder), monotonic() - begun)
        if newcomers:
            found["contacts_to_create"] = newcomers
        target = account.target
        found["forecast"] = forecast.forecast(
            tally.by_type, counts.looked_up(opened), target.allowance(), target.max_batch
        )
        files_, size = uploads.waiting(opened)
        if files_:
            found["files_to_upload"] = {"files": files_, "bytes": size}
        if adopt:
            found["forecast"]["adopt_reads"] = requests(target.wire, waiting(opened, number)[0])
    if as_json:
        show.json_object(found)
    else:
        show.table(
            f"plan: {', '.join(map(str, files))} with {loaded.name}",
            [
                *summary.lines(found, planned=True),
                *_newcomers(newcomers),
                *_uploads(files_, size),
                *forecast.lines(found["forecast"]),
            ],
        )
        show.last_lines([*found["files"].items(), ("next", f"{show.program()} run with the same arguments sends it")])


def _newcomers(count: int) -> list[tuple[str, str]]:
    return [("contacts to create", f"{count:,}, before the parked rows that wait for them")] if count else []


def _uploads(files: int, size: int) -> list[tuple[str, str]]:
    return [("files to upload", f"{files:,} ({size / 1e6:,.1f} MB), before the rows that attach them")] if files else []


def usable_mapping(
    name: str, given: tuple[Path, ...], timezone: str | None, region: str | None
) -> tuple[Mapping, tuple[Path, ...]]:
    """The mapping and the inputs that the given paths stand for, each held against the other's columns.

    Everything wrong with the mapping is raised at once.
    """
    from etl.cli.check import refuse_unfit
    from etl.errors import ConfigError
    from etl.mapping import load
    from etl.read import header, inputs

    loaded = load(name, beside=given[0].parent, timezone=timezone, region=region)
    if loaded.source.timezone == "given":
        hint = "Add --timezone, such as --timezone America/New_York, or write it into a copy of the mapping."
        raise ConfigError(f"Files that {loaded.name} reads do not say in which time zone they are.", hint=hint)
    files = inputs(given, loaded.source)
    for file in files:
        refuse_unfit(name, file, loaded, header(file, loaded.source))
    return loaded, files


def staged(
    opened: Checkpoint, mapping: Mapping, files: tuple[Path, ...], account: Account, folder: Path,
    limit: int | None, max_rejects: MaxRejects, means: Means, *, update: bool = False, again: bool = False, looking: bool = False,
) -> int:  # fmt: skip
    """The plan's number; when too many rows were rejected the reject file is written before that is raised."""
    from etl import pipeline
    from etl.errors import TooManyRejects
    from etl.report.files import write_run_files

    dispositions = account.runner.run(account.target.dispositions())
    with show.progress("planning") as advance:
        try:
            return pipeline.plan(files, mapping, opened, account.ask, dispositions,
                                 limit=limit, max_rejects=max_rejects, means=means,
                                 keep_changed=update, again=again, looking=looking, on_rows=advance)  # fmt: skip
        except TooManyRejects as e:
            newest = opened.one("SELECT max(id) FROM plan")
            written = write_run_files(opened, newest, folder)
            e.hint = f"See {', '.join(p for n, p in written.items() if n.startswith('rejects'))}. {e.hint}"
            raise
