"""`etl explain`: how each field of one row's payload got its value, and why a row was left out."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etl.cli import options, show
from etl.cli.plan import usable_mapping
from etl.errors import UsageError

if TYPE_CHECKING:
    from etl.explain import Explained, Row
    from etl.explain.steps import Step

_SHOWN = 96  # characters of a value


@click.command()
@options.file
@options.mapping
@options.said
@click.option(
    "--row", required=True, type=options.RowPlace(), help="The row's line in FILE; of several files, of that one."
)
@options.as_json
def explain(
    file: Path, mapping: str, row: tuple[str, int], *, timezone: str | None, region: str | None, as_json: bool
) -> None:
    """Show how each payload field of one row got its value: the cell, each step, the case that held.

    Also why a row was skipped or rejected, and by which rule of the mapping. No account, nothing sent. Where FILE is a
    folder, a glob or an archive of several files, --row says which of them: --row calls-02.csv:17.
    """
    from etl.explain import explain as explained

    loaded, inputs = usable_mapping(mapping, (file,), timezone, region)
    file = one_of(inputs, file, row)
    found = explained(file, loaded, row[1])
    if as_json:
        fields = [{**each._asdict(), "steps": [step._asdict() for step in each.steps]} for each in found.fields]
        show.json_object({"file": str(file), **found._asdict(), "fields": fields})
        return
    click.echo("\n".join(_headline(file, found)))
    for field in found.fields:
        if field.steps:
            click.echo("\n".join(_field(field)))


def one_of(inputs: Sequence[Path], given: Path, row: tuple[str, int]) -> Path:
    """The input in which the row is: the only one, or the one whose path ends with the name that was said."""
    name, line = row
    found = [each for each in inputs if _ends(each, name)]
    if len(found) == 1:
        return found[0]
    several = found or inputs
    listed = ", ".join(map(str, several[:8])) + (f" and {len(several) - 8} more" if len(several) > 8 else "")
    what = f"Several files of {given} are called {name}" if name and found else f"{given} has no file {name}, but"
    raise UsageError(
        f"{what if name else f'{given} stands for {len(inputs)} files'}: {listed}.",
        hint=f"Say in which the row is: --row {_steps(several[0])[-1]}:{line}.",
    )


def _ends(path: Path, name: str) -> bool:
    """Whether the path ends with these folders and that name."""
    steps = _steps(Path(name)) if name else []
    return not steps or _steps(path)[-len(steps) :] == steps


def _steps(path: Path) -> list[str]:
    """Folders, archive, name within the archive."""
    return [step for step in re.split("[/!]", str(path)) if step and step != "."]


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
