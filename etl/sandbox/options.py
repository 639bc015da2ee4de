"""What a sandbox can be told on a command line: one definition for `etl sandbox serve` and `python -m etl.sandbox`.

Imports nothing heavy, since `etl --help` shows it too.
"""

from __future__ import annotations

import gc
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from etl.errors import TokenError
from etl.sandbox.settings import TIERS, Settings, duration

if TYPE_CHECKING:
    from etl.sandbox.faults import Fault

F = TypeVar("F", bound=Callable[..., Any])

_LIMIT_HELP: Final = "Requests in a rolling window, e.g. 190/10s or 19/1s; beyond: 429. Goes before --tier."
_DEFAULT: Final = Settings()


class Duration(click.ParamType):  # type: ignore[type-arg]  # only the newest click has an argument there
    """`50ms`, `2s` or `1.5`: seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        try:
            return value if isinstance(value, float) else duration(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Rate(click.ParamType):  # type: ignore[type-arg]  # as above
    """`190/10s`, or `190`, which is in 10 s."""

    name = "N/TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, float]:
        """Requests, and the seconds of their window."""
        if isinstance(value, tuple):
            return value
        count, _, window = str(value).partition("/")
        try:
            found = int(count), duration(window or "10s")
        except ValueError:
            found = (0, 0.0)
        if min(found) <= 0:
            self.fail(f"{value!r} is no limit; write e.g. 190/10s", param, ctx)
        return found


class FaultType(click.ParamType):  # type: ignore[type-arg]  # as above
    """A fault as text, e.g. `commit_then_reset:p=0.02`."""

    name = "FAULT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fault:
        """The fault."""
        from etl.errors import UsageError
        from etl.sandbox.faults import Fault, parse

        try:
            return value if isinstance(value, Fault) else parse(str(value))
        except UsageError as problem:
            self.fail(f"{problem.message} {problem.hint}", param, ctx)


def _zone(ctx: click.Context, param: click.Parameter, value: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, OSError):
        raise click.BadParameter(f"{value!r} is no time zone; write e.g. Europe/Berlin", ctx, param) from None


_OPTIONS: Final = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Another one lets others read all it holds."),
    click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one."),
    click.option("--seed-data", type=click.Path(path_type=Path), help="Folder with contacts.csv etc. for an empty store."),
    click.option("--token-file", type=click.Path(path_type=Path), help="File with the only token to accept; else any is."),
    click.option("--tier", type=click.Choice(list(TIERS)), help="Limits of an account of that tier, enforced."),
    click.option("--limit", type=Rate(), help=_LIMIT_HELP),
    click.option("--daily", type=click.IntRange(min=1), help="Requests a day; beyond: 429. Goes before --tier."),
    click.option("--search-limit", type=click.IntRange(min=1), help="Searches a second; beyond: 429. HubSpot: 5."),
    click.option("--fault", "faults", type=FaultType(), multiple=True,
                 help="E.g. commit_then_reset:p=0.02; can be repeated. docs/sandbox.md lists them."),
    click.option("--fault-seed", type=int, default=_DEFAULT.seed, help="The same seed, the same faults."),
    click.option("--latency", type=Duration(), default=_DEFAULT.latency_s, help="Every answer takes so long, e.g. 50ms."),
    click.option("--index-lag", type=Duration(), default=_DEFAULT.index_lag_s, show_default=True,
                 help="What is new is found by searches and change lists after so long."),
    click.option("--settle", type=Duration(), help="What it tells loaders to wait; default: as long as it may take."),
    click.option("--time-zone", default=_DEFAULT.time_zone, show_default=True, callback=_zone, help="Whose midnight ends the day."),
    click.option("--retry-after", is_flag=True, help="A 429 says how long to wait; the real ones do not."),
    click.option("--no-unique-properties", is_flag=True, help="Activities cannot have unique properties."),
    click.option("--repeated-uid", type=click.Choice(["accept", "existing", "conflict"]), default=_DEFAULT.repeated_uid,
                 show_default=True, help="What a v1 create with a known uid does."),
    click.option("--missing-engagement", type=click.Choice(["empty200", "404"]), default=_DEFAULT.missing_engagement,
                 show_default=True, help="What v1 answers for an id that is not there."),
)  # fmt: skip


def serving(command: F) -> F:
    """Gives a command all that can be told; `start` takes the values."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def start(
    given: Mapping[str, Any],
    *,
    db: Path,
    seed_data: Path | None,
    ready: Callable[[str], None],
    token: str = "",
    parent_pid: int | None = None,
) -> None:
    """Serves as the options say, until it is told to stop; raises what `serve` raises."""
    from etl.sandbox.serve import is_exposed, serve

    settings = settings_of(given, token)
    if is_exposed(given["host"]):
        told = f"everybody who reaches {given['host']} over the network can read all that this sandbox holds"
        click.echo(f"warning: {told}", err=True)
    gc.freeze()  # what was imported stays; and a batch is some thousand objects, none of them in a cycle
    gc.set_threshold(20_000, 20, 100)
    serve(db=db, host=given["host"], port=given["port"], seed_data=seed_data, settings=settings, faults=given["faults"],
          ready=ready, parent_pid=parent_pid)  # fmt: skip


def settings_of(given: Mapping[str, Any], token: str = "") -> Settings:
    """The settings that the options ask for. A tier, or any limit, is enforced; what none of them says stays wide open."""
    window_max, daily_max = TIERS[given["tier"]] if given["tier"] else (_DEFAULT.window_max, _DEFAULT.daily_max)
    limit, window_s = given["limit"] or (window_max, _DEFAULT.window_s)
    return Settings(
        token=_token(given["token_file"]) or token,
        seed=given["fault_seed"],
        index_lag_s=given["index_lag"],
        settle_s=given["settle"],
        window_max=limit,
        window_s=window_s,
        daily_max=given["daily"] or daily_max,
        search_max=given["search_limit"] or _DEFAULT.search_max,
        enforce_limits=any(given[name] for name in ("tier", "limit", "daily", "search_limit")),
        time_zone=given["time_zone"],
        unique_properties=not given["no_unique_properties"],
        missing_engagement=given["missing_engagement"],
        repeated_uid=given["repeated_uid"],
        retry_after=given["retry_after"],
        latency_s=given["latency"],
    )


def _token(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise TokenError(f"{path} can be read by others.", hint=f"chmod 600 {path}")
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise TokenError(f"The token file {path} cannot be read: {problem}.") from problem
    if not token:
        raise TokenError(f"The token file {path} is empty.")
    return token
