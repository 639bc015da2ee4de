"""`etl preview`: the first payloads, to look at."""

from __future__ import annotations

import json
from pathlib import Path

import click

from etl.cli import options, show
from etl.cli.plan import usable_mapping


@click.command()
@options.file
@options.mapping
@click.option("-n", "number", type=click.IntRange(min=1), default=5, show_default=True, help="How many payloads.")
def preview(file: Path, mapping: str, number: int) -> None:
    """Print the payloads of the first rows of FILE as JSON: no account, nothing sent.

    What needs an account (owners, contacts by phone or e-mail) stands beside the payload in words, under `wanted`.
    """
    from etl import pipeline
    from etl.associate import payload_lines
    from etl.engagement import DISPOSITIONS

    loaded = usable_mapping(mapping, (file,))
    for half in pipeline.half_one(file, loaded, DISPOSITIONS, None, limit=number):
        for line in payload_lines(half.linked).to_pylist():
            click.echo(json.dumps(json.loads(line), indent=2, ensure_ascii=False))
        for reject in half.rejects:
            reasons = "; ".join(f"{p.column + ': ' if p.column else ''}{p.message} [{p.code}]" for p in reject.problems)
            show.say(f"line {reject.line} is rejected: {reasons}")
        for reason, rows in half.skipped.items():
            show.say(f"skipped on the way: {rows} x {reason}")
        if not len(half.linked):
            continue
        return
