"""`etl explain`: how each field of one row's payload got its value, and why a row was left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etl.cli import options, show
from etl.cli.plan import usable_mapping

if TYPE_CHECKING:
    from etl.explain import Explained, Row
    from etl.explain.steps import Step

_SHOWN = 96  # characters of a value


@click.command()
@options.file
@options.mapping
@options.said
@click.option("--row", "line", required=True, type=click.IntRange(min=1), metavar="N", help="The row's line in FILE.")
@options.as_json
def explain(file: Path, mapping: str, line: int, *, timezone: str | None, region: str | None, as_json: bool) -> None:
    """Show how each payload field of one row got its value: the cell, each step, the case that held.

    Also why a row was skipped or rejected, and by which rule of the mapping. No account, nothing sent.
    """
    from etl.explain import explain as explained

    loaded, inputs = usable_mapping(mapping, (file,), timezone, region)
    row = explained(inputs[0], loaded, line)
    if as_json:
        fields = [{**each._asdict(), "steps": [step._asdict() for step in each.steps]} for each in row.fields]
        show.json_object({"file": str(file), **row._asdict(), "fields": fields})
        return
    click.echo("\n".join(_headline(file, row)))
    for field in row.fields:
        if field.steps:
            click.echo("\n".join(_field(field)))


def _headline(file: Path, row: Row) -> list[str]:
    where = f"{file}, line {row.line}"
    if row.outcome == "mapped":
        kind = (row.payload or {}).get("engagement", {}).get("type", "")
        return [f"{where}: becomes a {kind}"]
    by = f"\n  by the rule at {row.place}" if row.place else ""
    code = f" [{row.code}]; `etl errors {row.code}` says more" if row.code else ""
    return [f"{where}: {row.outcome}: {row.reason}{code}{by}"]


def _field(field: Explained) -> list[str]:
    lines = [f"\n{field.path} = {shown(field.value)}   ({field.place})"]
    return [*lines, *(_step(step) for step in field.steps)]


def _step(step: Step) -> str:
    pad = "    " + "  " * step.depth
    if step.problem:
        return f"{pad}{_named(step)}: REFUSED: {step.problem}"
    if step.what == "case":
        return f"{pad}{_named(step)}: {'holds' if step.value else 'does not hold'} ({_short(step.place)})"
    if step.what == "first":
        return f"{pad}{_named(step)}: {'taken' if step.value else 'empty'}"
    if step.what == "else":
        return f"{pad}else ({_short(step.place)})"
    return f"{pad}{_named(step)}: {shown(step.value)}"


def _named(step: Step) -> str:
    names = {"cell": f"cell ${step.detail}", "define": f"${step.detail}, defined at {_short(step.place)}",
             "missing": f"no column ${step.detail} in the file"}  # fmt: skip
    return names.get(step.what, f"{step.what} {_cut(step.detail)}".rstrip())


def _short(place: str) -> str:
    """Line and column, without the file."""
    return "line " + ":".join(place.rsplit(":", 2)[-2:]) if place.count(":") >= 2 else place


def shown(value: Any) -> str:
    """A value as JSON on one line; nothing is `(empty)`."""
    return "(empty)" if value is None else _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."
