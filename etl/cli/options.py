"""The options that commands share, and the small types that read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

if TYPE_CHECKING:
    from etl.pipeline import MaxRejects

F = TypeVar("F", bound=Callable[..., Any])

STATE = Path(".etl")  #: where sandbox, checkpoints and runs live: below the folder that one works in


class AccountOptions(TypedDict):
    """What `account` reads: where to, and by which checkpoint."""

    target: str
    api: str
    token_file: Path | None
    seed_data: Path | None
    checkpoint: Path | None


class MaxRejectsType(click.ParamType):  # type: ignore[type-arg]  # only the newest click has an argument there
    """`200` or `5%`."""

    name = "N|P%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> MaxRejects:
        """The limit as the pipeline takes it."""
        from etl.pipeline import MaxRejects

        if isinstance(value, MaxRejects):
            return value
        if not (found := re.fullmatch(r"\s*(?:(\d+)|(\d+(?:\.\d+)?)\s*%)\s*", str(value), re.ASCII)):
            self.fail(f"{value!r} is neither a number of rows (200) nor a share of them (5%)", param, ctx)
        rows, share = found.groups()
        return MaxRejects(rows=int(rows)) if rows else MaxRejects(share=float(share) / 100)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, shown in the order given."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


files = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
file = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
mapping = click.option("-m", "--mapping", required=True, metavar="MAPPING", help="A mapping file, or a preset's name.")
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; all else on stderr.")
limit = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N good rows.")
max_rejects = click.option(
    "--max-rejects", type=MaxRejectsType(), default="5%", show_default=True,
    help="Refuse to go on when more rows are rejected; checked before anything is sent.",
)  # fmt: skip
account = together(
    click.option("--target", default="sandbox", show_default=True, metavar="sandbox|hubspot|URL",
                 help="Where to; the real account must be asked for by name."),
    click.option("--api", type=click.Choice(["objects", "v1"]), default="objects", show_default=True,
                 help="The wire: 100 rows a request, or the legacy API with one."),
    click.option("--token-file", type=click.Path(path_type=Path), help="File with the token; else $HUBSPOT_TOKEN."),
    click.option("--seed-data", type=click.Path(path_type=Path), help="Contacts etc. for a new sandbox."),
    click.option("--checkpoint", type=click.Path(path_type=Path), help="Default: .etl/<portal>/<namespace>.sqlite"),
)  # fmt: skip
#: What every command takes that goes through half one with an account.
planning = together(files, mapping, account, limit, max_rejects)
