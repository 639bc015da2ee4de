"""The options that commands share, and the small types that read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import time
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, cast

import click

from etl.errors import UsageError

if TYPE_CHECKING:
    from etl.workers import Means

F = TypeVar("F", bound=Callable[..., Any])

STATE = Path(".etl")  #: where sandbox, checkpoints and runs live: below the folder that one works in


class AccountOptions(TypedDict):
    """What `account` reads: where to, and by which checkpoint."""

    target: str
    api: str
    token_file: Path | None
    seed_data: Path | None
    checkpoint: Path | None


class SendOptions(TypedDict):
    """How a run sends."""

    settle: float | None
    reserve: int | float
    max_duration: float | None
    stop_at: time | None


def split(given: dict[str, Any]) -> tuple[AccountOptions, SendOptions]:
    """The options of a command that sends, in their two groups."""
    where = {name: given[name] for name in AccountOptions.__annotations__}
    how = {name: given[name] for name in SendOptions.__annotations__}
    return cast("AccountOptions", where), cast("SendOptions", how)


def _means_of(
    files: tuple[Path, ...],
    *,
    workers: int | None,
    low_memory: bool,
    engine: Literal["local", "dask"],
    scheduler: str | None,
) -> Means:
    """What half one of these files gets; helpers that it gets are begun, while this process goes on with its imports."""
    from etl.workers import keep_memory, means_for, warm_up

    keep_memory()
    if scheduler and (engine != "dask" or workers):
        why = "has workers of its own" if workers else "is asked for by --engine dask"
        raise UsageError(f"--scheduler names a Dask cluster, which {why}.", hint="Leave out one of the options.")
    if engine == "dask":
        from etl.cluster import check_installed

        check_installed()
    bytes_ = sum(map(_size, files))
    found = means_for(bytes_, workers=workers, low_memory=low_memory, engine=engine, scheduler=scheduler)
    if found.workers > 1 and not scheduler:
        warm_up("etl.warm")
    return found


def _size(file: Path) -> int:
    """Bytes to read, of a folder those in it; what cannot be told is said by whoever reads it."""
    try:
        return sum(each.stat().st_size for each in file.rglob("*")) if file.is_dir() else file.stat().st_size
    except OSError:
        return 0


class MappingName(click.ParamType):  # type: ignore[type-arg]  # only the newest click has an argument there
    """A mapping file, or the name of a preset."""

    name = "MAPPING"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """What can be given."""
        del param, ctx
        from etl.cli.account import packaged

        presets = ", ".join(sorted(path.stem for path in packaged("mappings").glob("*.yaml")))
        return f"Give a mapping file, or one of the presets: {presets}."


class NumberOrShare(click.ParamType):  # type: ignore[type-arg]  # only the newest click has an argument there
    """`200` (a whole number: int) or `5%` (a share: float)."""

    name = "N|P%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        """The number, or the share as a number from 0.0 to 1.0."""
        if isinstance(value, int | float):
            return value
        if not (found := re.fullmatch(r"\s*(?:(\d+)|(\d+(?:\.\d+)?)\s*%)\s*", str(value), re.ASCII)):
            self.fail(f"{value!r} is neither a number (200) nor a share (5%)", param, ctx)
        number, share = found.groups()
        return int(number) if number else float(share) / 100


class MaxRejectsType(NumberOrShare):
    """`200` or `5%` of the rows."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The limit as the pipeline takes it."""
        from etl.flow import MaxRejects

        if isinstance(value, MaxRejects):
            return value
        limit = super().convert(value, param, ctx)
        return MaxRejects(rows=limit) if isinstance(limit, int) else MaxRejects(share=limit)


class Duration(click.ParamType):  # type: ignore[type-arg]  # as above
    """`90m`, `2h`, `1h30m` or `45s`, as seconds."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        if isinstance(value, int | float):
            return value
        found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", str(value).strip(), re.ASCII)
        if not found or not any(found.groups()):
            self.fail(f"{value!r} is no duration: give 2h, 90m, 1h30m or 45s", param, ctx)
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return 3600.0 * hours + 60 * minutes + seconds


class TimeOfDay(click.ParamType):  # type: ignore[type-arg]  # as above
    """`06:00`, on the clock of this machine."""

    name = "HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> time:
        """The time of day."""
        if isinstance(value, time):
            return value
        try:
            return time.fromisoformat(str(value).strip().zfill(5))
        except ValueError:
            self.fail(f"{value!r} is no time of day: give it as 06:00", param, ctx)


class Zone(click.ParamType):  # type: ignore[type-arg]  # as above
    """An IANA time zone."""

    name = "ZONE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if there is such a zone."""
        from etl.mapping.formats import zone_trouble

        if trouble := zone_trouble(str(value)):
            self.fail(f"{trouble[0]}: {trouble[1]}", param, ctx)
        return str(value)


