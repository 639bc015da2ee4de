"""`etl check`: everything wrong with a mapping at once, its own tests, and how it fits a file."""

from __future__ import annotations

from pathlib import Path

import click

from etl.cli import options, show
from etl.errors import MappingError


@click.command()
@click.argument("mapping", metavar="MAPPING")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@options.as_json
def check(mapping: str, file: Path | None, *, as_json: bool) -> None:
    """Check MAPPING, run the tests in it, and, with FILE, how it fits the file's columns. Offline, and changes nothing."""
    from etl.mapping import check_header, lint, load, unsupported

    loaded = load(mapping, beside=file.parent if file else None)
    mistakes = unsupported(loaded)
    header = None
    if file is not None:
        from etl.read import header as header_of

        header = header_of(file, loaded.source)
        mistakes = [*mistakes, *check_header(loaded, header)]
    if loaded.tests and not mistakes:
        from etl.examples import run_examples

        mistakes = run_examples(loaded)
    if mistakes:
        raise MappingError(mistakes)
    warnings = lint(loaded, header)
    if as_json:
        show.json_object({"name": loaded.name, "tests": len(loaded.tests), "warnings": [w._asdict() for w in warnings]})
        return
    for warning in warnings:
        show.say(f"warning: {warning}")
    tests = f"{len(loaded.tests)} of its tests pass" if loaded.tests else "it has no tests of its own"
    click.echo(f"{mapping}: in order; {tests}; {len(warnings)} warnings")
