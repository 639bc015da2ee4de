"""`etl transform`: payloads to a file, without an account and without a checkpoint."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from etl.cli import options, show
from etl.cli.plan import usable_mapping
from etl.errors import EXIT_INCOMPLETE, EXIT_OK, Imbalance

if TYPE_CHECKING:
    from etl.half_one import Finished
    from etl.workers import Means


@click.command()
@options.files
@options.mapping
@options.said
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT.jsonl", help="One payload a line."
)
@click.option(
    "--rejects", type=click.Path(path_type=Path), metavar="REJ.csv", help="The rows refused, with the reason."
)
@options.limit
@options.means
@options.as_json
def transform(
    files: tuple[Path, ...],
    mapping: str,
    output: Path,
    rejects: Path | None,
    limit: int | None,
    *,
    timezone: str | None,
    region: str | None,
    means: Means,
    as_json: bool,
) -> int:
    """Map FILE... to payloads in OUT.jsonl: no account, no network, no checkpoint.

    Links and owners that need an account stay in words, beside the payload under `wanted`. Repeated keys are not
    judged here: `etl plan` does that.
    """
    begun = monotonic()
    from etl.associate import payload_text
    from etl.engagement import DISPOSITIONS
    from etl.partitions import of_files
    from etl.read import header
    from etl.report.files import reject_file, whole_bytes

    loaded, files = usable_mapping(mapping, files, timezone, region)
    found = dict.fromkeys(("read", "payloads", "skipped", "merged", "rejected"), 0)
    with ExitStack() as stack:
        out = stack.enter_context(whole_bytes(output, durable=False))  # it can be made again
        advance = stack.enter_context(show.progress("mapping"))
        write = stack.enter_context(reject_file(rejects, header(files[0], loaded.source))) if rejects else None
        for _, half in of_files(files, loaded, DISPOSITIONS, None, payload_text, limit=limit, means=means):
            out.write(half.made)
            if write:
                write(half.rejects)
            advance(half.read)
            _count(found, half)
    _show(found, {"output": str(output)} | ({"rejects": str(rejects)} if rejects else {}), monotonic() - begun, as_json)
    return EXIT_INCOMPLETE if found["rejected"] else EXIT_OK


def _count(found: dict[str, int], half: Finished[bytes]) -> None:
    found["read"] += half.read
    found["payloads"] += half.rows
    found["skipped"] += sum(half.skipped.values())
    found["merged"] += half.merged
    found["rejected"] += len(half.rejects)


def _show(found: dict[str, int], files: dict[str, str], seconds: float, as_json: bool) -> None:
    balanced = found["read"] == found["payloads"] + found["skipped"] + found["merged"] + found["rejected"]
    if as_json:
        show.json_object({**found, "balanced": balanced, "files": files, "seconds": round(seconds, 3)})
    else:
        show.table("transform", [(name, f"{rows:,}") for name, rows in found.items()])
        show.last_lines([*files.items(), ("next", "etl plan with the same FILE and MAPPING")])
    if not balanced:
        raise Imbalance(f"The counts do not add up: {found}.", hint="This is a bug of etl; please report it.")