class Region(click.ParamType):  # type: ignore[type-arg]  # as above
    """An ISO 3166 country."""

    name = "COUNTRY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The two letters, in capitals."""
        found = str(value).strip().upper()
        if not re.fullmatch("[A-Z]{2}", found):
            self.fail(f"{value!r} is no country: give its two letters, such as US or DE", param, ctx)
        return found


class RowPlace(click.ParamType):  # type: ignore[type-arg]  # as above
    """`17`, or `calls-02.csv:17` where several files are given by one name; as (name or no text, line)."""

    name = "[FILE:]LINE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """The file's name, if there is one, and the line."""
        if isinstance(value, tuple):
            return value
        file, _, line = str(value).strip().rpartition(":")
        if not (line.isascii() and line.isdigit() and int(line)):
            self.fail(f"{value!r} is no row: give its line (17), or file and line (calls-02.csv:17)", param, ctx)
        return file, int(line)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, shown in the order given."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


files = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
file = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
mapping = click.option("-m", "--mapping", required=True, type=MappingName(), help="A mapping file, or a preset's name.")
said = together(
    click.option("--timezone", type=Zone(), help="Of times that carry none, in place of the mapping's (Europe/Berlin)."),
    click.option("--region", type=Region(), help="Of phone numbers without a country code, in place of the mapping's."),
)  # fmt: skip
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; all else on stderr.")
limit = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N good rows.")
max_rejects = click.option(
    "--max-rejects", type=MaxRejectsType(), default="5%", show_default=True,
    help="Refuse to go on when more rows are rejected; checked before anything is sent.",
)  # fmt: skip
#: What every command takes that reads an account.
where = together(
    click.option("--target", default="sandbox", show_default=True, metavar="sandbox|hubspot|URL",
                 help="Where to; the real account must be asked for by name."),
    click.option("--api", type=click.Choice(["objects", "v1"]), default="objects", show_default=True,
                 help="The wire: 100 rows a request, or the legacy API with one."),
    click.option("--token-file", type=click.Path(path_type=Path), help="File with the token; else $HUBSPOT_TOKEN."),
    click.option("--seed-data", type=click.Path(path_type=Path), help="Contacts etc. for a new sandbox."),
)  # fmt: skip
account = together(
    where,
    click.option("--checkpoint", type=click.Path(path_type=Path), help="Default: .etl/<portal>/<namespace>.sqlite"),
)  # fmt: skip
_means = together(
    click.option("--workers", type=click.IntRange(min=1), metavar="N",
                 help="Processes that map rows; default: one a core for a large input, else none but this."),
    click.option("--low-memory", is_flag=True, help="Map fewer rows at a time: half the memory, a little slower."),
    click.option("--engine", type=click.Choice(["local", "dask"]), default="local", show_default=True,
                 help="Where rows are mapped: on this machine, or on a Dask cluster (extra `dask`; docs/cluster.md)."),
    click.option("--scheduler", metavar="ADDRESS",
                 help="Of the Dask cluster (tcp://HOST:8786); default: a cluster of --workers processes for this run."),
)  # fmt: skip


def means(command: F) -> F:
    """The options that say by what means rows are mapped; the command gets them as one, `means`."""

    @wraps(command)
    def with_means(
        *,
        files: tuple[Path, ...],
        workers: int | None,
        low_memory: bool,
        engine: Literal["local", "dask"],
        scheduler: str | None,
        **rest: Any,
    ) -> Any:
        found = _means_of(files, workers=workers, low_memory=low_memory, engine=engine, scheduler=scheduler)
        return command(files=files, means=found, **rest)

    return _means(cast("F", with_means))


changing = together(
    click.option("--update-changed", is_flag=True,
                 help="Patch rows that were created with other content, links too; as `on_change: update` in the mapping."),
    click.option("--again", is_flag=True, help="Create also rows that `etl undo` took back."),
    click.option("--adopt", is_flag=True,
                 help="Recognise what another integration has logged already: same contact, type, minute, number or subject."),
)  # fmt: skip
#: What every command takes that goes through half one with an account.
planning = together(files, mapping, said, account, limit, max_rejects, means)
#: What every command takes that sends.
sending = together(
    click.option("--settle", type=click.FloatRange(min=0), metavar="SECONDS",
                 help="How long a create may take to become readable; default 120, in a sandbox what it announces."),
    click.option("--reserve", type=NumberOrShare(), default="20%", show_default=True,
                 help="Requests of the account's day that are left to others; the run stops before it uses them."),
    click.option("--max-duration", type=Duration(), help="End after so long (2h, 90m); the same command goes on."),
    click.option("--stop-at", type=TimeOfDay(), help="End at this time of day (06:00, this machine's clock)."),
)  # fmt: skip
