"""`etl check`: everything wrong with a mapping at once, its own tests, and how it fits a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl.cli import options, show
from etl.errors import ContentError, MappingError, Mistake, UsageError

if TYPE_CHECKING:
    from etl.mapping import Mapping

_TABLES = (".csv", ".tsv", ".txt", ".gz", ".xlsx", ".jsonl", ".parquet", ".mbox", ".eml", ".ics")
_YAML = (".yaml", ".yml")


@click.command()
@click.argument("mapping", metavar="MAPPING")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@options.as_json
def check(mapping: str, file: Path | None, *, as_json: bool) -> None:
    """Check MAPPING, run the tests in it, and, with FILE, how it fits the file's columns. Offline, and changes nothing."""
    from etl.mapping import lint

    _refuse_swapped(mapping, file)
    try:
        loaded, mistakes, header = _judged(mapping, file)
    except MappingError as error:  # a file that is no UTF-8, a rule that only compiling finds out
        raise _refused(mapping, None, None, error.mistakes, None) from None
    if mistakes or loaded is None:
        raise _refused(mapping, file, loaded, mistakes, header)
    warnings = lint(loaded, header)
    if as_json:
        show.json_object({"name": loaded.name, "tests": len(loaded.tests), "warnings": [w._asdict() for w in warnings]})
        return
    for warning in warnings:
        show.say(f"warning: {warning}")
    tests = f"{len(loaded.tests)} of its tests pass" if loaded.tests else "it has no tests of its own"
    click.echo(f"{mapping}: in order; {tests}; {len(warnings)} warning{'s' * (len(warnings) != 1)}")
    if file is not None:
        show.say(f"next: {show.command('preview', file, '-m', mapping)}")


def _refuse_swapped(mapping: str, file: Path | None) -> None:
    if file is not None and file.suffix in _YAML and not mapping.endswith(_YAML):
        raise UsageError(
            f"the two are the other way round: {file} is the mapping, {mapping} the file.",
            hint=f"etl check {file} {mapping}",
        )
    if Path(mapping).suffix.lower() in _TABLES:
        raise UsageError(
            f"{mapping} is no mapping, but a file to import.",
            hint=f"etl check MAPPING {mapping}; `etl guess {mapping} -o mapping.yaml` writes a mapping for it.",
        )


def _judged(name: str, file: Path | None) -> tuple[Mapping | None, list[Mistake], tuple[str, ...] | None]:
    """The mapping as far as it can be read, everything wrong with it, and the header of the file."""
    from etl.mapping import check_header, examine, written

    path, text = written(name)
    loaded, mistakes = examine(text, path, file.parent if file else None)
    if loaded is None:
        return None, mistakes, None
    header = None
    if file is not None and not _source_wrong(loaded, mistakes):
        from etl.read import header as header_of

        header = header_of(file, loaded.source)
        mistakes = [*mistakes, *(each for each in check_header(loaded, header) if each.place)]
    if loaded.tests and not mistakes:
        from etl.examples import run_examples

        mistakes = run_examples(loaded)
    return loaded, list(dict.fromkeys(mistakes)), header


def _source_wrong(loaded: Mapping, mistakes: list[Mistake]) -> bool:
    """Whether the way to read the file is among the mistakes: then its header cannot be believed."""
    line = loaded.source.place.rsplit(":", 2)[-2:-1]
    return bool(mistakes) and (
        not loaded.source.place or any(each.place.rsplit(":", 2)[-2:-1] == line for each in mistakes)
    )


def _refused(
    name: str, file: Path | None, loaded: Mapping | None, mistakes: list[Mistake], header: tuple[str, ...] | None
) -> MappingError:
    """The error with everything in it; where the file is of another kind, that comes first."""
    from etl.mapping.names import in_order

    strange = _not_like(name, file, loaded, header) if file and loaded and header else None
    if strange:  # one line a column would say nothing more
        mistakes = [each for each in mistakes if each.code not in ("unknown_name", "name_clash")]
    error = MappingError(in_order(mistakes))
    count = f"{len(mistakes)} mistakes:" if len(mistakes) != 1 else "1 mistake:"
    error.hint = f"Correct {'them' if len(mistakes) > 1 else 'it'} in {name}; `etl errors CODE` explains a code."
    first, error.hint = strange or (count, error.hint)
    error.message = f"{first}\n{error.message}".rstrip()
    error.args = (error.message,)
    return error


def refuse_unfit(name: str, file: Path, loaded: Mapping, header: tuple[str, ...]) -> None:
    """Raises `ContentError` where the file lacks columns that the mapping reads, `MappingError` for other clashes."""
    from etl.mapping import check_header

    mistakes = check_header(loaded, header)
    if not mistakes:
        return
    check = show.command("check", name, file)
    if strange := _not_like(name, file, loaded, header):
        raise ContentError(strange[0], hint=strange[1], code="missing_column")
    lacking = {each.message: each for each in reversed(mistakes) if each.code == "unknown_name"}
    if len(lacking) < len({each.message for each in mistakes}):
        error = MappingError(mistakes)
        error.hint = f"Held against {file}. {error.hint}"
        raise error
    each_said = "; ".join(
        f"{each.message}, which {each.place} reads ({each.hint})" for each in reversed(lacking.values())
    )
    hint = f"Is it the right file? If its columns have other names now, put them into the mapping; {check} shows every place."
    raise ContentError(f"{file}, for the mapping {loaded.name}: {each_said}.", hint=hint, code="missing_column")


def _not_like(name: str, file: Path, loaded: Mapping, header: tuple[str, ...]) -> tuple[str, str] | None:
    """What to say, and do, where most columns that the mapping needs are not in the file."""
    from etl.mapping import columns_read

    optional = {column for column, rule in loaded.columns.items() if not rule.required}
    needed = {*columns_read(loaded), *loaded.columns} - optional
    missing = needed - set(header)
    if len(missing) < 3 or len(missing) * 2 < len(needed):
        return None
    from etl.guess import nearest_presets

    fitting = [preset for preset in nearest_presets(header, file.parent) if preset != name]
    hint = f"etl check {fitting[0]} {file}; " if fitting else ""
    message = f"{file} does not look like {name}: {len(missing)} of {len(needed)} columns are missing"
    message += f"; it looks like {', '.join(f'`{preset}`' for preset in fitting[:3])}" if fitting else ""
    message += f".\n  missing: {', '.join(sorted(missing))}"
    return message, f"{hint}`etl guess {file} -o mapping.yaml` writes a mapping for this file."
