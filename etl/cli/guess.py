"""`etl guess`: a commented mapping for a file that nobody has described yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl.cli import options, show
from etl.errors import InputError, StorageError, UsageError

if TYPE_CHECKING:
    from etl.guess import Guess


@click.command()
@options.file
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="MAPPING.yaml", help="Default: stdout.")
@click.option("--force", is_flag=True, help="Replace the output file if it is there.")
@click.option("--timezone", default="", metavar="ZONE", help="The zone of times that carry none: Europe/Berlin, UTC.")
@click.option("--region", default="", metavar="CC", help="The country of phone numbers without a code: US, DE.")
@options.as_json
def guess(file: Path, output: Path | None, timezone: str, region: str, *, force: bool, as_json: bool) -> None:
    """Look at the head of FILE and write a mapping for it, with `# check:` wherever the guess is not sure.

    A known export begins from the preset that reads it. The mapping passes `etl check`; what it means is for you to
    look at. Nothing is sent.
    """
    from etl.guess import guess as guessed

    _judge_options(timezone, region)
    if output is not None and output.exists() and not force:
        raise UsageError(f"{output} is there already, and is left as it is.", hint="Give another name, or --force.")
    found = guessed(file, name=_name(output), timezone=timezone, region=region.upper())
    if output is not None:
        _write(output, found.text, force=force)
    if as_json:
        show.json_object({**found.as_json(), "output": str(output) if output else None})
        return
    if output is None:
        click.echo(found.text, nl=False)
    _say(found, file, output)


def _judge_options(timezone: str, region: str) -> None:
    from etl.mapping.formats import REGIONS, zone_trouble

    if timezone and (trouble := zone_trouble(timezone)):
        raise UsageError(f"--timezone: {trouble[0]}.", hint=trouble[1])
    if region and region.upper() not in REGIONS:
        raise UsageError(f"--region: {region!r} is no country.", hint="Two letters, such as US, GB or DE.")


def _name(output: Path | None) -> str:
    """The output's name as the mapping's, where it can be one."""
    import re

    stem = output.name.split(".")[0].lower() if output else ""
    return stem if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", stem) and stem != "mapping" else ""


def _write(output: Path, text: str, *, force: bool) -> None:
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            f"{output} is there already, and is left as it is.", hint="Give another name, or --force."
        ) from None
    except OSError as error:
        if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
            raise InputError(f"{output}: cannot be written: {error.strerror}.", hint="Check the path.") from None
        raise StorageError(
            f"{output}: cannot be written: {error.strerror}.", hint="Free the disk, or write elsewhere."
        ) from None


def _say(found: Guess, file: Path, output: Path | None) -> None:
    """What was found, what to look at, and what to do next."""
    kinds = ", ".join(found.types)
    show.say(f"{file}: looks like {found.preset}" if found.preset else f"{file}: {kinds}, by its columns and words")
    for doubt in found.doubts:
        show.say(f"  check {doubt}")
    if found.unused:
        more = f", and {len(found.unused) - 12} more" if len(found.unused) > 12 else ""
        show.say(f"  not read: {', '.join(found.unused[:12])}{more}")
    for table in found.tables:
        if (
            not (output or file).parent.joinpath(table.path.name).is_file()
            and not file.with_name(table.path.name).is_file()
        ):
            show.say(f"  put {table.path.name} (columns {table.key}, {table.value}) beside {file.name}")
    name = output or "mapping.yaml"
    if output is None:
        show.say(f"next: {show.command('guess', file, '-o', name)}")
    show.say(f"next: {show.command('check', name, file)}")
    show.say(f"then: {show.command('preview', file, '-m', name)}")
